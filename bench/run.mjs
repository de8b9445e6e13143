import { fork } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { provideServers } from './provided-servers.mjs'
import { document, machine, tableOf } from './results.mjs'
import { SIZES } from './sizes.mjs'

/** What `--only` takes, each with the servers that it wants. */
const BENCHES = {
  ...{ replay: [], merge: [], sets: [], columns: [], values: [], opening: [], flush: [], 'side-by-side': [] },
  starting: [],
  'flush-postgres': ['postgres'],
  'flush-mongodb': ['mongodb'],
  'flush-hive': ['hive'],
  reads: ['postgres', 'mongodb', 'hive'],
  copy: ['postgres', 'mongodb', 'hive'],
  diff: ['postgres', 'mongodb', 'hive'],
}

const LATEST = fileURLToPath(new URL('results/latest.json', import.meta.url))

const USAGE = `usage: npm run bench [-- options]
  --size ${Object.keys(SIZES).join('|')}   how much (default: default)
  --only NAME     one of ${Object.keys(BENCHES).join(', ')}; several with commas between
  --pairs N       measurements of each pair
  --json FILE     where the figures go (default: bench/results/latest.json)
bench/RESULTS.md is written by a run of the default size; with --only, the lines of the others stay as they were.`

const own = (name) => fileURLToPath(new URL(name, import.meta.url))

function optionsOf(args) {
  const { values } = parseArgs({
    args,
    options: {
      size: { type: 'string', default: 'default' },
      only: { type: 'string' },
      pairs: { type: 'string' },
      json: { type: 'string', default: LATEST },
      help: { type: 'boolean' },
    },
  })
  const pairs = values.pairs === undefined ? undefined : Number(values.pairs)
  const only = values.only?.split(',')
  const unknown = only?.find((name) => !Object.hasOwn(BENCHES, name))
  const refused =
    (!Object.hasOwn(SIZES, values.size) && `there is no size ${values.size}`) ||
    (unknown !== undefined && `there is no bench ${unknown}`) ||
    (pairs !== undefined && !(Number.isInteger(pairs) && pairs > 0) && '--pairs takes a number from 1')
  if (refused) throw new Error(refused)
  return { ...values, only, pairs }
}

async function bench({ size, only, pairs, json }) {
  const started = performance.now()
  const sizes = { ...SIZES[size], ...(pairs === undefined ? {} : { pairs, starts: pairs }) }
  const names = Object.keys(BENCHES).filter((name) => only?.includes(name) ?? true)
  const results = []
  for (const name of names.filter((one) => BENCHES[one].length === 0)) results.push(...(await measureOne(name, sizes)))
  results.push(
    ...(await measureOnServers(
      names.filter((name) => BENCHES[name].length > 0),
      sizes,
    )),
  )
  const seconds = (performance.now() - started) / 1000
  const date = new Date().toISOString().slice(0, 10)
  const kept = only === undefined ? [] : keptResults(json, size, names)
  const all = [...kept, ...results.map((result) => ({ ...result, date }))].sort((a, b) => order(a) - order(b))
  const figures = { size, sizes, machine: machine(), date, seconds, results: all }
  process.stdout.write(`${tableOf(results)}\n`)
  for (const { work, note } of results) if (note !== undefined) process.stdout.write(`${work}: ${note}\n`)
  mkdirSync(dirname(json), { recursive: true })
  writeFileSync(json, `${JSON.stringify(figures, null, 2)}\n`)
  if (size === 'default' && json === LATEST) writeFileSync(own('RESULTS.md'), document(figures))
}

const order = ({ bench }) => Object.keys(BENCHES).indexOf(bench)

/** What earlier runs of the same size measured of other benches. */
function keptResults(json, size, names) {
  if (!existsSync(json)) return []
  const earlier = JSON.parse(readFileSync(json, 'utf8'))
  return earlier.size === size ? earlier.results.filter(({ bench }) => !names.includes(bench)) : []
}

/** The servers are there while it measures. */
async function measureOnServers(names, sizes) {
  const kinds = [...new Set(names.flatMap((name) => BENCHES[name]))]
  const stop = sizes.build && kinds.length > 0 ? await provideServers(kinds) : async () => {}
  const results = []
  try {
    for (const name of names) results.push(...(await measureOne(name, sizes)))
  } finally {
    await stop()
  }
  return results
}

async function measureOne(name, sizes) {
  process.stderr.write(`${name} ...\n`)
  const directory = mkdtempSync(join(tmpdir(), 'merganser-bench-'))
  try {
    return (await measure(name, { ...sizes, directory })).map((result) => ({ bench: name, ...result }))
  } finally {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Each in a process of its own: none begins with another's memory. */
async function measure(name, sizes) {
  const child = fork(own('measure.mjs'), [name, JSON.stringify(sizes)])
  let results
  child.on('message', (message) => {
    results = message
  })
  const status = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (status !== 0 || results === undefined) throw new Error(`the bench ${name} ended with ${String(status)}`)
  return results
}

let options
try {
  options = optionsOf(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`${error.message}\n${USAGE}\n`)
  process.exitCode = 2
}
if (options?.help) process.stdout.write(`${USAGE}\n`)
else if (options !== undefined) await bench(options)

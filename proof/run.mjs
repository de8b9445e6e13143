import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { provideServers } from '../bench/provided-servers.mjs'
import { SERVICES } from '../scripts/services/all.mjs'
import { neededServers } from '../scripts/services/needed.mjs'
import { duration, ROOT, run, say } from '../scripts/run.mjs'
import { proveKernel } from './kernel.mjs'
import { optionsOf, USAGE } from './options.mjs'
import { document } from './report.mjs'
import { spread } from './spread.mjs'
import { proofFiles, proveTests, testsByInvariant } from './tests.mjs'

const own = (name) => fileURLToPath(new URL(name, import.meta.url))
const LATEST = own('results/latest.json')
/** The proof that is the simulation as a test. */
const WORLDS = 'worlds'
/** Of the time, for the kernel; and seconds that a part has at least, however long others took. */
const KERNELS = 0.1
const LEAST = 10

const interrupted = new AbortController()
for (const name of ['SIGINT', 'SIGTERM']) {
  process.on(name, () => {
    if (!interrupted.signal.aborted) say('interrupted: ending after the seeds that are being run')
    interrupted.abort()
  })
}

/** The parts by name: each gives its results, with `failures` of `{ name, seed?, message, again? }`. */
const RUN = {
  async tests({ proofs, parts, ...options }) {
    const files = proofFiles()
    // The simulation has a part of its own, with the same seeds.
    if (proofs.length === 0 && parts.includes('simulation')) files.delete(WORLDS)
    const chosen = proofs.length === 0 ? [...files.values()] : proofs.map((name) => files.get(name))
    // Started once, for the run and for the names of tests.
    const wanted = proofs.length === 0 ? SERVICES : neededServers(chosen.map((file) => join(ROOT, file)))
    const stop = wanted.length === 0 ? () => {} : await provideServers(wanted.map(({ name }) => name))
    try {
      const results = await proveTests(chosen, options)
      const whole = proofs.length === 0 && results.failures.length === 0 && !options.signal.aborted
      return { ...results, invariants: whole ? await testsByInvariant(options) : undefined }
    } finally {
      await stop()
    }
  },

  async kernel(options) {
    const seconds = Math.max(LEAST / 2, options.seconds * KERNELS)
    return withFailures(await proveKernel({ ...options, seconds, progress: progressOf('kernel') }))
  },

  async simulation(options) {
    const seconds = Math.max(LEAST, options.seconds - (performance.now() - options.started) / 1000)
    const settings = { ...options, seconds, progress: progressOf('simulation') }
    const results = withFailures(await spread(own('simulation-worker.mjs'), [], settings))
    const checkers = (await import('../dist/simulation/checkers/all.js')).allCheckers()
    return { ...results, checkers: checkers.map(({ invariant, says }) => ({ invariant, says })) }
  },
}

function withFailures({ failure, ...results }) {
  return { ...results, failures: failure === undefined ? [] : [told(failure)] }
}

function told({ seed, invariant, message, again, kept }) {
  if (kept !== undefined) say(`the shortest script that fails so is kept in ${kept}`)
  return { name: invariant, seed, message: message.replaceAll(ROOT, ''), again }
}

function progressOf(part) {
  let told = 0
  return ({ runs }, seconds) => {
    if (seconds < told + 10) return
    told = seconds
    say(`${part}: ${String(runs)} seeds in ${duration(seconds)}, ${(runs / seconds).toFixed(1)} a second`)
  }
}

/** Where and of what it was run: nothing that names a machine or a person. */
async function origin() {
  const git = async (...args) => {
    const { status, output } = await run('git', args)
    return status === 0 ? output.trim() : undefined
  }
  const changes = await git('status', '--porcelain', '--untracked-files=no')
  return {
    date: new Date().toISOString().replace(/:\d\d\.\d+/, ''),
    commit: await git('rev-parse', '--short=12', 'HEAD'),
    changed: changes !== undefined && changes !== '',
    machine: {
      node: process.version,
      platform: `${process.platform} ${process.arch}`,
      cores: cpus().length,
      memory: totalmem(),
    },
  }
}

/** Runs part after part, up to the first that finds something; gives the exit status. */
async function prove(options) {
  const started = performance.now()
  const { signal } = interrupted
  const from = await origin()
  const { firstSeed, times, parts, json, keeps } = options
  say(`first seed ${String(firstSeed)}; ${parts.join(', ')}${times > 1 ? `; tests ${String(times)} times` : ''}`)
  const earlier = existsSync(json) ? JSON.parse(readFileSync(json, 'utf8')) : { parts: {} }
  // Where all is run, nothing of an earlier run stays.
  const whole = parts.length === Object.keys(RUN).length
  const results = { ...from, parts: whole ? {} : { ...earlier.parts } }
  let ok = true
  for (const name of parts) {
    if (!ok || signal.aborted) break
    say(`${name} ...`)
    const part = await RUN[name]({ ...options, started, signal })
    results.parts[name] = { ...from, interrupted: signal.aborted, ...part }
    for (const failure of part.failures) tell(name, failure)
    ok = part.failures.length === 0
  }
  results.seconds = (performance.now() - started) / 1000
  if (keeps) keep(json, results)
  if (ok && !signal.aborted) say(`nothing was found in ${duration(results.seconds)}, from seed ${String(firstSeed)}`)
  return ok ? (signal.aborted ? 130 : 0) : 1
}

function keep(json, results) {
  mkdirSync(dirname(json), { recursive: true })
  writeFileSync(json, `${JSON.stringify(results, null, 2)}\n`)
}

function tell(part, { file, name, seed, message, again }) {
  say(`FAILED ${part}: ${file ? `${file}: ` : ''}${name}${seed === undefined ? '' : `, seed ${String(seed)}`}`)
  say(message)
  if (again !== undefined) say(`again: ${again}`)
}

function report(json) {
  if (!existsSync(json)) throw new Error('there are no results yet: run it first')
  writeFileSync(join(ROOT, 'PROOF.md'), document(JSON.parse(readFileSync(json, 'utf8'))))
  say('written: PROOF.md')
}

/** `npm run proof`; gives the exit status. */
async function main(args) {
  let options
  try {
    options = optionsOf(args, [...proofFiles().keys()], LATEST)
    if (!options.help && options.report && !options.runs) report(options.json)
  } catch (error) {
    say(`${error.message}\n${USAGE}`)
    return 2
  }
  if (options.help) process.stdout.write(`${USAGE}\n`)
  if (options.help || !options.runs) return 0
  const status = await prove(options)
  if (options.report) report(options.json)
  return status
}

process.exitCode = await main(process.argv.slice(2))

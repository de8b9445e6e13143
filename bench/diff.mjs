import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DEFAULT_TABLE } from '../dist/core/table.js'
import { path } from './merganser.mjs'
import { absent, atMost, inPairs, limited, measured, noMoreThan } from './pairs.mjs'
import { runProcess } from './processes.mjs'
import { onServers, serverUrl } from './servers.mjs'
import { fillSource } from './servers-copy.mjs'
import { mongoServerName, psql, TOOLS } from './servers-tools.mjs'

const SCANS = 'the slower plain scan, by its driver'
const DIGESTS = 'the slower digest query'
const ROWS = 'equal rows'

const DIFFS = [
  {
    ...{ kinds: ['postgres', 'postgres'], work: `diff of ${ROWS}, PostgreSQL and PostgreSQL`, reference: SCANS },
    // Both can work out digests: that would be another row.
    ...{ bar: atMost(1.3), how: 'scan', args: ['--no-digests'] },
  },
  {
    ...{ kinds: ['postgres', 'mongodb'], work: `diff of ${ROWS}, PostgreSQL and MongoDB`, reference: SCANS },
    ...{ bar: atMost(1.3), how: 'scan', args: [] },
  },
  {
    ...{ kinds: ['postgres', 'hive'], work: `diff of ${ROWS} by digests, PostgreSQL and Hive`, reference: DIGESTS },
    ...{ bar: atMost(1.2), how: 'digest', args: [] },
  },
]
const memoryOf = (work) => `memory of the ${work}`

/**
 * `merganser diff` of two databases that hold the same rows, a process of its own, against what each of them alone costs
 * to read, in a process of its own too.
 */
export async function diff({ directory, compared, pairs }) {
  const results = []
  for (const line of DIFFS) {
    const { kinds, work, reference } = line
    const lines = [
      [work, reference],
      [memoryOf(work), ''],
    ]
    results.push(...(await onServers(kinds, lines, (...urls) => compare(line, { urls, directory, compared, pairs }))))
  }
  return results
}

async function compare({ kinds, work, reference, bar, how, args }, { urls, directory, compared, pairs }) {
  const program = [path('../bin/merganser.js')]
  const replicas = { LEFT: { type: kinds[0], url: urls[0] }, RIGHT: { type: kinds[1], url: urls[1] } }
  const config = join(directory, `${kinds.join('-')}.yaml`)
  // JSON is YAML.
  writeFileSync(config, JSON.stringify({ replicas }))
  const run = (command, ...more) =>
    runProcess(process.execPath, [...program, command, 'LEFT', 'RIGHT', '--config', config, ...more], {
      cwd: directory,
    })
  await fillSource(urls[0], compared)
  if (kinds[1] === 'postgres') await fillSource(urls[1], compared)
  else await run('copy', '--quiet')
  const peaks = []
  const ours = async () => {
    const { seconds, peak, output } = await run('diff', ...args)
    const rows = Number(/([\d,]+) rows? compared, no differences/.exec(output)?.[1].replaceAll(',', ''))
    if (rows !== compared) throw new Error(`diff compared other rows: ${output}`)
    peaks.push(peak)
    return seconds
  }
  const alone = async (side) => {
    const script = [path('diff-scan.mjs'), how, kinds[side], urls[side]]
    const { seconds, output } = await runProcess(process.execPath, script)
    if (Number(output) !== compared) throw new Error(`${how} of ${kinds[side]} met other rows: ${output}`)
    return seconds
  }
  const figures = await inPairs(pairs, ours, async () => Math.max(await alone(0), await alone(1)))
  const note = (await notesOf({ kinds, how, urls })).join(', ')
  return [
    measured({ work, reference, bar, pairs: figures, count: compared, unit: 'rows', ...(note === '' ? {} : { note }) }),
    peaks.includes(undefined)
      ? absent(memoryOf(work), '', 'this system does not tell')
      : limited({ work: memoryOf(work), bar: noMoreThan(200, 'MB'), amounts: peaks }),
  ]
}

/** What stands beside the figures: the same scan by psql, and which server answers to MongoDB's protocol. */
async function notesOf({ kinds, how, urls }) {
  const { program } = TOOLS.psql()
  const notes = []
  if (how === 'scan' && program !== undefined) {
    const { name } = DEFAULT_TABLE
    const copy = `COPY (SELECT * FROM ${name} ORDER BY student_id, course_id) TO STDOUT`
    const { seconds } = await psql(program, urls[0], ['-o', '/dev/null', '-c', copy])
    notes.push(`COPY by psql ${seconds.toFixed(2)} s`)
  }
  if (kinds.includes('mongodb')) notes.push(await mongoServerName(serverUrl('mongodb')))
  return notes
}

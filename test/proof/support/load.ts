import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { SeededRandom } from '../../../src/core/seeded-random.ts'
import { Workspace, type Started } from '../../cli/support.ts'
import { firstSeed, record, runsOf } from '../../support/proof.ts'

/** Three replicas under load, and how one of them is taken away for a while. */
export interface LoadedReplicas {
  readonly replicas: Readonly<Record<string, object>>
  /** Different keys that are written. */
  readonly keys: number
  /** Begins the time in which a database is away; ends it. `name` says which and how. */
  readonly outage: { readonly name: string; begin(state: string): Promise<void>; end(): Promise<void> }
}

export const NAMES = ['HIVE', 'POSTGRESQL', 'MONGODB'] as const
const MEBIBYTE = 1024 * 1024
/** Lines of the script that is repeated; between two merges; between two FULL_SYNCs. */
const LINES = 60_000
const MERGE_EVERY = 2_000
const SYNC_EVERY = 30_000
/** No line of a log is longer: stamp, statement, key and value. */
const LONGEST_RECORD = 200
const SAMPLE_MILLISECONDS = 500
/** Logs beyond it would only fill the disk: then the load goes on with so many bytes of the script a second. */
const MOST_LOG_BYTES = 3 * 1024 * MEBIBYTE
const TRICKLE = 20_000
/** Memory goes up and down by some; what grows with the operations grows by more. */
const MOST_GROWTH = 96
const DRAIN_MILLISECONDS = 60_000

/** Seconds of load: 60 in the tests, up to six hours at night. */
export const loadSeconds = (): number => runsOf({ ci: 60, nightly: 6 * 3600 })

interface Sample {
  readonly seconds: number
  readonly bytes: number
}

/** Runs the load for its time, with the outage in its middle, to its end; holds memory, files and rows to their bounds. */
export async function bearsLoad(name: string, loaded: LoadedReplicas): Promise<void> {
  const workspace = await Workspace.create()
  const seconds = loadSeconds()
  await workspace.write('merganser.yaml', JSON.stringify({ replicas: loaded.replicas, retry: { seconds: 120 } }))
  const script = scriptOf(new SeededRandom(firstSeed()), loaded.keys)
  const state = join(workspace.directory, '.merganser')
  const run = workspace.start(['run', '--report', 'report.json'])
  const samples: Sample[] = []
  let ended = false
  void run.ended.then(() => (ended = true))
  const sampling = sampleMemory(run, samples, () => ended)
  const { lines, end, drained } = await underLoad(run, loaded, script, state).finally(async () => {
    await loaded.outage.end()
    run.child.kill('SIGKILL')
  })
  await sampling
  expect(end, end.err.slice(-2_000)).toMatchObject({ status: 0 })
  const report = JSON.parse(await readFile(workspace.path('report.json'), 'utf8')) as Report
  expect(report.converged).toBe(true)
  for (const [a, b] of [
    [NAMES[0], NAMES[1]],
    [NAMES[1], NAMES[2]],
  ] as const) {
    expect(await workspace.run(['diff', a, b, '--settle', '0']), `${a} and ${b}`).toMatchObject({ status: 0 })
  }
  const memory = memoryOf(samples, seconds)
  const files = await filesOf(state)
  const retries = report.replicas.reduce((sum, one) => sum + one.retries, 0)
  const figures = {
    seconds,
    lines,
    'lines a second': Math.round(lines / seconds),
    ...memory,
    'drained after ms': Math.round(drained),
    'MiB of logs': Math.round(files.logs / MEBIBYTE),
    'records of logs': files.records,
    'bytes of other files': files.others,
    'MiB of embedded databases': Math.round((await bytesOf(join(state, 'databases'))) / MEBIBYTE),
    'repeated calls': retries,
  }
  record({
    name: `${name}: load`,
    ...{ invariants: ['I11', 'I12'], runs: 1, failures: 0, firstSeed: firstSeed() },
    injected: { [loaded.outage.name]: 1 },
    figures,
  })
  expect(drained, 'ms to drain').toBeLessThan(DRAIN_MILLISECONDS)
  expect(memory['MiB grown in the second half'], JSON.stringify(memory)).toBeLessThan(MOST_GROWTH)
  expect(files.logs).toBeLessThan(files.records * LONGEST_RECORD)
  expect(files.others, 'bytes of files that are no logs').toBeLessThan(MEBIBYTE)
}

/** The load for its time, one of the databases away for 20 s in the middle of it, and the end of the run. */
async function underLoad(run: Started, { outage }: LoadedReplicas, script: Buffer, state: string) {
  const seconds = loadSeconds()
  const away = (async () => {
    await sleep((seconds / 2 - 10) * 1_000)
    await outage.begin(state)
    await sleep(20_000)
    await outage.end()
  })()
  const [lines] = await Promise.all([feed(run, script, state, seconds), away])
  const closed = performance.now()
  run.child.stdin.end('FULL_SYNC\n')
  const end = await run.ended
  return { lines, end, drained: performance.now() - closed }
}

interface Report {
  readonly converged: boolean
  readonly replicas: readonly { readonly name: string; readonly retries: number }[]
}

/** Writes, deletions and reads at all three, merges now and then. */
function scriptOf(random: SeededRandom, keys: number): Buffer {
  const lines = Array.from({ length: LINES }, (_, i) => {
    const name = random.pick(NAMES)
    if ((i + 1) % SYNC_EVERY === 0) return 'FULL_SYNC\n'
    if ((i + 1) % MERGE_EVERY === 0) return `${name}.MERGE(${random.pick(NAMES.filter((other) => other !== name))})\n`
    const key = `(S${String(random.below(keys))},C)`
    const draw = random.below(100)
    if (draw < 12) return `${name}.GET(${key})\n`
    if (draw < 20) return `${name}.DELETE(${key})\n`
    return `${name}.SET(${key},${'v'.padEnd(1 + random.below(40), String(random.below(1_000_000)))})\n`
  })
  return Buffer.from(lines.join(''))
}

/** Gives the program as much as it takes; the lines that it got. */
async function feed({ child, ended }: Started, script: Buffer, state: string, seconds: number): Promise<number> {
  const until = performance.now() + seconds * 1_000
  const few = script.subarray(0, script.indexOf('\n', TRICKLE) + 1)
  let lines = 0
  for (let full = false; performance.now() < until && child.exitCode === null;) {
    full ||= (await filesOf(state)).logs > MOST_LOG_BYTES
    if (full) await sleep(1_000)
    const part = full ? few : script
    if (!child.stdin.write(part)) await Promise.race([once(child.stdin, 'drain'), ended])
    lines += full ? few.toString().split('\n').length - 1 : LINES
  }
  return lines
}

async function sampleMemory({ child }: Started, samples: Sample[], ended: () => boolean): Promise<void> {
  const began = performance.now()
  while (!ended()) {
    await sleep(SAMPLE_MILLISECONDS)
    try {
      const status = readFileSync(`/proc/${String(child.pid)}/status`, 'utf8')
      const kibibytes = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? NaN)
      if (kibibytes > 0) samples.push({ seconds: (performance.now() - began) / 1_000, bytes: kibibytes * 1024 })
    } catch {
      return
    }
  }
}

/** What memory was after the first half of the load, and how it went on in the second. */
function memoryOf(samples: readonly Sample[], seconds: number) {
  const late = samples.filter((one) => one.seconds >= seconds / 2 && one.seconds <= seconds)
  const mean = (of: (one: Sample) => number): number => late.reduce((sum, one) => sum + of(one), 0) / late.length
  const [t, b] = [mean((one) => one.seconds), mean(({ bytes }) => bytes)]
  const slope = mean((one) => (one.seconds - t) * (one.bytes - b)) / mean((one) => (one.seconds - t) ** 2)
  return {
    'MiB in the second half': Math.round(b / MEBIBYTE),
    'MiB at the most': Math.round(Math.max(...samples.map(({ bytes }) => bytes)) / MEBIBYTE),
    'MiB grown in the second half': Math.round((slope * seconds) / 2 / MEBIBYTE),
  }
}

/** Bytes of a state directory's logs and of all else in it but databases; records, as the logs' first lines say. */
async function filesOf(state: string): Promise<{ logs: number; others: number; records: number }> {
  let [logs, others, records] = [0, 0, 0]
  for (const name of await readdir(state).catch(() => [])) {
    if (name === 'databases') continue
    // Others' temporary files come and go.
    const { size } = (await stat(join(state, name)).catch(() => undefined)) ?? { size: 0 }
    if (name.startsWith('oplogs.')) logs += size
    else others += size
    if (name === 'positions') records = recordsOf(await readFile(join(state, name), 'utf8').catch(() => ''))
  }
  return { logs, others, records }
}

function recordsOf(positions: string): number {
  return [...positions.matchAll(/"records":(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0)
}

async function bytesOf(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => [])
  const sizes = entries.map(async (entry) =>
    entry.isFile() ? (await stat(join(entry.parentPath, entry.name))).size : 0,
  )
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { SeededRandom } from '../../../src/core/seeded-random.ts'
import type { StampedRow } from '../../../src/core/batch.ts'
import { loadConnector } from '../../../src/connectors/registry.ts'
import { Directories, DOCUMENTS, log, PAIRS, setupOf, Told } from '../../engine/support.ts'
import { newKernel } from '../../kernel/subjects.ts'
import type { ReplicaOptions } from '../../faults/subject.ts'
import type { OwnServer } from '../../support/own-server.ts'
import { firstSeed, record, runsOf } from '../../support/proof.ts'
import { FaultProxy, type IsCommit } from './fault-proxy.ts'
import { drawFaults, Shaker, type FaultTimes } from './faults.ts'
import { foldLog, recordsOf } from './log-fold.ts'
import { Restless } from './restless.ts'
import { Witness } from './witness.ts'

/** A new, empty database on a real server. */
export interface ShakenDatabase {
  /** The replica's options, by way of a port of loopback, with short time limits. */
  options(port: number): ReplicaOptions
  /** All rows of the table `t`, asked for past the proxy; none where it isn't there yet. */
  rows(): Promise<readonly StampedRow[]>
  drop(): Promise<void>
}

/** A real server that may be killed. */
export interface ShakenServer {
  readonly port: number
  database(): Promise<ShakenDatabase>
  /** Kills it and starts it again. */
  restart(): Promise<void>
  /** The last errors that it wrote into its log. */
  errors(): readonly string[]
  close(): Promise<void>
}

export interface NetworkTraits {
  readonly isCommit: IsCommit
  readonly times: FaultTimes
  readonly runs: { readonly ci: number; readonly nightly: number }
  /** Runs at a time. */
  readonly beside: number
  /** Faults of a run; every so many runs one of them is a restart. */
  readonly faults: number
  readonly restartEvery: number
  readonly keys: number
  /** Seconds that a database may stay away, one of them for each run. */
  readonly retrySeconds: readonly number[]
  /** Milliseconds: the longest that a call may take; how long it may take to drain; between two looks at the database. */
  readonly callLimit: number
  readonly drainLimit: number
  readonly look: number
}

/** Lines of a server's log that are told beside a problem. */
const LOGGED = 12

/** What suits a server that answers in milliseconds. */
export const QUICK: Omit<NetworkTraits, 'isCommit'> = {
  times: { pause: [50, 400], slow: [200, 800], hole: [300, 3_500], probes: 8_000, armed: 3_000 },
  runs: { ci: 20, nightly: 500 },
  ...{ beside: 5, faults: 7, restartEvery: 5, keys: 60 },
  retrySeconds: [30, 30, 1],
  ...{ callLimit: 40_000, drainLimit: 20_000, look: 200 },
}

/** A server of the test's own, with a way to make databases on it. */
export function shaken(server: OwnServer, database: ShakenServer['database']): ShakenServer {
  return {
    port: Number(new URL(server.url).port),
    database,
    async restart() {
      await server.kill()
      await server.start()
    },
    errors() {
      const lines = server.log?.().split('\n') ?? []
      return lines.filter((line) => /error|exception|failed/i.test(line)).slice(-LOGGED)
    },
    close: () => server.close(),
  }
}

type Around = <T>(work: () => Promise<T>) => Promise<T>

interface Restarts {
  readonly restart: () => Promise<void>
  /** Does something while the server isn't restarted. */
  readonly undisturbed: Around
}

interface Ended {
  readonly seed: number
  readonly problems: readonly string[]
  readonly injected: ReadonlyMap<string, number>
  readonly figures: {
    acknowledged: number
    looks: number
    sessions: number
    failures: number
    longest: number
    drain: number
  }
  readonly codes: ReadonlyMap<string, number>
}

/**
 * Seeded runs of random statements at a real server behind a proxy with faults; when those stop, the database must hold
 * what the greatest stamps make.
 */
export function provesNetwork(name: string, start: () => Promise<ShakenServer>, traits: NetworkTraits): void {
  describe(`${name} behind a network with faults`, () => {
    const directories = new Directories()
    const runs = runsOf(traits.runs)
    const limit = 1_200_000 + (runs / traits.beside) * 60_000
    let server: ShakenServer | undefined
    let restarting: Promise<void> = Promise.resolve()

    beforeAll(async () => {
      server = await start()
    })
    afterAll(async () => {
      await restarting
      await server?.close()
      await directories.remove()
    })

    /** One restart at a time, and none while a run makes its database: runs beside each other may ask for it at once. */
    let beginning = 0
    const restart = async (): Promise<void> => {
      const before = restarting
      const mine = before.then(async () => {
        await vi.waitFor(
          () => {
            expect(beginning).toBe(0)
          },
          { timeout: 120_000, interval: 20 },
        )
        await server!.restart()
      })
      restarting = mine.catch(() => undefined)
      await mine
    }
    const undisturbed: Around = async (work) => {
      await restarting
      beginning++
      try {
        return await work()
      } finally {
        beginning--
      }
    }

    test(
      `I4 I5 I12: delays, resets, lost replies, black holes and restarts, ${String(runs)} times: nothing acknowledged is lost, no stamp falls, the rows are those of the oracle`,
      { timeout: limit },
      async () => {
        const began = performance.now()
        const ended: Ended[] = []
        const seeds = Array.from({ length: runs }, (_, i) => firstSeed() + i)
        const worker = async (): Promise<void> => {
          for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
            ended.push(await runSeed(seed, server!, { restart, undisturbed }, await directories.make(), traits))
          }
        }
        await Promise.all(Array.from({ length: traits.beside }, worker))
        tell(name, traits, ended, (performance.now() - began) / 1000)
      },
    )
  })
}

async function runSeed(
  seed: number,
  server: ShakenServer,
  { restart, undisturbed }: Restarts,
  directory: string,
  traits: NetworkTraits,
): Promise<Ended> {
  const random = new SeededRandom(seed)
  const database = await undisturbed(() => server.database())
  const proxy = await FaultProxy.start({ host: '127.0.0.1', port: server.port }, traits.isCommit)
  const witness = new Witness(() => database.rows())
  const retrySeconds = traits.retrySeconds[seed % traits.retrySeconds.length]!
  const options = database.options(proxy.port)
  const setup = async () => {
    const { type, ...rest } = options
    const connector = (await loadConnector(type))!
    const shared = { tables: [PAIRS], retrySeconds, makeState: newKernel, replicas: { OTHER: DOCUMENTS } }
    const plain = await setupOf(directory, new Told(), shared)
    return { ...plain, replicas: [{ name: 'REAL', connector, options: connector.options(rest) }, ...plain.replicas] }
  }
  const restless = new Restless({ random, setup, directory, keys: traits.keys, callLimit: traits.callLimit })
  const problems: string[] = []
  let drain = 0
  try {
    witness.watch(traits.look)
    await undisturbed(() => restless.begin())
    const restarts = seed % traits.restartEvery === 0 ? ('restart' as const) : undefined
    const kinds = drawFaults(random, traits.faults, restarts)
    // What is drawn for the faults depends on the moment: it mustn't change what is drawn for the statements.
    const shaker = new Shaker(proxy, new SeededRandom(seed + 1_000_000), traits.times, restart)
    let shaking = true
    const shaken = shaker.shake(kinds, () => restless.steps).finally(() => (shaking = false))
    while (shaking) await restless.step()
    await shaken
    const healed = performance.now()
    const report = await restless.settle(traits.drainLimit)
    drain = performance.now() - healed
    if (drain > traits.drainLimit) problems.push(`it took ${String(drain)} ms to drain`)
    if (!report.converged) problems.push('it has not converged')
    if (report.exitStatus !== 0) problems.push(`the session ended with status ${String(report.exitStatus)}`)
    const rows = await vi.waitFor(() => witness.end(), { timeout: 240_000, interval: 200 })
    problems.push(...(await compared(restless, rows, directory)))
  } catch (error) {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error)
    problems.push([what, ...server.errors()].join('\n    the server said: '))
  } finally {
    await restless.abandon()
    await witness.end().catch(() => undefined)
    await proxy.close()
    await database.drop().catch(() => undefined)
  }
  const { acknowledged, sessions, failures, longest, codes } = restless
  problems.unshift(...restless.problems.slice(0, 3), ...witness.problems.slice(0, 3))
  const figures = { acknowledged, looks: witness.looks, sessions, failures, longest, drain }
  return { seed, problems, injected: proxy.injected, figures, codes }
}

/** The database's rows against the log of its replica, and against what the statements did. */
async function compared(restless: Restless, rows: readonly StampedRow[], directory: string): Promise<string[]> {
  const problems = (await restless.lost()).map((value) => `${value.slice(0, 20)} was acknowledged and is in no log`)
  const folded = foldLog(recordsOf(await log(directory, 'REAL')), ['a', 'b'])
  const found = new Map(rows.map((row) => [row.key[0]!, row]))
  for (const key of new Set([...folded.keys(), ...found.keys()])) {
    const [should, is] = [folded.get(key), found.get(key)].map((row) => JSON.stringify(row) ?? 'none')
    if (should !== is)
      problems.push(`${key} should be ${should!.slice(0, 300)} by the log, and is ${is!.slice(0, 300)}`)
  }
  for (const [key, cells] of restless.rows()) {
    const row = found.get(key)
    const deleted = row === undefined || row.cells.every((cell) => cell === null)
    const shown = deleted ? null : row.cells.map((cell) => cell?.value ?? null)
    const [should, is] = [JSON.stringify(cells ?? null), JSON.stringify(shown)]
    if (should !== is) problems.push(`${key} should show ${should.slice(0, 300)}, and shows ${is.slice(0, 300)}`)
  }
  return problems
}

function tell(name: string, traits: NetworkTraits, ended: readonly Ended[], seconds: number): void {
  const injected: Record<string, number> = {}
  const codes: Record<string, number> = {}
  const add = (to: Record<string, number>, from: ReadonlyMap<string, number>): void => {
    for (const [key, count] of from) to[key] = (to[key] ?? 0) + count
  }
  for (const one of ended) {
    add(injected, one.injected)
    add(codes, one.codes)
  }
  const sum = (of: keyof Ended['figures']) => ended.reduce((total, { figures }) => total + figures[of], 0)
  const most = (of: keyof Ended['figures']) => Math.round(Math.max(...ended.map(({ figures }) => figures[of])))
  const failed = ended.filter(({ problems }) => problems.length > 0)
  record({
    name: `${name}: a proxy with faults`,
    invariants: ['I4', 'I5', 'I12'],
    runs: ended.length,
    failures: failed.length,
    firstSeed: firstSeed(),
    injected,
    figures: {
      'statements acknowledged': sum('acknowledged'),
      'looks at the database': sum('looks'),
      sessions: sum('sessions'),
      'sessions ended by faults': sum('failures'),
      ...Object.fromEntries(Object.entries(codes).map(([code, count]) => [`calls that ended with ${code}`, count])),
      'longest call in ms': most('longest'),
      'longest drain in ms': most('drain'),
      seconds: Math.round(seconds),
    },
  })
  const told = failed.map(({ seed, problems }) => {
    return `seed ${String(seed)} (again: MERGANSER_PROOF_SEED=${String(seed)}):\n  ${problems.slice(0, 5).join('\n  ')}`
  })
  expect(told.join('\n')).toBe('')
  expect(sum('looks'), 'looks at the database').toBeGreaterThan(ended.length)
}

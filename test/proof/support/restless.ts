import { MerganserError } from '../../../src/core/errors.ts'
import type { SeededRandom } from '../../../src/core/seeded-random.ts'
import type { EngineSetup } from '../../../src/engine/setup.ts'
import type { Report } from '../../../src/engine/report.ts'
import { openTyped, type TypedSession } from '../../../src/library/session.ts'
import { Oracle, type Change } from '../../engine/oracle.ts'
import { log } from '../../engine/support.ts'
import { recordsOf } from './log-fold.ts'
import { within } from '../../support/within.ts'

/** The table `t (k) -> (a, b)` of the engine's tests. */
interface Tables extends Record<string, { key: Record<string, string>; values: Record<string, string> }> {
  readonly t: {
    readonly key: { readonly k: 'string' }
    readonly values: { readonly a: 'string'; readonly b: 'string' }
  }
}

/** The replica at the real server and an embedded one. */
export const NAMES = ['REAL', 'OTHER'] as const
const REAL = 0

/** What a call may end with while the network is what it is: it says so, and what was acknowledged stays. */
const AWAY: ReadonlySet<string> = new Set([
  ...['DATABASE_UNREACHABLE', 'CONNECTION_LOST', 'TIME_LIMIT', 'BACK_OFF', 'DATABASE_LOCKED'],
])

export interface RestlessOptions {
  readonly random: SeededRandom
  readonly setup: () => Promise<EngineSetup>
  readonly directory: string
  readonly keys: number
  /** Milliseconds that no call may take. */
  readonly callLimit: number
}

/**
 * A program that writes, reads, merges and flushes at random, opens its session anew where it fails, and knows what the
 * replicas must show.
 */
export class Restless {
  /** The longest call, in milliseconds. */
  longest = 0
  sessions = 0
  steps = 0
  /** Sessions that ended with an error of the database. */
  failures = 0
  readonly problems: string[] = []
  readonly codes = new Map<string, number>()
  readonly #options: RestlessOptions
  /** What surely happened, in order. */
  readonly #changes: Change[] = []
  /** What was done since it was last known to be on disk. */
  #pending: Change[] = []
  #oracle = new Oracle(NAMES.length)
  /** Whether REAL shows what the oracle says: not where a merge was cut off in the middle. */
  #sure = true
  #session: TypedSession<Tables> | undefined
  #values = 0

  constructor(options: RestlessOptions) {
    this.#options = options
  }

  /** Statements that were acknowledged. */
  get acknowledged(): number {
    return this.#changes.length
  }

  /** Opens the first session, and brings the first rows into the database. */
  async begin(): Promise<void> {
    await this.#guarded('writes', (session) => this.#write(session, 30))
    await this.#guarded('sync', (session) => session.sync())
  }

  /** One thing at random; at most the limit of a call long, but for opening anew. */
  async step(): Promise<void> {
    const { random } = this.#options
    const draw = random.below(100)
    if (draw < 45) await this.#guarded('writes', (session) => this.#write(session, 1 + random.below(40)))
    else if (draw < 65) await this.#guarded('get', (session) => this.#get(session))
    else if (draw < 75) await this.#guarded('merge', (session) => this.#take(session, this.#merge()))
    else if (draw < 88) await this.#guarded('sync', (session) => session.sync('REAL'))
    else if (draw < 93) await this.#guarded('fullSync', (session) => this.#take(session, { op: 'fullSync' }))
    else if (draw < 97) await this.#guarded('commit', (session) => this.#take(session, { op: 'commit' }))
    else await this.#reopen()
    this.steps++
  }

  /**
   * Without faults any more: everything drains and converges, in two rounds at the most (I12). Where the server is just
   * started again for somebody else, a round is repeated, within so many milliseconds.
   */
  async settle(milliseconds: number): Promise<Report> {
    const began = performance.now()
    for (let rounds = 0; rounds < 2;) {
      const before = this.failures
      await this.#guarded('fullSync', (session) => this.#take(session, { op: 'fullSync' }))
      await this.#guarded('sync', (session) => session.sync())
      if (this.failures === before) rounds++
      else if (performance.now() - began > milliseconds) {
        throw new Error(`it does not drain, although nothing is wrong any more: ${[...this.codes.keys()].join(', ')}`)
      }
    }
    const session = this.#session!
    this.#session = undefined
    return await this.#timed('close', () => session.close())
  }

  /** What a replica's rows must show at the end. */
  rows(): ReturnType<Oracle['rows']> {
    return this.#oracle.rows(REAL)
  }

  /** Acknowledged values that the log of their replica lacks. */
  async lost(): Promise<string[]> {
    const missing: string[] = []
    for (const [replica, name] of NAMES.entries()) {
      const logged = new Set((await this.#records(name)).flatMap(({ cells }) => Object.values(cells)))
      for (const change of this.#changes) {
        if (change.op !== 'set' || change.replica !== replica) continue
        for (const value of Object.values(change.cells)) if (value !== null && !logged.has(value)) missing.push(value)
      }
    }
    return missing
  }

  /** Ends whatever is open, in the middle of it. */
  async abandon(): Promise<void> {
    await this.#session?.close().catch(() => undefined)
    this.#session = undefined
  }

  #do(change: Change): void {
    this.#pending.push(change)
    this.#oracle.execute(change)
  }

  #acknowledge(): void {
    this.#changes.push(...this.#pending)
    this.#pending = []
  }

  async #write(session: TypedSession<Tables>, count: number): Promise<void> {
    const { random, keys } = this.#options
    for (let i = 0; i < count; i++) {
      const replica = random.below(10) < 6 ? REAL : 1
      const key = `k${String(random.below(keys))}`
      const name = NAMES[replica]
      if (random.below(7) === 0) {
        this.#do({ op: 'delete', replica, key })
        await session.delete(name, 't', { k: key })
        continue
      }
      const columns = random.pick([['a'], ['b'], ['a', 'b']])
      const cells = Object.fromEntries(columns.map((column) => [column, this.#value()]))
      this.#do({ op: 'set', replica, key, cells })
      await session.set(name, 't', { k: key }, cells)
    }
    await session.durable()
    this.#acknowledge()
  }

  /** No other write has it; now and then a long one, so that messages come in parts. */
  #value(): string {
    const { random } = this.#options
    const text = `v${String(++this.#values)}`
    return random.below(20) === 0 ? text.padEnd(2_000 + random.below(20_000), 'x') : text
  }

  async #get(session: TypedSession<Tables>): Promise<void> {
    const { random, keys } = this.#options
    const key = `k${String(random.below(keys))}`
    const expected = this.#oracle.get(REAL, key)
    const found = await session.get('REAL', 't', { k: key })
    const shown = found === undefined ? undefined : [found['a'], found['b']]
    if (this.#sure && JSON.stringify(shown) !== JSON.stringify(expected)) {
      this.problems.push(`GET of ${key}: ${brief(shown)} instead of ${brief(expected)}`)
    }
    this.#acknowledge()
  }

  #merge(): Change {
    const replica = this.#options.random.below(2)
    return { op: 'merge', replica, other: 1 - replica }
  }

  async #take(session: TypedSession<Tables>, change: Change): Promise<void> {
    if (change.op === 'merge') await session.merge(NAMES[change.replica]!, NAMES[change.other]!)
    else if (change.op === 'fullSync') await session.fullSync()
    else await session.commit()
    this.#do(change)
    this.#acknowledge()
    if (change.op === 'fullSync') this.#sure = true
  }

  /** Does something with the session; where the database's absence ends it, opens another one. */
  async #guarded(what: string, work: (session: TypedSession<Tables>) => Promise<void>): Promise<void> {
    try {
      this.#session ??= await this.#timed('open', () => this.#open())
      await this.#timed(what, () => work(this.#session!))
    } catch (error) {
      await this.#failed(what, error)
    }
  }

  async #open(): Promise<TypedSession<Tables>> {
    this.sessions++
    return await openTyped<Tables>(await this.#options.setup())
  }

  async #reopen(): Promise<void> {
    const session = this.#session
    this.#session = undefined
    try {
      await this.#timed('close', async () => session?.close())
      this.#session = await this.#timed('open', () => this.#open())
      this.#oracle.open()
    } catch (error) {
      await this.#failed('reopen', error)
    }
  }

  /** What wasn't acknowledged happened where the log has it. */
  async #failed(what: string, error: unknown): Promise<void> {
    // Nothing else may happen, and nothing that comes after it would tell more.
    if (!(error instanceof MerganserError) || !AWAY.has(error.code)) throw new Error(`${what}: ${told(error)}`)
    this.codes.set(error.code, (this.codes.get(error.code) ?? 0) + 1)
    this.failures++
    await this.#timed('close', () => this.abandon())
    await this.#keepLogged()
    this.#oracle = new Oracle(NAMES.length)
    for (const change of this.#changes) this.#oracle.execute(change)
    this.#oracle.open()
    if (what !== 'writes') this.#sure = false
  }

  async #keepLogged(): Promise<void> {
    const records = await Promise.all(NAMES.map((name) => this.#records(name)))
    for (const change of this.#pending) {
      if (change.op !== 'set' && change.op !== 'delete') continue
      const own = records[change.replica]!
      const there =
        change.op === 'set'
          ? own.some(({ cells }) => Object.values(change.cells).some((value) => Object.values(cells).includes(value)))
          : own.filter((one) => isDelete(one, change.replica, change.key)).length > this.#deletes(change)
      if (there) this.#changes.push(change)
    }
    this.#pending = []
  }

  /** Deletions of a key at a replica that surely happened. */
  #deletes({ replica, key }: { replica: number; key: string }): number {
    return this.#changes.filter((one) => one.op === 'delete' && one.replica === replica && one.key === key).length
  }

  async #records(name: string) {
    return recordsOf(await log(this.#options.directory, name))
  }

  async #timed<T>(what: string, work: () => Promise<T>): Promise<T> {
    const began = performance.now()
    try {
      return await within(this.#options.callLimit, what, work)
    } finally {
      this.longest = Math.max(this.longest, performance.now() - began)
    }
  }
}

function isDelete(
  { op, key, stamp }: { op: string; key: string; stamp: string },
  replica: number,
  of: string,
): boolean {
  return op === 'DELETE' && key === of && stamp.endsWith(`@${NAMES[replica]!}`)
}

function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return `${error.stack ?? error.message}${error.cause === undefined ? '' : `, since ${told(error.cause)}`}`
}

const brief = (row: unknown): string => (JSON.stringify(row) ?? 'none').slice(0, 200)

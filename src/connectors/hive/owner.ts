import { randomBytes } from 'node:crypto'
import { NodeClock } from '../../environment/node-clock.ts'
import { NodeTimers } from '../../environment/node-timers.ts'
import type { OpenContext, Owner, StoreMeta } from '../connector.ts'
import { LeaseKeeper, leaseTimes, momentOf, takeLease, type Holder, type LeaseWorld } from '../lease.ts'
import { hiveFault } from './client/faults.ts'
import { literal } from './literals.ts'
import type { Session } from './session.ts'

/*
 * What a database knows of its log, and who has it open, stands in properties of tables: the metastore changes them in
 * one transaction within milliseconds, while a row of a table would cost a job each time.
 *
 * The lock is the table `merganser_owner_<number>`: that a name can be taken once only decides between two who want it.
 * Its property `merganser.lease` is written anew every few seconds. Who takes over takes the next number, looks once more
 * whether the old holder moved meanwhile, and drops its table. A holder that renews looks for greater numbers after it:
 * of the two, one at least sees the other.
 *
 * `merganser_meta` has a property `merganser.log.<number>` for each owner; the greatest number counts. So an owner that
 * comes back after its lock was taken over changes nothing that anybody reads.
 */

const META = 'merganser_meta'
const LOCK = 'merganser_owner_'
const LOG = 'merganser.log'
const LEASE = 'merganser.lease'
const WAIT_STEP = 500

interface Log extends StoreMeta {
  readonly owner: string
}

/** The log that counts, and the number of the owner that wrote it. */
interface NumberedLog {
  readonly log: Log
  readonly number: number
}

interface Lease {
  readonly token: string
  readonly owner: string
  readonly session: string | null
  readonly renewed: number
  readonly milliseconds?: number
}

/** What stands in `merganser_meta`; undefined where there is none. */
export async function readMeta(session: Session): Promise<StoreMeta | undefined> {
  const found = await readLog(session)
  return found && metaOf(found.log)
}

function metaOf({ logId, inUse, highWater, position }: Log): StoreMeta {
  return { logId, inUse, highWater, position }
}

async function readLog(session: Session): Promise<NumberedLog | undefined> {
  return lastLog(await properties(session, META))
}

function lastLog(found: readonly (readonly [string, string])[]): NumberedLog | undefined {
  let last: NumberedLog | undefined
  for (const [name, value] of found) {
    const number = numberOfLog(name)
    if (number === undefined || (last !== undefined && last.number > number)) continue
    last = { log: JSON.parse(value) as Log, number }
  }
  return last
}

/** The number of the owner that a property of `merganser_meta` belongs to; undefined for others. */
function numberOfLog(name: string): number | undefined {
  const found = /^merganser\.log(?:\.(\d+))?$/.exec(name)
  return found === null ? undefined : Number(found[1] ?? 0)
}

/** Values hold only ASCII: metastores differ in what else they keep. */
function ascii(value: unknown): string {
  return JSON.stringify(value).replace(/[^ -~]/g, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

/** Our properties of a table, names with texts; none where it isn't there. */
async function properties(session: Session, table: string): Promise<[string, string][]> {
  try {
    const rows = await session.rows(`SHOW TBLPROPERTIES ${table}`)
    return rows.flatMap(([name, value]): [string, string][] =>
      typeof name === 'string' && name.startsWith('merganser.') && typeof value === 'string' ? [[name, value]] : [],
    )
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

async function leaseAt(session: Session, table: string): Promise<Lease | undefined> {
  const found = (await properties(session, table)).find(([name]) => name === LEASE)
  return found && (JSON.parse(found[1]) as Lease)
}

export function isMissing(error: unknown): boolean {
  const fault = hiveFault(error)
  return fault !== undefined && (fault.sqlState === '42S02' || fault.code === 10001)
}

/** Tables whose names begin so. `SHOW TABLES LIKE` means one kind of pattern to Hive 3 and another to Hive 4. */
export async function tablesLike(session: Session, prefix: string): Promise<string[]> {
  const names = (await session.rows('SHOW TABLES')).map(([name]) => String(name))
  return names.filter((name) => name.startsWith(prefix))
}

const lockTable = (number: number): string => `${LOCK}${String(number)}`

async function lockNumbers(session: Session): Promise<number[]> {
  return (await tablesLike(session, LOCK)).map((name) => Number(name.slice(LOCK.length))).sort((a, b) => a - b)
}

/** The owner's lock, as long as it is renewed. */
export class Ownership {
  readonly #session: Session
  readonly #keeper: LeaseKeeper
  readonly #number: number
  #log: Log

  constructor(session: Session, keeper: LeaseKeeper, number: number, log: Log) {
    this.#session = session
    this.#keeper = keeper
    this.#number = number
    this.#log = log
  }

  /** Throws DATABASE_LOCKED where someone else took over; asks where that could be. */
  async check(): Promise<void> {
    await this.#keeper.check()
  }

  async writeMeta(meta: Omit<StoreMeta, 'logId'>): Promise<void> {
    const { logId, owner } = this.#log
    this.#log = { ...meta, logId, owner }
    await this.#session.take((session) => writeLog(session, this.#number, this.#log))
    // Nobody reads what was written without the lock.
    await this.#keeper.check()
  }

  /** Renews the lease no more. */
  async stop(): Promise<void> {
    await this.#keeper.stop()
  }

  /** Gives the lock back. */
  async release(): Promise<void> {
    await this.#keeper.stop()
    if (!this.#keeper.isLost) await this.#session.take((session) => dropLock(session, this.#number))
  }
}

async function dropLock(session: Session, number: number): Promise<void> {
  await session.execute(`DROP TABLE IF EXISTS ${lockTable(number)} PURGE`)
}

async function writeLog(session: Session, number: number, log: Log): Promise<void> {
  const value = literal(ascii(log))
  await session.execute(`ALTER TABLE ${META} SET TBLPROPERTIES ('${LOG}.${String(number)}' = ${value})`)
}

const tableOf = (name: string, property: string, value: unknown): string =>
  `CREATE TABLE ${name} (note string) STORED AS ORC TBLPROPERTIES ('transactional' = 'true', ` +
  `'${property}' = ${literal(ascii(value))})`

/** The locks that stand, with their leases. */
interface Standing {
  readonly numbers: readonly number[]
  readonly leases: readonly Lease[]
}

/** @param without the number of a lock that isn't looked at */
async function standing(session: Session, without?: number): Promise<Standing> {
  const numbers = (await lockNumbers(session)).filter((number) => number !== without)
  const leases: Lease[] = []
  for (const number of numbers) {
    const lease = await leaseAt(session, lockTable(number))
    if (lease !== undefined) leases.push(lease)
  }
  return { numbers, leases }
}

/** All that stand count as one: whichever moves, someone lives. */
function holderOf({ leases }: Standing): Holder | undefined {
  const last = leases.at(-1)
  if (last === undefined) return undefined
  return {
    name: last.owner,
    session: leases.every(({ session }) => session === last.session) ? last.session : null,
    pulse: leases.map(({ token, renewed }) => `${token} ${String(renewed)}`).join(),
    lease: Math.max(...leases.map(({ milliseconds }) => milliseconds ?? 0)),
  }
}

/**
 * Takes the owner's lock (I9), after the time of its lease where the holder is dead, and marks the database as in use.
 * Gives what stood in `merganser_meta` before. Throws DATABASE_LOCKED where the holder lives.
 */
export async function takeOwnership(
  session: Session,
  owner: Owner,
  context: OpenContext,
  leaseMilliseconds: number,
): Promise<{ ownership: Ownership; meta: StoreMeta | undefined }> {
  const world: LeaseWorld = { clock: new NodeClock(), timers: new NodeTimers() }
  const times = leaseTimes(leaseMilliseconds, WAIT_STEP)
  return await takeLease({
    ...{ world, times, owner, context },
    async look() {
      const place = await standing(session)
      return { holder: holderOf(place), place }
    },
    async take(found) {
      const lease: Lease = {
        token: randomBytes(12).toString('hex'),
        owner: owner.name,
        session: owner.session ?? null,
        renewed: 0,
        milliseconds: leaseMilliseconds,
      }
      const taken = momentOf(world)
      const number = await lockOver(session, found, lease, owner)
      if (number === undefined) return undefined
      const keeper = new LeaseKeeper(world, times, context.replica, taken, () => renewed(session, number, lease.token))
      try {
        const { log, meta } = await takeLog(session, owner, number)
        return { ownership: new Ownership(session, keeper, number, log), meta }
      } catch (error) {
        await keeper.stop()
        throw error
      }
    },
  })
}

/** Creates the lock of the next number and drops the old ones; undefined where one of them moved, or a new one came. */
async function lockOver(session: Session, found: Standing, lease: Lease, owner: Owner): Promise<number | undefined> {
  const before = await readLog(session)
  const number = Math.max(before?.number ?? 0, ...found.numbers) + 1
  if (!(await session.create(tableOf(lockTable(number), LEASE, lease)))) return undefined
  const others = await standing(session, number)
  const ours = owner.session !== undefined && others.leases.every((one) => one.session === owner.session)
  const still = holderOf(others)?.pulse === holderOf(found)?.pulse
  if (others.numbers.some((one) => one > number) || !(still || ours || others.leases.length === 0)) {
    await dropLock(session, number)
    return undefined
  }
  for (const other of others.numbers) await dropLock(session, other)
  return number
}

/** Writes a sign of life; false where the lock is gone, or a later one stands. */
async function renewed(session: Session, number: number, token: string): Promise<boolean> {
  return await session.take(async (taken) => {
    const table = lockTable(number)
    const found = await leaseAt(taken, table)
    if (found?.token !== token) return false
    const value = literal(ascii({ ...found, renewed: found.renewed + 1 }))
    try {
      await taken.execute(`ALTER TABLE ${table} SET TBLPROPERTIES ('${LEASE}' = ${value})`)
    } catch (error) {
      if (isMissing(error)) return false
      throw error
    }
    return (await lockNumbers(taken)).at(-1) === number
  })
}

/** Puts the new owner's log beside the others', and takes those away. What the last owner wrote at its end stands now. */
async function takeLog(
  session: Session,
  owner: Owner,
  number: number,
): Promise<{ log: Log; meta: StoreMeta | undefined }> {
  const found = await properties(session, META)
  const known = lastLog(found)?.log
  const position = known?.logId === owner.logId ? known.position : 0
  const log = { logId: owner.logId, owner: owner.name, inUse: true, highWater: known?.highWater ?? '', position }
  if (known !== undefined || !(await session.create(tableOf(META, `${LOG}.${String(number)}`, log)))) {
    await writeLog(session, number, log)
  }
  const old = found.map(([name]) => name).filter((name) => (numberOfLog(name) ?? number) < number)
  if (old.length > 0) {
    const list = old.map((name) => `'${name}'`).join(', ')
    await session.execute(`ALTER TABLE ${META} UNSET TBLPROPERTIES IF EXISTS (${list})`)
  }
  return { log, meta: known && metaOf(known) }
}

/** Who holds a lock, for `diagnose`. */
export async function holders(session: Session): Promise<string[]> {
  return (await standing(session)).leases.map(({ owner }) => owner)
}

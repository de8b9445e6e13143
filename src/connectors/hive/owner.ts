import { randomBytes } from 'node:crypto'
import { MerganserError } from '../../core/errors.ts'
import type { OpenContext, Owner, StoreMeta } from '../connector.ts'
import { hiveFault } from './client/faults.ts'
import { literal } from './literals.ts'
import type { Session } from './session.ts'

/*
 * What a database knows of its log, and who has it open, stands in properties of tables: the metastore changes them in
 * one transaction within milliseconds, while a row of a table would cost a job each time.
 *
 * `merganser_meta` has the property `merganser.log`. The lock is the table `merganser_owner_<number>`: that a name can be
 * taken once only decides between two who want it. Its property `merganser.lease` is written anew every few seconds;
 * where it stands still for the time of the lease, its holder is dead, and who takes over takes the next number before
 * it drops the table. Times are measured by who waits: no clocks are compared.
 */

const META = 'merganser_meta'
const LOCK = 'merganser_owner_'
const LOG = 'merganser.log'
const LEASE = 'merganser.lease'
export const RENEW_MILLISECONDS = 4_000
const WAIT_STEP = 500
const TRIES = 20

interface Log extends StoreMeta {
  readonly owner: string
  /** Number of the last lock: the next one is greater, so that nobody takes an old one for its own. */
  readonly lock: number
}

interface Lease {
  readonly token: string
  readonly owner: string
  readonly session: string | null
  readonly renewed: number
}

/** What stands in `merganser_meta`; undefined where there is none. */
export async function readMeta(session: Session): Promise<StoreMeta | undefined> {
  const log = await readLog(session)
  if (log === undefined) return undefined
  const { logId, inUse, highWater, position } = log
  return { logId, inUse, highWater, position }
}

async function readLog(session: Session): Promise<Log | undefined> {
  const found = await property(session, META, LOG)
  return found as Log | undefined
}

/** Values hold only ASCII: metastores differ in what else they keep. */
function ascii(value: unknown): string {
  return JSON.stringify(value).replace(/[^ -~]/g, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

async function property(session: Session, table: string, name: string): Promise<unknown> {
  try {
    for (const row of await session.rows(`SHOW TBLPROPERTIES ${table}('${name}')`)) {
      const text = row.findLast((cell): cell is string => typeof cell === 'string' && cell.startsWith('{'))
      if (text !== undefined) return JSON.parse(text)
    }
    return undefined
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
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

/** The owner's lock, as long as it is renewed. */
export class Ownership {
  readonly #session: Session
  readonly #replica: string
  readonly #table: string
  readonly #lease: Lease
  readonly #number: number
  #log: Log
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  #running: Promise<void> = Promise.resolve()
  /** Why the lock isn't ours any more, or can't be known to be. */
  lost: MerganserError | undefined

  constructor(session: Session, replica: string, table: string, lease: Lease, number: number, log: Log) {
    this.#session = session
    this.#replica = replica
    this.#table = table
    this.#lease = lease
    this.#number = number
    this.#log = log
    this.#schedule()
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.#running = this.#renew()
    }, RENEW_MILLISECONDS)
    this.#timer.unref()
  }

  async #renew(): Promise<void> {
    try {
      await this.#session.take(async (session) => {
        const found = (await property(session, this.#table, LEASE)) as Lease | undefined
        if (found?.token !== this.#lease.token) {
          this.lost = new MerganserError(
            'DATABASE_LOCKED',
            `another process took over the database of ${this.#replica}`,
            {
              place: { replica: this.#replica },
              advice: 'this one was taken for dead: its lease was not renewed in time',
            },
          )
          return
        }
        await writeLease(session, this.#table, { ...found, renewed: found.renewed + 1 })
      })
      if (this.lost === undefined && !this.#stopped) this.#schedule()
    } catch (error) {
      this.lost = error instanceof MerganserError ? error : new MerganserError('BUG', String(error), { cause: error })
    }
  }

  async writeMeta(meta: Omit<StoreMeta, 'logId'>): Promise<void> {
    const { logId, owner } = this.#log
    this.#log = { ...meta, logId, owner, lock: this.#number }
    await this.#session.take((session) => writeLog(session, this.#log))
  }

  /** Renews the lease no more. */
  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  /** Gives the lock back. */
  async release(): Promise<void> {
    this.stop()
    await this.#running
    if (this.lost === undefined) await this.#session.take((session) => dropLock(session, this.#table))
  }
}

async function dropLock(session: Session, table: string): Promise<void> {
  await session.execute(`DROP TABLE IF EXISTS ${table} PURGE`)
}

async function writeLease(session: Session, table: string, lease: Lease): Promise<void> {
  await session.execute(`ALTER TABLE ${table} SET TBLPROPERTIES ('${LEASE}' = ${literal(ascii(lease))})`)
}

async function writeLog(session: Session, log: Log): Promise<void> {
  await session.execute(`ALTER TABLE ${META} SET TBLPROPERTIES ('${LOG}' = ${literal(ascii(log))})`)
}

const tableOf = (name: string, property: string, value: unknown): string =>
  `CREATE TABLE ${name} (note string) STORED AS ORC TBLPROPERTIES ('transactional' = 'true', ` +
  `'${property}' = ${literal(ascii(value))})`

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
  const lease: Lease = {
    token: randomBytes(12).toString('hex'),
    owner: owner.name,
    session: owner.session ?? null,
    renewed: 0,
  }
  for (let tries = 0; tries < TRIES; tries++) {
    const before = await readLog(session)
    const held = (await tablesLike(session, LOCK)).map((name) => Number(name.slice(LOCK.length)))
    for (const number of held)
      await waitForHolder(session, `${LOCK}${String(number)}`, owner, context, leaseMilliseconds)
    const number = Math.max(before?.lock ?? 0, 0, ...held) + 1
    const table = `${LOCK}${String(number)}`
    if (!(await created(session, table, lease))) continue
    for (const other of held) await dropLock(session, `${LOCK}${String(other)}`)
    // What the last owner wrote at its end stands there now at the latest.
    const known = await readLog(session)
    const position = known?.logId === owner.logId ? known.position : 0
    const log = { logId: owner.logId, owner: owner.name, inUse: true, highWater: known?.highWater ?? '', position }
    const next: Log = { ...log, lock: number }
    if (known === undefined) await createMeta(session, next)
    else await writeLog(session, next)
    const ownership = new Ownership(session, context.replica, table, lease, number, next)
    const meta = known && {
      logId: known.logId,
      inUse: known.inUse,
      highWater: known.highWater,
      position: known.position,
    }
    return { ownership, meta }
  }
  throw locked(context.replica, 'other processes that open it')
}

async function createMeta(session: Session, log: Log): Promise<void> {
  if ((await tablesLike(session, META)).length > 0) await writeLog(session, log)
  else await session.execute(tableOf(META, LOG, log))
}

async function created(session: Session, table: string, lease: Lease): Promise<boolean> {
  try {
    await session.execute(tableOf(table, LEASE, lease))
    return true
  } catch (error) {
    if (/already ?exists/i.test(hiveFault(error)?.text ?? '')) return false
    throw error
  }
}

/** Resolves when the holder of a lock is gone, dead or of our own session; throws DATABASE_LOCKED where it lives. */
async function waitForHolder(
  session: Session,
  table: string,
  owner: Owner,
  context: OpenContext,
  leaseMilliseconds: number,
): Promise<void> {
  const first = (await property(session, table, LEASE)) as Lease | undefined
  if (first === undefined) return
  if (owner.session !== undefined && first.session === owner.session) return
  context.progress?.(`waiting for the lock of ${first.owner}, or for its lease to end`)
  const until = performance.now() + leaseMilliseconds
  while (performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, WAIT_STEP))
    context.signal?.throwIfAborted()
    const found = (await property(session, table, LEASE)) as Lease | undefined
    if (found === undefined) return
    if (found.token !== first.token || found.renewed !== first.renewed) throw locked(context.replica, found.owner)
  }
}

function locked(replica: string, holder: string): MerganserError {
  return new MerganserError('DATABASE_LOCKED', `the database of ${replica} is in use by ${holder}`, {
    place: { replica },
    advice: 'wait for it to end, or stop it',
  })
}

/** Who holds a lock, for `diagnose`. */
export async function holders(session: Session): Promise<string[]> {
  const found: string[] = []
  for (const table of await tablesLike(session, LOCK)) {
    const lease = (await property(session, table, LEASE)) as Lease | undefined
    if (lease !== undefined) found.push(lease.owner)
  }
  return found
}

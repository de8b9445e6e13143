import { MerganserError } from '../../core/errors.ts'
import { sqlState } from './faults.ts'
import type { Owner, StoreMeta } from '../connector.ts'
import type { Session } from './session.ts'

/** The advisory lock of a database's owner: "merg" in ASCII, then 1. */
const LOCK = '1835363943, 1'

const CREATE = `CREATE TABLE IF NOT EXISTS public.merganser_meta (
  one boolean PRIMARY KEY DEFAULT true CHECK (one), log_id text NOT NULL, owner text NOT NULL, in_use boolean NOT NULL,
  high_water text NOT NULL, position bigint NOT NULL)`
const READ = 'SELECT log_id, in_use::text, high_water, position::text FROM public.merganser_meta'
const TAKE = `INSERT INTO public.merganser_meta AS m (log_id, owner, in_use, high_water, position) VALUES ($1, $2, true, '', 0)
  ON CONFLICT (one) DO UPDATE SET log_id = excluded.log_id, owner = excluded.owner, in_use = true,
    position = CASE WHEN m.log_id = excluded.log_id THEN m.position ELSE 0 END`
const WRITE = 'UPDATE public.merganser_meta SET in_use = $1, high_water = $2, position = $3'

export interface WaitOptions {
  readonly replica: string
  readonly signal?: AbortSignal | undefined
  readonly progress?: ((message: string) => void) | undefined
  /** How long a lock that is held may keep us waiting: its holder may be ending. */
  readonly lockMilliseconds: number
  readonly sleep: (milliseconds: number) => Promise<void>
}

/** The row of `merganser_meta`; undefined where there is none. */
export async function readMeta(session: Session): Promise<StoreMeta | undefined> {
  try {
    const row = (await session.query(READ)).rows[0]
    if (row === undefined) return undefined
    return { logId: row[0]!, inUse: row[1] === 'true', highWater: row[2]!, position: Number(row[3]) }
  } catch (error) {
    if (sqlState(error) === '42P01') return undefined
    throw error
  }
}

/**
 * Takes the owner's lock (I9), which lives as long as the session's connection, so that a dead holder's is free at once.
 * Gives what stood in `merganser_meta` before it marks the database as in use. Throws DATABASE_LOCKED.
 */
export async function takeOwnership(session: Session, owner: Owner, wait: WaitOptions): Promise<StoreMeta | undefined> {
  const step = 50
  for (let waited = 0; !(await tryLock(session)); waited += step) {
    wait.signal?.throwIfAborted()
    const holder = await holderOf(session)
    if (waited >= wait.lockMilliseconds) {
      throw new MerganserError('DATABASE_LOCKED', `the database of ${wait.replica} is in use by ${holder}`, {
        place: { replica: wait.replica },
        advice: 'wait for it to end, or stop it',
      })
    }
    if (waited === 0) wait.progress?.(`waiting for the lock of ${holder}`)
    await wait.sleep(step)
  }
  await session.query(CREATE)
  const meta = await readMeta(session)
  await session.query(TAKE, [owner.logId, owner.name])
  return meta
}

async function tryLock(session: Session): Promise<boolean> {
  return (await session.query(`SELECT pg_try_advisory_lock(${LOCK})::text`)).rows[0]?.[0] === 'true'
}

async function holderOf(session: Session): Promise<string> {
  try {
    const row = (await session.query('SELECT owner FROM public.merganser_meta')).rows[0]
    if (row !== undefined) return row[0]!
  } catch (error) {
    if (sqlState(error) !== '42P01') throw error
  }
  return 'another process'
}

export async function saveMeta(session: Session, meta: Omit<StoreMeta, 'logId'>): Promise<void> {
  await session.query(WRITE, [meta.inUse, meta.highWater, meta.position])
}

import { createHash } from 'node:crypto'
import { MerganserError } from '../../core/errors.ts'
import { sqlState } from './faults.ts'
import { quoted } from './layout.ts'
import type { Owner, StoreMeta } from '../connector.ts'
import type { Session } from './session.ts'

/** The advisory lock of the owner of a schema's tables: a number of our own, then one for the schema. */
export function lockOf(schema: string): readonly [number, number] {
  if (schema === 'public') return [1835363943, 1]
  return [1835363943, createHash('md5').update(schema).digest().readInt32BE(0) | 2]
}

/** The advisory lock that all connections share on which one session writes: 64 bits of its name. */
const sessionLockOf = (name: string): bigint =>
  createHash('sha256').update(`merganser session ${name}`).digest().readBigInt64BE(0)

/** Ends the connections that share a session's lock, whose halves are given as PostgreSQL shows them. */
const endShared = `SELECT pg_terminate_backend(pid) FROM pg_catalog.pg_locks
  WHERE locktype = 'advisory' AND objsubid = 1 AND classid = $1::bigint::oid AND objid = $2::bigint::oid
    AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())`

const schemaOf = (session: Session): string => session.config.schema ?? 'public'
const metaOf = (session: Session): string => `${quoted(schemaOf(session))}.merganser_meta`

/** `session` is what tells one opening of the database from the next: see `fence`. */
const create = (meta: string) => `CREATE TABLE IF NOT EXISTS ${meta} (
  one boolean PRIMARY KEY DEFAULT true CHECK (one), log_id text NOT NULL, owner text NOT NULL, in_use boolean NOT NULL,
  high_water text NOT NULL, position bigint NOT NULL, session text NOT NULL DEFAULT '')`
const addSession = (meta: string) => `ALTER TABLE ${meta} ADD COLUMN IF NOT EXISTS session text NOT NULL DEFAULT ''`
const read = (meta: string) => `SELECT log_id, in_use::text, high_water, position::text FROM ${meta}`
const take = (meta: string) => `INSERT INTO ${meta} AS m (log_id, owner, in_use, high_water, position, session)
  VALUES ($1, $2, true, '', 0, $3)
  ON CONFLICT (one) DO UPDATE SET log_id = excluded.log_id, owner = excluded.owner, in_use = true,
    position = CASE WHEN m.log_id = excluded.log_id THEN m.position ELSE 0 END, session = excluded.session`
const write = (meta: string) => `UPDATE ${meta} SET in_use = $1, high_water = $2, position = $3 WHERE session = $4`

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
    const row = (await session.query(read(metaOf(session)))).rows[0]
    if (row === undefined) return undefined
    return { logId: row[0]!, inUse: row[1] === 'true', highWater: row[2]!, position: Number(row[3]) }
  } catch (error) {
    if (sqlState(error) === '42P01') return undefined
    throw error
  }
}

/**
 * Takes the owner's lock (I9), which lives as long as the session's connection, so that a dead holder's is free at once.
 * Connections that the same session left, and that the server may still take for alive, are ended. Gives what stood in
 * `merganser_meta` before it marks the database as in use. Throws DATABASE_LOCKED.
 * @param token tells this opening of the database from all others
 */
export async function takeOwnership(
  session: Session,
  owner: Owner,
  token: string,
  wait: WaitOptions,
): Promise<StoreMeta | undefined> {
  const step = 50
  if (owner.session !== undefined) {
    await endConnections(session, owner.session)
    await joinSession(session, owner.session)
  }
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
  const there = await hasMeta(session)
  if (!there) await session.query(create(metaOf(session)))
  const meta = await readMeta(session)
  const values = [owner.logId, owner.name, token]
  try {
    await session.query(take(metaOf(session)), values)
  } catch (error) {
    if (sqlState(error) !== '42703') throw error
    await session.query(addSession(metaOf(session)))
    await session.query(take(metaOf(session)), values)
  }
  return meta
}

/** Ends what a session left of its connections: the network may have lost them without telling the server. */
async function endConnections(session: Session, name: string): Promise<void> {
  const lock = sessionLockOf(name)
  await session.query(
    endShared,
    [lock >> 32n, lock].map((half) => String(BigInt.asUintN(32, half))),
  )
}

/** Makes a connection on which a session writes known as one of its own. */
export async function joinSession(session: Session, name: string): Promise<void> {
  await session.query('SELECT pg_advisory_lock_shared($1)', [String(sessionLockOf(name))])
}

/** Asked first: who may not create tables may not say CREATE TABLE IF NOT EXISTS either, be it there or not. */
async function hasMeta(session: Session): Promise<boolean> {
  return (await session.query('SELECT to_regclass($1)', [metaOf(session)])).rows[0]?.[0] != null
}

/**
 * In a transaction: makes sure that the session with this token still owns the database, and that nobody takes it over
 * before the transaction has ended, on whichever connection it is and whatever became of the lock's. Throws
 * CONNECTION_LOST.
 */
export async function fence(session: Session, token: string): Promise<void> {
  const { rows } = await session.query(`SELECT 1 FROM ${metaOf(session)} WHERE session = $1 FOR SHARE`, [token])
  if (rows.length === 0) throw overtaken(session)
}

function overtaken(session: Session): MerganserError {
  const { replica } = session.config
  return new MerganserError(
    'CONNECTION_LOST',
    `the lock on the database of ${replica} was lost, and taken by another`,
    {
      place: { replica },
    },
  )
}

async function tryLock(session: Session): Promise<boolean> {
  return (
    (await session.query(`SELECT pg_try_advisory_lock(${lockOf(schemaOf(session)).join(', ')})::text`)).rows[0]?.[0] ===
    'true'
  )
}

/** The name of who has the lock. */
export async function holderOf(session: Session): Promise<string> {
  try {
    const row = (await session.query(`SELECT owner FROM ${metaOf(session)}`)).rows[0]
    if (row !== undefined) return row[0]!
  } catch (error) {
    if (sqlState(error) !== '42P01') throw error
  }
  return 'another process'
}

export async function saveMeta(session: Session, token: string, meta: Omit<StoreMeta, 'logId'>): Promise<void> {
  const { rowCount } = await session.query(write(metaOf(session)), [meta.inUse, meta.highWater, meta.position, token])
  if (rowCount !== 1) throw overtaken(session)
}

import type { MerganserError } from '../../core/errors.ts'
import { connectTo, isPooled, nameOf, pooled, unusable, type ConnectOptions, type ServerFacts } from './connect.ts'
import { faultOf } from './faults.ts'
import { quoted } from './layout.ts'
import { holderOf, lockOf } from './meta.ts'
import { isLocal } from './tls.ts'
import type { Session } from './session.ts'
import type { Finding } from '../connector.ts'
import type { Target } from './url.ts'

/** The newest version that it was tried with. */
const NEWEST_MAJOR = 18
/** A clock that is further off than this is told of. */
const SKEW_MILLISECONDS = 2000

/** Looks at a server for `merganser doctor`; `Connector.diagnose` says what that means. */
export async function* findings(target: Target, options: ConnectOptions): AsyncGenerator<Finding> {
  let session: Session | undefined
  try {
    const connected = await connectTo(target, options)
    session = connected.session
    yield* reach(session, connected.facts)
    if (await isPooled(session, connected.facts, options.signal)) yield problem('pooler', pooled(options.replica))
    const refusal = unusable(connected.facts, options)
    if (refusal !== undefined) {
      yield problem('database', refusal)
      return
    }
    yield* settings(session, connected.facts)
    yield* privileges(session, options.schema)
    yield await clock(session)
    yield await lock(session, options.schema)
  } catch (error) {
    options.signal?.throwIfAborted()
    yield problem(session === undefined ? 'reach' : 'statement', faultOf(error, options.replica))
  } finally {
    await session?.close()
  }
}

function problem(check: string, error: MerganserError): Finding {
  const { message, advice, code } = error
  const fault = code === 'BAD_CONFIG' ? 'configuration' : 'database'
  return { level: 'problem', check, message, fault, ...(advice === undefined ? {} : { advice }) }
}

const ok = (check: string, message: string): Finding => ({ level: 'ok', check, message })
const warning = (check: string, message: string, advice: string): Finding => ({
  level: 'warning',
  check,
  message,
  advice,
})

function* reach(session: Session, { version, versionText, encoding }: ServerFacts): Generator<Finding> {
  const { config } = session
  yield ok('reach', `connected to ${nameOf(config)}`)
  const tls = config.tls !== undefined && config.tls !== false ? config.tls : undefined
  if (tls === undefined) {
    yield isLocal(config)
      ? ok('tls', 'not encrypted, on this machine')
      : warning('tls', 'the connection is not encrypted', 'use sslmode=verify-full')
  } else if (tls.rejectUnauthorized === false && !isLocal(config)) {
    yield warning('tls', "encrypted, but who the server is isn't verified", 'use sslmode=verify-full')
  } else yield ok('tls', 'encrypted')
  yield version >= (NEWEST_MAJOR + 1) * 10_000
    ? warning('version', `PostgreSQL ${versionText}`, `tried with versions up to ${String(NEWEST_MAJOR)}`)
    : ok('version', `PostgreSQL ${versionText}`)
  if (encoding === 'UTF8') yield ok('encoding', encoding)
}

async function* settings(session: Session, facts: ServerFacts): AsyncGenerator<Finding> {
  const { rows } = await session.query(
    `SELECT current_setting('fsync'), current_setting('full_page_writes'),
      (SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'synchronous_commit')`,
  )
  const [fsync, pageWrites, commit] = rows[0]!
  if (facts.standby || facts.readOnly) {
    yield {
      level: 'problem',
      check: 'settings',
      message: facts.standby ? 'the server is a standby' : 'transactions are read-only (default_transaction_read_only)',
      advice: 'choose the primary: target_session_attrs=read-write in the url, or turn the setting off for this user',
    }
  }
  if (fsync === 'off' || pageWrites === 'off') {
    const name = fsync === 'off' ? 'fsync' : 'full_page_writes'
    yield warning('settings', `${name} is off: a crash of its machine may damage the data`, `turn ${name} on`)
  }
  if (commit === 'off' || commit === 'local') {
    yield ok('settings', `synchronous_commit is ${commit}; sessions of Merganser set it on`)
  }
  if (fsync === 'on' && pageWrites === 'on') yield ok('settings', 'what is committed is on disk')
}

async function* privileges(session: Session, schema: string): AsyncGenerator<Finding> {
  const meta = `${quoted(schema)}.merganser_meta`
  const { rows } = await session.query(
    `SELECT has_schema_privilege($1, 'USAGE')::text, has_schema_privilege($1, 'CREATE')::text,
      (to_regclass($2) IS NOT NULL)::text, has_database_privilege(current_database(), 'TEMPORARY')::text`,
    [schema, meta],
  )
  const [usage, create, hasMeta, temporary] = rows[0]!
  const lacks = (message: string, advice: string): Finding => ({
    level: 'problem',
    check: 'privileges',
    message,
    advice,
  })
  let fine = true
  if (usage !== 'true') {
    yield lacks(`the user may not use the schema ${schema}`, `GRANT USAGE, CREATE ON SCHEMA ${schema}`)
    return
  }
  if (create !== 'true') {
    fine = false
    yield hasMeta === 'true'
      ? warning('privileges', `the user can't create tables in the schema ${schema}`, 'new tables need that privilege')
      : lacks(`the user can't create tables in the schema ${schema}`, `GRANT CREATE ON SCHEMA ${schema}`)
  }
  if (temporary !== 'true') {
    fine = false
    yield lacks("the user can't create temporary tables", 'GRANT TEMPORARY ON DATABASE')
  }
  for (const name of hasMeta === 'true' ? await withoutPrivileges(session, schema) : []) {
    fine = false
    yield lacks(`the user may not read and write ${name}`, 'GRANT SELECT, INSERT, UPDATE ON it')
  }
  if (fine) yield ok('privileges', 'what is needed')
}

/** Tables that look like ours, by their tombstone column, and `merganser_meta`. */
async function withoutPrivileges(session: Session, schema: string): Promise<string[]> {
  const { rows } = await session.query(
    `SELECT c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND (c.relname = 'merganser_meta' OR EXISTS (
        SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'deleted_stamp'))
      AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
        AND has_table_privilege(c.oid, 'UPDATE')) ORDER BY 1 LIMIT 10`,
    [schema],
  )
  return rows.map((row) => row[0]!)
}

async function clock(session: Session): Promise<Finding> {
  const before = Date.now()
  const { rows } = await session.query('SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint::text')
  const after = Date.now()
  const there = Number(rows[0]![0])
  const skew = there < before ? there - before : Math.max(0, there - after)
  if (Math.abs(skew) <= SKEW_MILLISECONDS) return ok('clock', 'agrees with ours')
  const seconds = (Math.abs(skew) / 1000).toFixed(1)
  return warning(
    'clock',
    `the server's clock is ${seconds} s ${skew < 0 ? 'behind' : 'ahead of'} ours`,
    'synchronize the clocks of both machines: later writes win by the clock of who writes',
  )
}

async function lock(session: Session, schema: string): Promise<Finding> {
  const [one, two] = lockOf(schema)
  // Halves of a lock are shown as numbers without a sign.
  const { rows } = await session.query(
    `SELECT a.pid::text, coalesce(host(a.client_addr), 'its own machine')
      FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
      WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted AND l.classid::bigint = $1 AND l.objid::bigint = $2
        AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())`,
    [one, two >>> 0],
  )
  const row = rows[0]
  if (row === undefined) return ok('lock', 'nobody has the database open for writing')
  const holder = await holderOf(session)
  return warning(
    'lock',
    `${holder} has the database open for writing (process ${row[0] ?? '?'} of the server, from ${row[1]!})`,
    'wait for it to end, or stop it',
  )
}

import type { TableSchema } from '../../core/table.ts'
import { ok, problem } from '../findings.ts'
import { connectTo, isPooled, nameOf, pooled, unusable, type ConnectOptions, type ServerFacts } from './connect.ts'
import { faultOf } from './faults.ts'
import { tableFindings } from './diagnose-tables.ts'
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
export async function* findings(
  target: Target,
  options: ConnectOptions,
  tables: readonly TableSchema[],
): AsyncGenerator<Finding> {
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
    yield* tableFindings(session, options.schema, tables)
    yield await clock(session)
    yield await lock(session, options.schema)
  } catch (error) {
    options.signal?.throwIfAborted()
    yield problem(session === undefined ? 'reach' : 'statement', faultOf(error, options.replica))
  } finally {
    await session?.close()
  }
}

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

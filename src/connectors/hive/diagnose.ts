import { randomBytes } from 'node:crypto'
import { batchOf } from '../../core/batch.ts'
import { MerganserError } from '../../core/errors.ts'
import { DEFAULT_TABLE } from '../../core/table.ts'
import type { Finding, OpenContext } from '../connector.ts'
import { checkSettings } from './client/settings.ts'
import { holders } from './owner.ts'
import { packedSource } from './read.ts'
import { NEEDED, Session, WHERE_KNOWN } from './session.ts'
import { Staging, type StagingOptions, type StagingWay } from './staging.ts'
import { typedRows, type Source } from './statements.ts'
import type { HiveOptions } from './store.ts'

/** A clock that is further off than this is told of. */
const SKEW_MILLISECONDS = 2000
const OLDEST_VERSION = [3, 1] as const
const SAMPLE = ["it's \\ one\nrow, ${hiveconf:x}", 'é\0\u{1f600}'] as const

/** Looks at a server for `merganser doctor`; `Connector.diagnose` says what that means. */
export async function* findings(options: HiveOptions, context: OpenContext): AsyncGenerator<Finding> {
  let session: Session | undefined
  try {
    const { replica, signal } = context
    session = await Session.open(options.config, { replica, signal })
    yield* reach(options, session)
    yield* settings(session)
    yield* privileges(session)
    yield await clock(session)
    yield* locks(session)
    yield* stagingWays(options.staging, session)
  } catch (error) {
    context.signal?.throwIfAborted()
    yield problem(session === undefined ? 'reach' : 'statement', error)
  } finally {
    await session?.connection.close()
  }
}

const ok = (check: string, message: string): Finding => ({ level: 'ok', check, message })
const warning = (check: string, message: string, advice: string): Finding => {
  return { level: 'warning', check, message, advice }
}

function problem(check: string, error: unknown): Finding {
  if (!(error instanceof MerganserError)) {
    return { level: 'problem', check, message: error instanceof Error ? error.message : String(error) }
  }
  const { message, advice, code } = error
  const fault = code === 'BAD_CONFIG' ? 'configuration' : 'database'
  return { level: 'problem', check, message, fault, ...(advice === undefined ? {} : { advice }) }
}

function* reach({ config }: HiveOptions, { connection }: Session): Generator<Finding> {
  yield ok('reach', `connected to ${config.host}:${String(config.port)}, database ${config.database}`)
  const local = /^(?:localhost|127[.]|::1)/.test(config.host)
  if (config.tls !== false) yield ok('tls', 'encrypted')
  else if (local) yield ok('tls', 'not encrypted, on this machine')
  else yield warning('tls', 'the connection is not encrypted', 'turn TLS on, at the server and in the url')
  const [major = 0, minor = 0] = connection.version.split('.').map(Number)
  const old = major < OLDEST_VERSION[0] || (major === OLDEST_VERSION[0] && minor < OLDEST_VERSION[1])
  yield old
    ? warning('version', `Hive ${connection.version}`, `tried with versions from ${OLDEST_VERSION.join('.')} on`)
    : ok('version', `Hive ${connection.version}`)
}

async function* settings({ connection }: Session): AsyncGenerator<Finding> {
  const others = await checkSettings(connection, { ...NEEDED, ...WHERE_KNOWN })
  const wrong = others.filter(({ name }) => name in NEEDED)
  for (const { name, expected, found } of wrong) {
    yield {
      level: 'problem',
      check: 'settings',
      message: `${name} is ${found ?? 'not known'}, not ${expected}`,
      advice: 'set it in hive-site.xml, or let sessions set it',
    }
  }
  if (wrong.length === 0) yield ok('settings', 'as needed')
  for (const { name, expected, found } of others) {
    if (name in NEEDED || found === undefined) continue
    yield warning(
      'settings',
      `${name} is ${found}: a server that is killed while it writes can leave a table that nobody can read`,
      `set it to ${expected} in hive-site.xml, or let sessions set it`,
    )
  }
}

async function* privileges(session: Session): AsyncGenerator<Finding> {
  const name = `merganser_stage_doctor_${randomBytes(6).toString('hex')}`
  try {
    await session.execute(`CREATE TABLE ${name} (k string) STORED AS ORC TBLPROPERTIES ('transactional' = 'true')`)
    yield ok('privileges', 'the user can create transactional tables')
  } catch (error) {
    yield problem('privileges', error)
    return
  }
  await session.execute(`DROP TABLE IF EXISTS ${name} PURGE`)
}

async function clock(session: Session): Promise<Finding> {
  const before = Date.now()
  const [row] = await session.rows("SELECT date_format(current_timestamp(), 'yyyy-MM-dd HH:mm:ss.SSS')")
  const [zone] = await session.rows('SELECT cast(unix_timestamp() as bigint)')
  const after = Date.now()
  // Whole seconds since the epoch know no time zone; the fraction comes from the first answer.
  const there = Number(zone![0]) * 1000 + Number(String(row![0]).slice(-3))
  const skew = there < before - 1000 ? there - before : Math.max(0, there - after - 1000)
  if (Math.abs(skew) <= SKEW_MILLISECONDS) return ok('clock', 'agrees with ours')
  const seconds = (Math.abs(skew) / 1000).toFixed(1)
  return warning(
    'clock',
    `the server's clock is ${seconds} s ${skew < 0 ? 'behind' : 'ahead of'} ours`,
    'synchronize the clocks of both machines: later writes win by the clock of who writes',
  )
}

async function* locks(session: Session): AsyncGenerator<Finding> {
  const owners = await holders(session)
  if (owners.length === 0) yield ok('lock', 'nobody has the database open for writing')
  for (const owner of owners) {
    yield warning('lock', `${owner} has the database open for writing`, 'wait for it to end, or stop it')
  }
  const rows = await session.rows('SHOW TRANSACTIONS')
  const open = rows.filter((row) => row.some((cell) => cell === 'OPEN'))
  if (open.length > 1) {
    yield warning(
      'transactions',
      `${String(open.length)} transactions are open`,
      'SHOW TRANSACTIONS and SHOW LOCKS tell whose; those of dead clients end with hive.txn.timeout',
    )
  }
}

async function* stagingWays(options: StagingOptions, session: Session): AsyncGenerator<Finding> {
  const ways: StagingWay[] = ['local', ...(options.webhdfs === undefined ? [] : ['webhdfs' as const]), 'literals']
  for (const way of ways) {
    try {
      await tryWay({ ...options, way }, session)
      yield ok('staging', `${way} works${way === options.way ? '; it is used' : ''}`)
    } catch (error) {
      if (way === options.way) yield problem('staging', error)
      else yield ok('staging', `${way} can't be used, and isn't`)
    }
  }
}

/** Brings one row there and reads it back. */
async function tryWay(options: StagingOptions, session: Session): Promise<void> {
  const [value, other] = SAMPLE
  const stamp = '2026-11-22 15:11:21.956711651Z@DOCTOR'
  const batch = batchOf(DEFAULT_TABLE, [{ key: [value, other], cells: [{ value: other, stamp }], deleted: null }])
  const staging = new Staging(options)
  try {
    const columns = [...batch.keys, ...batch.values, ...batch.stamps, batch.deleted]
    const source: Source =
      options.way === 'literals' ? packedSource(columns, [0]) : await staging.load(session, DEFAULT_TABLE, batch, [0])
    const [row] = await session.rows(`SELECT k0, k1, v0, s0 FROM ${typedRows(DEFAULT_TABLE, source, 'rows')} s`)
    if (JSON.stringify(row) !== JSON.stringify([value, other, other, stamp])) {
      throw new MerganserError('DATABASE_REFUSED', `a row that goes by ${options.way} comes back as another`)
    }
  } finally {
    await staging.close(session)
  }
}

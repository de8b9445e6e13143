import { MerganserError } from '../../core/errors.ts'
import { sqlState } from './faults.ts'
import { Session, type SessionConfig } from './session.ts'
import { tlsFault, waysOf, type Tls } from './tls.ts'
import type { Endpoint, Target } from './url.ts'

const OLDEST_VERSION = 120_000

/** What a connection needs beside where the server is. */
export interface ConnectOptions {
  readonly replica: string
  readonly schema: string
  readonly access: 'write' | 'read'
  readonly connectMilliseconds: number
  readonly statementMilliseconds: number
  readonly signal?: AbortSignal | undefined
}

/** What a server says of itself. */
export interface ServerFacts {
  /** As `server_version_num`: 150018. */
  readonly version: number
  readonly versionText: string
  readonly encoding: string
  readonly standby: boolean
  readonly readOnly: boolean
  readonly schemaThere: boolean
  readonly processId: number
}

/** The name of a server for messages. */
export function nameOf({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${String(port)}` : `${host}:${String(port)}`
}

/**
 * Connects to the first of the servers that answers and is of the kind that is asked for, in the ways that sslmode
 * allows. Throws DATABASE_UNREACHABLE, DATABASE_REFUSED, BACK_OFF; CONNECTION_LOST where a server is just starting.
 */
export async function connectTo(
  target: Target,
  options: ConnectOptions,
): Promise<{ session: Session; facts: ServerFacts }> {
  let failure: unknown
  let reserve: { session: Session; facts: ServerFacts } | undefined
  const wanted =
    target.sessionAttributes ?? (target.endpoints.length > 1 && options.access === 'write' ? 'read-write' : 'any')
  for (const endpoint of target.endpoints) {
    try {
      const session = await connectEndpoint(target, endpoint, options)
      const facts = await factsOf(session).catch(async (error: unknown) => {
        await session.close()
        throw error
      })
      if (fits(wanted, facts)) {
        await reserve?.session.close()
        return { session, facts }
      }
      if (wanted === 'prefer-standby' && reserve === undefined) reserve = { session, facts }
      else await session.close()
      failure ??= new MerganserError(
        'DATABASE_UNREACHABLE',
        `no server is ${wanted}, as target_session_attrs asks for`,
        {
          place: { replica: options.replica },
          advice: 'name the server that is in the url, or another target_session_attrs',
        },
      )
    } catch (error) {
      if (error instanceof MerganserError && error.code === 'BAD_CONFIG') throw error
      options.signal?.throwIfAborted()
      failure = error
    }
  }
  if (reserve !== undefined) return reserve
  throw failure
}

function fits(wanted: string, { standby, readOnly }: ServerFacts): boolean {
  switch (wanted) {
    case 'read-write':
      return !standby && !readOnly
    case 'read-only':
      return standby || readOnly
    case 'primary':
      return !standby
    case 'standby':
    case 'prefer-standby':
      return standby
    default:
      return true
  }
}

async function connectEndpoint(target: Target, endpoint: Endpoint, options: ConnectOptions): Promise<Session> {
  const config = (tls: Tls): SessionConfig => ({
    ...endpoint,
    user: target.user,
    database: target.database,
    applicationName: target.applicationName,
    schema: options.schema,
    tls,
    replica: options.replica,
    connectMilliseconds: options.connectMilliseconds,
    statementMilliseconds: options.statementMilliseconds,
    ...(target.password === undefined ? {} : { password: target.password }),
    ...(target.options === undefined ? {} : { options: target.options }),
  })
  const ways = await waysOf(target, endpoint)
  for (const [w, tls] of ways.entries()) {
    try {
      return await Session.connect(config(tls), options.signal)
    } catch (error) {
      if (w + 1 < ways.length && otherWay(error)) continue
      throw explained(error, endpoint, options.replica)
    }
  }
  throw new MerganserError('BUG', 'there is no way to connect')
}

const causeOf = (error: unknown): unknown => (error instanceof MerganserError ? error.cause : error)

/** Whether the other kind of connection may do: there is no TLS, or the server's rules want another kind. */
function otherWay(error: unknown): boolean {
  const cause = causeOf(error)
  return tlsFault(cause) !== undefined || sqlState(cause) === '28000'
}

/** An error that says which server, and what may be wrong. */
function explained(error: unknown, endpoint: Endpoint, replica: string): unknown {
  if (!(error instanceof MerganserError) || error.code !== 'CONNECTION_LOST') return error
  const { cause } = error
  const details = { place: { replica }, cause }
  const server = nameOf(endpoint)
  const tls = tlsFault(cause)
  if (tls !== undefined) {
    return new MerganserError('DATABASE_REFUSED', `no TLS connection to PostgreSQL at ${server}: ${tls}`, {
      ...details,
      advice:
        "name the file of the authority that signed the server's certificate: sslrootcert=FILE in the url; " +
        'without it, sslmode=require encrypts and verifies nothing, and sslmode=disable does not encrypt',
    })
  }
  if (sqlState(cause)?.startsWith('57P') === true) return error
  const { code, message } = (cause ?? {}) as { code?: unknown; message?: unknown }
  if (typeof message === 'string' && /SASL|password must be/i.test(message)) {
    return new MerganserError('DATABASE_REFUSED', `PostgreSQL at ${server} wants a password, or another one`, {
      ...details,
      advice: 'give it in the url, as the option password, in PGPASSWORD or in the password file',
    })
  }
  const why = typeof code === 'string' ? code : message === 'timeout expired' ? 'no answer in time' : 'connection ended'
  return new MerganserError('DATABASE_UNREACHABLE', `PostgreSQL at ${server} can't be reached (${why})`, {
    ...details,
    advice: 'see whether host and port are right, the server runs and a firewall lets connections through',
  })
}

async function factsOf(session: Session): Promise<ServerFacts> {
  const { rows } = await session.query(
    `SELECT current_setting('server_version_num'), current_setting('server_version'),
      current_setting('server_encoding'), pg_is_in_recovery()::text, current_setting('transaction_read_only'),
      EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)::text, pg_backend_pid()::text`,
    [session.config.schema ?? 'public'],
  )
  const [version, versionText, encoding, standby, readOnly, schema, processId] = rows[0]!
  return {
    version: Number(version),
    versionText: versionText!,
    encoding: encoding!,
    standby: standby === 'true',
    readOnly: readOnly === 'on',
    schemaThere: schema === 'true',
    processId: Number(processId),
  }
}

/** Why such a server can't be used; undefined where it can. */
export function unusable(facts: ServerFacts, { replica, schema }: ConnectOptions): MerganserError | undefined {
  const refuse = (message: string, advice: string): MerganserError =>
    new MerganserError('DATABASE_REFUSED', message, { place: { replica }, advice })
  if (facts.version < OLDEST_VERSION) {
    return refuse(`the server is PostgreSQL ${facts.versionText}`, 'use PostgreSQL 12 or newer')
  }
  if (facts.encoding !== 'UTF8') {
    return refuse(
      `the database is encoded in ${facts.encoding}`,
      "use a database that is created with ENCODING 'UTF8': others can't hold every text",
    )
  }
  if (!facts.schemaThere) {
    return refuse(
      `there is no schema ${schema} in the database`,
      'create it (CREATE SCHEMA), or name another one: schema',
    )
  }
  return undefined
}

/**
 * Whether a pooler stands before the server that gives each transaction whatever connection is free (PgBouncer's
 * pool_mode transaction or statement): neither locks nor settings nor temporary tables last there.
 */
export async function isPooled(session: Session, facts: ServerFacts, signal?: AbortSignal): Promise<boolean> {
  // A pooler answers with a number of its own.
  if (session.processId === facts.processId) return false
  const pidOf = async (one: Session): Promise<string> => (await one.query('SELECT pg_backend_pid()::text')).rows[0]![0]!
  const other = await Session.connect(session.config, signal)
  try {
    const before = await pidOf(session)
    await other.query('BEGIN')
    // The server's connection that was just used is the one that is lent next.
    if ((await pidOf(other)) === before) return true
    for (let time = 0; time < 3; time++) if ((await pidOf(session)) !== before) return true
    return false
  } finally {
    other.destroy()
  }
}

export function pooled(replica: string): MerganserError {
  return new MerganserError('DATABASE_REFUSED', 'a pooler lends connections by the transaction', {
    place: { replica },
    advice: "connect to PostgreSQL itself, or set the pooler's pool_mode to session for this database",
  })
}

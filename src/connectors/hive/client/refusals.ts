import { MerganserError, type ErrorCode } from '../../../core/errors.ts'
import { ChannelError, type ChannelFailure } from './channel.ts'
import type { HiveConfig } from './config.ts'
import { errorOf, HiveFault } from './faults.ts'

type Told = readonly [code: ErrorCode, message: string, advice?: (config: HiveConfig) => string]

const OTHER_AUTH = ({ auth }: HiveConfig) =>
  auth === 'nosasl'
    ? "set auth to 'none' or 'ldap' if the server's hive.server2.authentication is NONE or LDAP (it waits for SASL then, " +
      'and does not answer), and look whether it wants TLS or transport http'
    : "set auth to 'nosasl' if the server's hive.server2.authentication is NOSASL (it does not understand SASL), " +
      'and look whether it wants TLS or transport http'
const OTHER_TRANSPORT = ({ transport, tls }: HiveConfig) =>
  `look at the port, at transport (now ${transport}),${transport === 'http' ? ' at httpPath,' : ''} at TLS (now ${tls === false ? 'off' : 'on'}) and at auth`

/** What keeps a session from being opened, with the likely reason. */
const OPENING: Readonly<Record<ChannelFailure, Told>> = {
  unreachable: [
    'DATABASE_UNREACHABLE',
    'HiveServer2 cannot be reached',
    () => 'look at host and port, and whether it runs',
  ],
  silent: ['DATABASE_UNREACHABLE', 'HiveServer2 gives no answer to the opening of a session', OTHER_AUTH],
  closed: [
    'DATABASE_UNREACHABLE',
    'the connection was closed while a session was opened',
    (config) => (config.transport === 'http' ? OTHER_TRANSPORT(config) : OTHER_AUTH(config)),
  ],
  certificate: [
    'DATABASE_REFUSED',
    "the server's TLS certificate is not trusted",
    () => 'name the file of its authority (caFile), or the name that the certificate has (serverName)',
  ],
  'not-tls': [
    'DATABASE_UNREACHABLE',
    "the server doesn't speak TLS there",
    () => 'set tls to false, or use its TLS port',
  ],
  foreign: ['DATABASE_UNREACHABLE', 'what answers there is no HiveServer2 of these settings', OTHER_TRANSPORT],
  credentials: ['DATABASE_REFUSED', 'HiveServer2 refuses the user or the password', () => 'look at user and password'],
  mechanism: [
    'DATABASE_REFUSED',
    'HiveServer2 wants another way of signing in than SASL PLAIN',
    () => 'Kerberos and DIGEST are not supported: let it accept NONE, LDAP or NOSASL',
  ],
  path: ['DATABASE_REFUSED', 'the HTTP server has no such path', () => 'set httpPath as hive.server2.thrift.http.path'],
}

/** What an error met while a session was opened means. */
export function openingError(error: unknown, config: HiveConfig, replica: string | undefined): MerganserError {
  if (error instanceof MerganserError) return error
  if (error instanceof HiveFault) return openingRefusal(error, replica)
  if (!(error instanceof ChannelError)) return bug(error)
  const [code, message, advice] = OPENING[error.failure]
  return new MerganserError(code, message, {
    cause: error,
    ...placeOf(replica),
    ...(advice === undefined ? {} : { advice: advice(config) }),
  })
}

function openingRefusal(fault: HiveFault, replica: string | undefined): MerganserError {
  const known = errorOf(fault, replica)
  if (known.message.startsWith('the database') || known.code === 'BACK_OFF') return known
  return new MerganserError('DATABASE_REFUSED', 'HiveServer2 refuses to open a session', {
    cause: fault,
    ...placeOf(replica),
    advice: 'look at the user, the database and the settings of the session: the server may not let all of them be set',
  })
}

/** What an error met on an open connection means. */
export function runningError(error: unknown, replica: string | undefined): MerganserError {
  if (error instanceof MerganserError) return error
  if (error instanceof HiveFault) return errorOf(error, replica)
  if (!(error instanceof ChannelError)) return bug(error)
  const message =
    error.failure === 'silent'
      ? 'HiveServer2 gave no answer in time; its connection was cut'
      : 'the connection to HiveServer2 was lost'
  return new MerganserError('CONNECTION_LOST', message, { cause: error, ...placeOf(replica) })
}

function placeOf(replica: string | undefined): { place?: { replica: string } } {
  return replica === undefined ? {} : { place: { replica } }
}

function bug(error: unknown): MerganserError {
  const what = error instanceof Error ? error.message : typeof error
  return new MerganserError('BUG', `internal error: ${what}`, { cause: error })
}

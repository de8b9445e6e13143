import { MerganserError, type ErrorCode } from '../../core/errors.ts'
import { causesOf } from './causes.ts'
import { unreachable } from './reach.ts'

/** What the server answers for a row that it can't hold, so that the others may go on without it. */
const REFUSED_ROWS: Readonly<Record<number, string>> = {
  2: 'MongoDB refuses a value or a name in it',
  15: 'its values are nested deeper than MongoDB holds',
  22: 'MongoDB refuses it as damaged',
  121: "it breaks the collection's validation rules",
  10334: 'the document is larger than 16 MB',
  17280: 'its key is too long for an index',
  17419: 'the document would be larger than 16 MB',
  17420: 'the document would be larger than 16 MB',
}

const NOT_PRIMARY = [91, 189, 10058, 10107, 11600, 11602, 13435, 13436]

const KINDS: readonly (readonly [codes: readonly number[], code: ErrorCode, message: string, advice?: string])[] = [
  [NOT_PRIMARY, 'BACK_OFF', 'the server is not the primary at the moment'],
  [[24, 46, 112, 251, 246], 'BACK_OFF', 'MongoDB asks to try again'],
  // Of a state that may pass: a collection being made, a lock that wasn't had. What lasts is told when the time is up.
  [[1], 'BACK_OFF', 'MongoDB ran into an error of its own', 'its log says which'],
  [[14031], 'BACK_OFF', 'the disk of MongoDB is full', 'make room on it'],
  [
    [79, 100],
    'DATABASE_REFUSED',
    'MongoDB has no majority of servers to acknowledge writes',
    'look at rs.status() there',
  ],
  [[64], 'TIME_LIMIT', 'a majority of servers did not acknowledge a write in time', 'look at rs.status() there'],
  [[50, 202, 262], 'TIME_LIMIT', 'a command took longer than its time limit'],
  [[6, 7, 43, 89, 9001, 237, 390], 'CONNECTION_LOST', 'the connection to MongoDB was lost'],
  [
    [18, 8000, 11],
    'DATABASE_REFUSED',
    'MongoDB refuses the user or the password',
    'check both, and whether the URL needs ?authSource=admin',
  ],
  [
    [13],
    'DATABASE_REFUSED',
    'MongoDB refuses for want of a privilege',
    'give the user the role readWrite on the database; where the URL names no user, name one',
  ],
]

/** The server's code of an error that it sent. */
export function serverCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'number') return undefined
  return error.code
}

/** Why the server refused the data of a row; undefined where the answer isn't about a row. */
export function refusedRow(code: number | undefined): string | undefined {
  return code === undefined ? undefined : REFUSED_ROWS[code]
}

/** The error for an answer's code. The server's own text is left out: it may hold values. */
export function faultOfCode(code: number, replica: string, cause?: unknown): MerganserError {
  const found = KINDS.find(([codes]) => codes.includes(code))
  const [, kind, message, advice] = found ?? [[], 'DATABASE_REFUSED' as const, 'MongoDB refused a command']
  return new MerganserError(kind, `${message} (code ${String(code)})`, {
    place: { replica },
    ...(advice === undefined ? {} : { advice }),
    ...(cause === undefined ? {} : { cause }),
  })
}

const TIMED_OUT = new Set(['MongoNetworkTimeoutError', 'MongoOperationTimeoutError'])
const UNUSABLE_URL = new Set([
  'MongoParseError',
  'MongoInvalidArgumentError',
  'MongoAPIError',
  'MongoMissingCredentialsError',
])

/** What an error of the driver means to the engine. */
export function faultOf(error: unknown, replica: string): MerganserError {
  if (error instanceof MerganserError) return error
  const make = (code: ErrorCode, message: string, advice?: string) =>
    new MerganserError(code, message, { place: { replica }, cause: error, ...(advice === undefined ? {} : { advice }) })
  if (!(error instanceof Error)) return make('CONNECTION_LOST', 'the connection to MongoDB was lost')
  const [first] = causesOf(error)
  const tls = tlsProblem(error)
  if (tls !== undefined) {
    return make(
      'DATABASE_REFUSED',
      `MongoDB can't be reached over TLS safely (${tls})`,
      'the host must be named as its certificate names it; tlsCAFile in the URL names the file of its authority',
    )
  }
  if (error.name === 'MongoServerSelectionError') {
    const refused = causesOf(error)
      .map(serverCode)
      .find((code) => code === 18 || code === 13 || code === 8000)
    if (refused !== undefined) return faultOfCode(refused, replica, error)
    return unreachable(error, replica)
  }
  const code = serverCode(error)
  if (code !== undefined && first instanceof Error) return faultOfCode(code, replica, error)
  if (TIMED_OUT.has(error.name)) return make('TIME_LIMIT', 'MongoDB did not answer within the time limit')
  if (UNUSABLE_URL.has(error.name)) return make('BAD_CONFIG', 'the driver of MongoDB refuses the url or its options')
  if (error.name.startsWith('BSON')) {
    return make('DATABASE_REFUSED', 'what MongoDB answered is no BSON', 'look at what listens at the hosts of the url')
  }
  if (error instanceof TypeError || error instanceof RangeError) {
    return make('BUG', `internal error: ${error.name}`)
  }
  if ('syscall' in error && error.syscall === 'open') {
    const advice = 'check tlsCAFile and tlsCertificateKeyFile in the URL'
    return make('BAD_CONFIG', "a file that the options of the url name can't be read", advice)
  }
  if ('syscall' in error && String(error.syscall).startsWith('query')) {
    return make('DATABASE_UNREACHABLE', "the name of the mongodb+srv URL isn't known to the name service")
  }
  return make('CONNECTION_LOST', 'the connection to MongoDB was lost')
}

/** Node's code of a certificate that isn't trusted. */
function tlsProblem(error: unknown): string | undefined {
  for (const one of causesOf(error)) {
    const code = typeof one === 'object' && one !== null && 'code' in one ? one.code : undefined
    if (typeof code === 'string' && /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL|EPROTO/.test(code)) return code
  }
  return undefined
}

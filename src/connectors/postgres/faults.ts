import { MerganserError, type ErrorCode } from '../../core/errors.ts'

/** The parts of an error that `pg` gives. */
interface DatabaseError {
  readonly code?: unknown
  readonly message?: unknown
}

/** SQLSTATE of an error that the server sent. */
export function sqlState(error: unknown): string | undefined {
  const code = (error as DatabaseError | undefined)?.code
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined
}

/** Whether the server refused the data of some row, so that the other rows may go on without it. */
export function refusedRow(error: unknown): string | undefined {
  const state = sqlState(error)
  if (state === undefined) return undefined
  if (state === '54000') return 'the row or its key is too large for PostgreSQL'
  if (state === '22021' || state === '22P05') return 'its text is no UTF-8 that PostgreSQL holds'
  return /^(?:22|23|54)/.test(state) ? `PostgreSQL refuses it (SQLSTATE ${state})` : undefined
}

const LOST = /^(?:08|57P0)/
const LOST_SYSTEM = new Set(['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ENOENT', 'ETIMEDOUT', 'ENOTCONN', 'EHOSTUNREACH'])

const KINDS: readonly (readonly [RegExp, ErrorCode, string, string?])[] = [
  [LOST, 'CONNECTION_LOST', 'the connection to PostgreSQL was lost'],
  [/^(?:40001|40P01|55P03)$/, 'BACK_OFF', 'PostgreSQL asks to try again'],
  [/^53100$/, 'BACK_OFF', 'the disk of PostgreSQL is full', 'make room on it'],
  [/^53/, 'BACK_OFF', 'PostgreSQL is short of memory or connections'],
  [/^57014$/, 'TIME_LIMIT', 'a statement took longer than its time limit'],
  [/^42P01$/, 'SCHEMA_MISMATCH', "a table isn't there"],
  [/^(?:42703|42804|42P10)$/, 'SCHEMA_MISMATCH', 'a table has another shape'],
  [
    /^28/,
    'DATABASE_REFUSED',
    'PostgreSQL refuses the user or the password',
    'correct them in the url; pg_hba.conf of the server says who may connect from where',
  ],
  [
    /^42501$/,
    'DATABASE_REFUSED',
    'PostgreSQL refuses for want of a privilege',
    '`merganser doctor` says which; its owner grants it',
  ],
  [
    /^25006$/,
    'DATABASE_REFUSED',
    'PostgreSQL takes no writes: a standby, or default_transaction_read_only',
    'choose the primary: target_session_attrs=read-write in the url',
  ],
  [/^3F000$/, 'SCHEMA_MISMATCH', "a schema isn't there", 'create it'],
  [/^0A000$/, 'DATABASE_REFUSED', 'PostgreSQL lacks something that is needed'],
  [/^3D000$/, 'DATABASE_REFUSED', "the database isn't there", 'create it, or name another one in the url'],
]

/** What an error of `pg` means to the engine. The server's own text is left out: it may hold values. */
export function faultOf(error: unknown, replica: string): MerganserError {
  if (error instanceof MerganserError) return error
  const place = { replica }
  const state = sqlState(error)
  if (state !== undefined && !LOST_SYSTEM.has(state)) {
    for (const [pattern, code, message, advice] of KINDS) {
      if (!pattern.test(state)) continue
      return new MerganserError(code, `${message} (SQLSTATE ${state})`, {
        place,
        cause: error,
        ...(advice === undefined ? {} : { advice }),
      })
    }
    return new MerganserError('DATABASE_REFUSED', `PostgreSQL refused a statement (SQLSTATE ${state})`, {
      place,
      cause: error,
    })
  }
  if (error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError) {
    return new MerganserError('BUG', `internal error: ${error.message}`, { place, cause: error })
  }
  return new MerganserError('CONNECTION_LOST', 'the connection to PostgreSQL was lost', { place, cause: error })
}

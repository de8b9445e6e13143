/** Exit statuses of the command line, from best to worst; the highest that applies is the process's. */
export const ExitStatus = {
  done: 0,
  difference: 1,
  input: 2,
  database: 3,
  state: 4,
  interrupted: 130,
} as const
export type ExitStatus = (typeof ExitStatus)[keyof typeof ExitStatus]

/**
 * Every error that a user can meet, with the exit status it leads to. The one registry: a code that is not here
 * can't be thrown, and a test holds the list against the documentation (`docs/errors.md`).
 */
export const ErrorCodes = {
  // the input: scripts, values, command line, configuration
  SYNTAX: ExitStatus.input,
  UNKNOWN_REPLICA: ExitStatus.input,
  UNKNOWN_TABLE: ExitStatus.input,
  UNKNOWN_COLUMN: ExitStatus.input,
  AMBIGUOUS: ExitStatus.input,
  WRONG_COUNT: ExitStatus.input,
  BAD_VALUE: ExitStatus.input,
  LIMIT: ExitStatus.input,
  SAME_REPLICA: ExitStatus.input,
  BAD_STAMP: ExitStatus.input,
  FUTURE_STAMP: ExitStatus.input,
  VALUE_REFUSED: ExitStatus.input,
  BAD_INPUT_FILE: ExitStatus.input,
  BAD_OUTPUT_FILE: ExitStatus.input,
  BAD_CONFIG: ExitStatus.input,
  BAD_SCHEMA: ExitStatus.input,
  USAGE: ExitStatus.input,
  // results
  EXPECTATION_FAILED: ExitStatus.difference,
  NOT_CONVERGED: ExitStatus.difference,
  ROWS_REJECTED: ExitStatus.difference,
  // databases
  CONNECTION_LOST: ExitStatus.database,
  BACK_OFF: ExitStatus.database,
  DATABASE_REFUSED: ExitStatus.database,
  SCHEMA_MISMATCH: ExitStatus.database,
  DATABASE_LOCKED: ExitStatus.database,
  STORE_CLOSED: ExitStatus.database,
  TIME_LIMIT: ExitStatus.database,
  DATABASE_UNREACHABLE: ExitStatus.database,
  // the state directory
  STATE_LOCKED: ExitStatus.state,
  STATE_FORMAT: ExitStatus.state,
  STATE_UNUSABLE: ExitStatus.state,
  STATE_FULL: ExitStatus.state,
  OPLOG_DAMAGED: ExitStatus.state,
  OPLOG_MISSING: ExitStatus.state,
  MEMORY_LIMIT: ExitStatus.state,
  KERNEL_FAILED: ExitStatus.state,
  // ours
  INTERRUPTED: ExitStatus.interrupted,
  BUG: ExitStatus.state,
} as const satisfies Record<string, ExitStatus>
export type ErrorCode = keyof typeof ErrorCodes

/** Where something happened, as far as it is known. Lines and columns count from 1; columns in characters. */
export interface Place {
  file?: string
  line?: number
  column?: number
  /** The text of the line, shown with a caret under `column`. */
  text?: string
  replica?: string
  table?: string
  key?: string
}

/** An error with a code, what happened, where, and what to do. Its texts never hold secrets. */
export class MerganserError extends Error {
  readonly code: ErrorCode
  readonly place: Place
  /** What the user can do about it, a sentence without a final period. */
  readonly advice: string | undefined

  constructor(code: ErrorCode, message: string, details: { place?: Place; advice?: string; cause?: unknown } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'MerganserError'
    this.code = code
    this.place = details.place ?? {}
    this.advice = details.advice
  }

  get exitStatus(): ExitStatus {
    return ErrorCodes[this.code]
  }
}

/** The memory for rows is full; nothing of the operation was done. */
export function fullMemory(): MerganserError {
  return new MerganserError('MEMORY_LIMIT', 'the memory for the rows of a session is full', {
    advice: 'run the script in parts: the next run goes on where this one ended',
  })
}

/** Throws `BUG` unless a condition that the code relies on holds. */
export function assert(condition: unknown, what: string): asserts condition {
  if (!condition) throw new MerganserError('BUG', `internal assertion failed: ${what}`)
}

import { MAX_KEY_BYTES, MAX_VALUE_BYTES } from '../core/table.ts'

/** What a line of a script may hold, in bytes. */
export interface ScriptLimits {
  /** A canonical key. */
  readonly keyBytes: number
  /** A value's canonical text. */
  readonly valueBytes: number
  /** A line without its line end. */
  readonly lineBytes: number
}

/** The limits of scripts; a configuration may lower them. */
export const DEFAULT_LIMITS: ScriptLimits = {
  keyBytes: MAX_KEY_BYTES,
  valueBytes: MAX_VALUE_BYTES,
  lineBytes: 1024 * 1024,
}

/**
 * The limits for reading oplogs back: a SET that came in within the limits may be longer in the log, where control
 * characters are written with six characters each, and a program may set many long columns at once.
 */
export const LOG_LIMITS: ScriptLimits = { ...DEFAULT_LIMITS, lineBytes: 256 * 1024 * 1024 }

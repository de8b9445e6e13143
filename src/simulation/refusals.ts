/*
 * Codes of errors by what brings them: what may end a session, or keep it from being opened.
 */

export const DATABASE_ERRORS: ReadonlySet<string> = new Set([
  'DATABASE_UNREACHABLE',
  'DATABASE_LOCKED',
  'CONNECTION_LOST',
  'TIME_LIMIT',
])
export const DISK_ERRORS: ReadonlySet<string> = new Set(['STATE_FULL', 'STATE_UNUSABLE'])
export const DAMAGE: ReadonlySet<string> = new Set(['OPLOG_DAMAGED', 'OPLOG_MISSING', 'STATE_FORMAT'])

import { violated, type Checker } from './checker.ts'

const DAMAGE: ReadonlySet<string> = new Set(['OPLOG_DAMAGED', 'OPLOG_MISSING', 'STATE_FORMAT'])
/** What else may keep a session from being opened: databases that are away, the disk, another owner. */
const OTHERWISE: ReadonlySet<string> = new Set([
  'DATABASE_UNREACHABLE',
  'DATABASE_LOCKED',
  'CONNECTION_LOST',
  'TIME_LIMIT',
  'STATE_FULL',
  'STATE_UNUSABLE',
  'STATE_LOCKED',
])

/** A state directory is refused where it was damaged, and never otherwise. */
export function damageIsTold(): Checker {
  return {
    invariant: 'I7',
    says: 'a torn tail is set aside; damage is refused, and nothing else is',
    refused({ code, message }, flipped) {
      if (DAMAGE.has(code) && flipped === undefined) violated('I7', `nothing was damaged, but ${code}: ${message}`)
      if (!DAMAGE.has(code) && !OTHERWISE.has(code))
        violated('I7', `no session opens, and not for damage: ${code}: ${message}`)
    },
  }
}

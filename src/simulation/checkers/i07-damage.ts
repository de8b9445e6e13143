import { DAMAGE, DATABASE_ERRORS, DISK_ERRORS } from '../refusals.ts'
import { violated, type Checker } from './checker.ts'

/** What else may keep a session from being opened: databases that are away, the disk, another owner. */
const OTHERWISE: ReadonlySet<string> = new Set([...DATABASE_ERRORS, ...DISK_ERRORS, 'STATE_LOCKED'])

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

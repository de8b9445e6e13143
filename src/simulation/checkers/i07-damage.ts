import { violated, type Checker } from './checker.ts'

/** A state directory is refused where it was damaged, and never otherwise. */
export function damageIsTold(): Checker {
  return {
    invariant: 'I7',
    says: 'a torn tail is set aside; damage is refused, and nothing else is',
    refused({ code, message }, flipped) {
      const damage = code === 'OPLOG_DAMAGED' || code === 'OPLOG_MISSING' || code === 'STATE_FORMAT'
      if (damage && flipped === undefined) violated('I7', `nothing was damaged, but ${code}: ${message}`)
    },
  }
}

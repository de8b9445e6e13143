import { idOf } from '../database.ts'
import { plainRow } from '../history.ts'
import { covers } from '../rows.ts'
import { showRow, violated, type Checker } from './checker.ts'

/** No statement of ours makes a row older, whatever was lost, repeated or late. */
export function noWayBack(): Checker {
  return {
    invariant: 'I5',
    says: 'a flush is a join: a register in a database never goes back to a smaller stamp',
    wrote(_replica, table, before, after) {
      if (before === undefined || covers(plainRow(after), plainRow(before))) return
      const key = idOf(after.key)
      violated('I5', `${table} (${key}) went from ${showRow(plainRow(before))} to ${showRow(plainRow(after))}`)
    },
  }
}

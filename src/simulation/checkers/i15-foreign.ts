import { keyOf } from '../database.ts'
import { rowName, violated, type Checker } from './checker.ts'

/** A value that somebody changed under its stamp stands until a later write replaces it. */
export function foreignStays(): Checker {
  return {
    invariant: 'I15',
    says: 'a value changed in a database under its stamp is not overwritten, but by a later write',
    between({ plan, databases, history }) {
      for (const { replica, table, key, column, stamp, value } of history.foreign) {
        const row = databases[replica]!.get(plan.tables[table]!.name, keyOf(key))
        const cell = row?.cells[column]
        const covered = row?.deleted != null && row.deleted >= stamp
        if (cell == null ? covered : cell.stamp > stamp || cell.value === value) continue
        violated(
          'I15',
          `${rowName(plan, table, key)} was changed by hand to ${value}; it is ${JSON.stringify(cell)} now`,
        )
      }
    },
  }
}

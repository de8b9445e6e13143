import { idOf, keyOf } from '../database.ts'
import { plainRow } from '../history.ts'
import { sameNormal } from '../rows.ts'
import { rowName, violated, type Checker } from './checker.ts'

/** A row that was deleted stays deleted, and its tombstone stays in every database as long as it covers something. */
export function tombstonesStay(): Checker {
  return {
    invariant: 'I10',
    says: 'a tombstone is dropped only where every column has outlived it',
    wrote(_replica, table, before, after) {
      if (before?.deleted == null || after.deleted !== null) return
      const { deleted } = before
      if (after.cells.every((cell) => cell !== null && cell.stamp > deleted)) return
      violated('I10', `${table} (${idOf(after.key)}) lost the tombstone ${deleted}`)
    },
    atEnd({ plan, columns, databases, expected }) {
      for (const [table, key, row] of expected) {
        if (row.deleted === '' || row.cells.every((cell) => cell !== undefined && cell.stamp > row.deleted)) continue
        for (const database of databases) {
          const held = database.get(plan.tables[table]!.name, keyOf(key))
          if (held !== undefined && sameNormal(plainRow(held), row, columns[table]!)) continue
          violated('I10', `${database.name} has no tombstone ${row.deleted} of ${rowName(plan, table, key)}`)
        }
      }
    },
  }
}

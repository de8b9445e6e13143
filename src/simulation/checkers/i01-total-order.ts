import { rowName, showRow, violated, type Checker } from './checker.ts'
import { plainRow } from '../history.ts'
import { sameNormal } from '../rows.ts'
import { idOf } from '../database.ts'

/** Every database ends with the row that the greatest stamps of all logs make. */
export function totalOrder(): Checker {
  return {
    invariant: 'I1',
    says: 'one total order decides, the same in every database',
    atEnd({ plan, columns, databases, expected }) {
      for (const database of databases) {
        for (const [table, schema] of plan.tables.entries()) {
          for (const row of database.rows(schema.name)) {
            const key = idOf(row.key)
            const wanted = expected.get(table, key)
            if (sameNormal(plainRow(row), wanted, columns[table]!)) continue
            violated(
              'I1',
              `${database.name} ends with ${rowName(plan, table, key)} = ${showRow(plainRow(row))}, not ${showRow(wanted)}`,
            )
          }
        }
      }
    },
  }
}

import { idOf } from '../database.ts'
import { rowName, violated, type Checker } from './checker.ts'

/** Nobody reads what nobody wrote: in a result, a log or a database. */
export function writtenValues(): Checker {
  return {
    invariant: 'I8',
    says: 'nobody reads a value that nobody wrote',
    showed({ shows, table, key }, _expected, history) {
      if (typeof shows !== 'object') return
      for (const { column, value } of shows) {
        if (!history.wasWritten(table, key, column, value)) {
          violated('I8', `a GET of ${key} shows ${JSON.stringify(value)}, which nobody wrote`)
        }
      }
    },
    between({ plan, matchings, databases, history }) {
      for (const { table, key, op, cells, stamp } of matchings.flatMap(({ taken }) => taken)) {
        const written =
          op === 'set'
            ? cells.every(({ column, value }) => history.wasWritten(table, key, column, value))
            : op === 'delete' && history.wasDeleted(table, key)
        if (!written)
          violated('I8', `a log holds ${op} of ${rowName(plan, table, key)} under ${stamp}: nobody wrote that`)
      }
      for (const database of databases) {
        for (const [table, schema] of plan.tables.entries()) {
          for (const { key, cells } of database.rows(schema.name)) {
            for (const [column, cell] of cells.entries()) {
              if (cell === null || history.wasWritten(table, idOf(key), column, cell.value)) continue
              violated(
                'I8',
                `${database.name} holds ${JSON.stringify(cell.value)} for ${key.join()}: nobody wrote that`,
              )
            }
          }
        }
      }
    },
  }
}

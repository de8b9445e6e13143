import { keyOf } from '../database.ts'
import { rowName, showRow, violated, type Checker } from './checker.ts'

/** When faults have stopped, two rounds are enough: nothing is pending, and every database holds every row. */
export function converges(): Checker {
  return {
    invariant: 'I12',
    says: 'when faults stop, everything drains and converges in two rounds',
    atEnd({ plan, databases, expected, report }) {
      for (const { name, pending, failure, quarantined } of report.replicas) {
        if (failure !== undefined) violated('I12', `${name} has failed: ${failure.code}: ${failure.message}`)
        if (pending > 0) violated('I12', `${String(pending)} rows of ${name} wait for its database`)
        if (quarantined.length > 0) violated('I12', `${String(quarantined.length)} rows of ${name} are quarantined`)
      }
      if (!report.converged) violated('I12', 'the replicas say that they have not converged')
      for (const [table, key, row] of expected) {
        for (const database of databases) {
          if (database.get(plan.tables[table]!.name, keyOf(key)) !== undefined) continue
          violated('I12', `${database.name} lacks ${rowName(plan, table, key)} = ${showRow(row)}`)
        }
      }
    },
  }
}

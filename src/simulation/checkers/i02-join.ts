import { rowName, violated, type Checker } from './checker.ts'
import { NewRecords } from './new-records.ts'

/** A stamp stands for one value of a column wherever it is met: merges carry stamps and change nothing. */
export function keepsStamps(): Checker {
  const values = new Map<string, string>()
  const fresh = new NewRecords()
  return {
    invariant: 'I2',
    says: 'a merge keeps the original stamps: one stamp, one value',
    between({ plan, logs }) {
      for (const [replica, records] of logs.entries()) {
        for (const record of fresh.of(replica, records)) {
          const { op, table, key, stamp, cells } = record
          if (op === 'get') continue
          const written =
            op === 'delete' ? [['deleted', '']] : cells.map(({ column, value }) => [String(column), value ?? '\u0000'])
          for (const [column, value] of written) {
            const id = `${stamp} ${String(table)} ${column!} ${key}`
            const known = values.get(id)
            values.set(id, value!)
            if (known === undefined || known === value) continue
            violated('I2', `${rowName(plan, table, key)} has two values under ${stamp}: ${known} and ${value!}`)
          }
        }
        fresh.read(replica, records)
      }
    },
  }
}

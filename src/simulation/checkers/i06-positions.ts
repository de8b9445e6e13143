import { keyOf } from '../database.ts'
import { plainRow } from '../history.ts'
import type { LogRecord } from '../logs.ts'
import { covers, type PlainRow } from '../rows.ts'
import { rowName, showRow, violated, type Between, type Checker } from './checker.ts'

/** What is recorded of logs and databases is true of them. */
export function truePositions(): Checker {
  // What was true stays true, since rows only grow newer, as long as no log has lost something.
  const checked = new Map<string, number>()
  let lengths: readonly number[] = []
  const newRecords = (what: string, records: readonly LogRecord[], upTo: number): readonly LogRecord[] => {
    const from = checked.get(what) ?? 0
    checked.set(what, Math.max(from, upTo))
    return records.slice(from, upTo)
  }
  return {
    invariant: 'I6',
    says: 'a position moves only over what the other side has confirmed',
    between(world) {
      const { plan, positions, logs } = world
      if (logs.some((records, replica) => records.length < (lengths[replica] ?? 0))) checked.clear()
      lengths = logs.map((records) => records.length)
      if (positions === undefined) return
      for (const [replica, name] of plan.replicas.entries()) {
        const position = positions[name]
        if (position === undefined) continue
        const settled = position.opened && position.quarantined.length === 0
        if (settled) checkFlushed(world, replica, newRecords(`flushed ${name}`, logs[replica]!, position.flushed))
        for (const [other, { position: seen }] of Object.entries(position.seen)) {
          const from = plan.replicas.indexOf(other)
          if (from >= 0) checkSeen(world, replica, from, newRecords(`${name} of ${other}`, logs[from]!, seen))
        }
      }
    },
  }
}

/** Records that wrote a row that `held` doesn't cover. */
function uncovered(
  records: readonly LogRecord[],
  held: (table: number, key: string) => PlainRow | undefined,
  isOld: (table: number, key: string, row: PlainRow) => boolean = () => false,
): { readonly record: LogRecord; readonly row: PlainRow } | undefined {
  for (const record of records) {
    const { row } = record
    if (row === undefined) continue
    const there = held(record.table, record.key)
    const covered = there !== undefined && covers(there, row)
    if (!covered && !isOld(record.table, record.key, row)) return { record, row }
  }
  return undefined
}

function checkFlushed(world: Between, replica: number, records: readonly LogRecord[]): void {
  const { plan, databases } = world
  const database = databases[replica]!
  const held = (table: number, key: string) => {
    const row = database.get(plan.tables[table]!.name, keyOf(key))
    return row === undefined ? undefined : plainRow(row)
  }
  const found = uncovered(records, held)
  if (found === undefined) return
  const { table, key } = found.record
  const what = `${rowName(plan, table, key)} = ${showRow(found.row)}; it has ${showRow(held(table, key))}`
  violated('I6', `${database.name} is said to hold what wrote ${what}`)
}

function checkSeen(world: Between, replica: number, from: number, records: readonly LogRecord[]): void {
  const { plan, rows, bases } = world
  const held = (table: number, key: string) => rows[replica]!.get(table, key)
  // A line that was replayed under what its database had held before: it shows nowhere there, and so goes no further.
  const isOld = (table: number, key: string, row: PlainRow) => {
    const before = bases[from]!.get(table, key)
    return before !== undefined && covers(before, row)
  }
  const found = uncovered(records, held, isOld)
  if (found === undefined) return
  const { table, key } = found.record
  const what = `${rowName(plan, table, key)} = ${showRow(found.row)}; it has ${showRow(held(table, key))}`
  violated('I6', `${plan.replicas[replica]!} is said to have seen ${plan.replicas[from]!}, which wrote ${what}`)
}

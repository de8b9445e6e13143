import type { StampedRow } from '../../core/batch.ts'
import { plainRow } from '../history.ts'
import { fold } from '../logs.ts'
import { covers, type PlainRow } from '../rows.ts'
import { rowName, showRow, violated, type Between, type Checker } from './checker.ts'

/** What is recorded of logs and databases is true of them. */
export function truePositions(): Checker {
  return {
    invariant: 'I6',
    says: 'a position moves only over what the other side has confirmed',
    between(world) {
      const { plan, positions } = world
      if (positions === undefined) return
      for (const [replica, name] of plan.replicas.entries()) {
        const position = positions[name]
        if (position === undefined) continue
        if (position.opened) checkFlushed(world, replica, position.flushed)
        for (const [other, { position: seen }] of Object.entries(position.seen)) {
          const from = plan.replicas.indexOf(other)
          if (from >= 0) checkSeen(world, replica, from, seen)
        }
      }
    },
  }
}

function checkFlushed(world: Between, replica: number, flushed: number): void {
  const { plan, columns, databases, logs, positions } = world
  const database = databases[replica]!
  const quarantined = (positions?.[plan.replicas[replica]!]?.quarantined.length ?? 0) > 0
  if (quarantined) return
  for (const [table, key, row] of fold(logs[replica]!, columns, flushed)) {
    const held = asPlain(database.get(plan.tables[table]!.name, key.split('\u0001')))
    if (held !== undefined && covers(held, row)) continue
    const what = `${rowName(plan, table, key)} = ${showRow(row)}, its database has ${showRow(held)}`
    violated('I6', `${database.name} is said to be flushed up to record ${String(flushed)}, which wrote ${what}`)
  }
}

function checkSeen({ plan, columns, logs, rows }: Between, replica: number, from: number, seen: number): void {
  for (const [table, key, row] of fold(logs[from]!, columns, seen)) {
    const held = rows[replica]!.get(table, key)
    if (held !== undefined && covers(held, row)) continue
    const names = `${plan.replicas[replica]!} is said to have seen ${plan.replicas[from]!} up to ${String(seen)}`
    violated('I6', `${names}, which wrote ${rowName(plan, table, key)} = ${showRow(row)}; it has ${showRow(held)}`)
  }
}

const asPlain = (row: StampedRow | undefined): PlainRow | undefined => (row === undefined ? undefined : plainRow(row))

import type { TableSchema } from '../core/table.ts'
import type { Difference } from './difference.ts'
import type { RepairPlanner } from './repair-plan.ts'

/** Where a plan is written, line by line, without line ends. A promise where it has to be waited for. */
export interface PlanSink {
  plan(line: string): Promise<void> | undefined
  undo(line: string): Promise<void> | undefined
}

export interface RepairCounts {
  /** Rows that differ. */
  rows: number
  /** Of them those that the plan makes equal, by stamps alone or by a choice too. */
  settled: number
  chosen: number
  /** Rows with a value that stamps don't settle, and nobody chose. */
  open: number
  /** Rows that a side can't hold. */
  refused: number
  /** Rows that were still being written: left alone. */
  moving: number
  /** Lines of the plan. */
  lines: number
}

export const newCounts = (): RepairCounts => {
  return { rows: 0, settled: 0, chosen: 0, open: 0, refused: 0, moving: 0, lines: 0 }
}

/** Rows that a repair can't make equal are told one by one. */
export type Left = (what: string) => void

/**
 * Plans what settles differences, in their order and bounded memory: nothing is written but the plan. What can't be
 * settled stands in the plan as a remark, and `left` is told.
 */
export async function planRepair(
  differences: AsyncIterable<Difference>,
  planner: RepairPlanner,
  schema: TableSchema,
  sink: PlanSink,
  counts: RepairCounts,
  left: Left,
): Promise<void> {
  for await (const difference of differences) {
    counts.rows++
    const row = planner.rowText(difference.key)
    const tell = async (why: string) => {
      left(`${row}: ${why}`)
      await sink.plan(`# left as it is: ${row}: ${why}`)
    }
    if (difference.moving) {
      counts.moving++
      await tell('it is still being written')
      continue
    }
    const { lines, undo, open, chosen, refused } = planner.plan(difference)
    if (refused !== undefined) {
      counts.refused++
      await tell(refused)
      continue
    }
    if (open.length > 0) {
      counts.open++
      const names = open.map((column) => schema.values[column]!.name).join(', ')
      await tell(`${names}: another value under the same stamp, or without one`)
    } else counts.settled++
    if (chosen > 0) counts.chosen++
    counts.lines += lines.length
    for (const line of lines) await sink.plan(line)
    for (const line of undo) await sink.undo(line)
  }
}

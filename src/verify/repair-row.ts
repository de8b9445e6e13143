import { joinStamped, type StampedCell, type StampedRow } from '../core/batch.ts'
import { timeText, TIME_TEXT_LENGTH } from '../core/stamp.ts'
import { exists } from './classify.ts'
import type { Difference } from './difference.ts'

/** Which of two sides. */
export type SideNumber = 0 | 1

/** A value that gets a new stamp on both sides, because stamps don't settle it. */
export interface Choice {
  readonly column: number
  readonly value: string | null
}

/** What one side of a row lacks. */
export interface Lack {
  /** The tombstone's full stamp text. */
  readonly deleted: string | null
  /** Registers, by full stamp text. */
  readonly sets: ReadonlyMap<string, readonly Choice[]>
}

/** How a row that differs is settled. */
export interface Settlement {
  /** What the left and the right side lack, by stamps. */
  readonly lacks: readonly [Lack, Lack]
  /** Value columns that stamps don't settle. */
  readonly open: readonly number[]
}

/** What people call a row without stamps counts as stamped at the beginning of time by its replica. */
const UNSTAMPED = timeText(0n)

/**
 * The join of the two rows of a difference, as what each side lacks of it. A column that holds other values under one
 * stamp (I15), or of which neither side has a stamp, is open: nothing of it is in `lacks`.
 */
export function settle({ left, right }: Pick<Difference, 'left' | 'right'>): Settlement {
  const joined = joinBoth(left, right)
  const open: number[] = []
  const cells = joined.cells.map((cell, c) => {
    if (cell === null || !isOpen(left?.cells[c] ?? null, right?.cells[c] ?? null)) return cell
    open.push(c)
    return null
  })
  const whole = { cells, deleted: joined.deleted }
  return { lacks: [lackOf(left, whole), lackOf(right, whole)], open }
}

function joinBoth(left: StampedRow | undefined, right: StampedRow | undefined): StampedRow {
  const [first, second] = left === undefined ? [right!, right!] : [left, right ?? left]
  return joinStamped(joinStamped(undefined, first), second)
}

function isOpen(left: StampedCell | null, right: StampedCell | null): boolean {
  if (left === null || right === null || left.value === right.value) return false
  return left.stamp === right.stamp || (isUnstamped(left.stamp) && isUnstamped(right.stamp))
}

function isUnstamped(stamp: string): boolean {
  return stamp.slice(0, TIME_TEXT_LENGTH) === UNSTAMPED
}

function lackOf(side: StampedRow | undefined, joined: Pick<StampedRow, 'cells' | 'deleted'>): Lack {
  const sets = new Map<string, Choice[]>()
  for (const [column, cell] of joined.cells.entries()) {
    if (cell === null || side?.cells[column]?.stamp === cell.stamp) continue
    const same = sets.get(cell.stamp)
    if (same === undefined) sets.set(cell.stamp, [{ column, value: cell.value }])
    else same.push({ column, value: cell.value })
  }
  const newer = joined.deleted !== null && joined.deleted !== (side?.deleted ?? null)
  return { deleted: newer ? joined.deleted : null, sets }
}

/** Whether a side lacks nothing. */
export function isNothing({ deleted, sets }: Lack): boolean {
  return deleted === null && sets.size === 0
}

/**
 * The write, under a stamp still to come, that makes a side show again what it showed before its lack and the choices
 * were brought to it: 'delete' where it showed no row; undefined where nothing of it changed.
 */
export function compensation(
  side: StampedRow | undefined,
  { deleted, sets }: Lack,
  choices: readonly Choice[],
): readonly Choice[] | 'delete' | undefined {
  if (!exists(side)) return 'delete'
  const columns = new Set(choices.map(({ column }) => column))
  for (const part of sets.values()) for (const { column } of part) columns.add(column)
  if (deleted !== null) side!.cells.forEach((cell, c) => cell !== null && cell.stamp <= deleted && columns.add(c))
  if (columns.size === 0) return undefined
  return [...columns].sort((a, b) => a - b).map((column) => ({ column, value: side!.cells[column]?.value ?? null }))
}

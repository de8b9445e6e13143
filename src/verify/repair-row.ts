import { joinStamped, type StampedRow } from '../core/batch.ts'
import { exists } from './classify.ts'
import { isUnstamped, type Difference } from './difference.ts'

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
  /** Whether a value without a stamp is among them: a write of the row would take it away, whatever its columns. */
  readonly bare: boolean
  /** Values without stamps that both sides show: a write of the row must name them, or they would be lost. */
  readonly agreed: readonly Choice[]
  /** Whether a row is left where nothing of the open columns is. */
  readonly remains: boolean
}

/**
 * The join of the two rows of a difference, as what each side lacks of it. A column that holds other values under one
 * stamp (I15), or a value without a stamp that the other side doesn't show the same way, is open: nothing of it is in
 * `lacks`.
 */
export function settle({ left, right }: Pick<Difference, 'left' | 'right'>): Settlement {
  const joined = joinBoth(left, right)
  const open: number[] = []
  const agreed: Choice[] = []
  let bare = false
  const cells = joined.cells.map((cell, column) => {
    const [a, b] = [left?.cells[column] ?? null, right?.cells[column] ?? null]
    if (isUnstamped(a) || isUnstamped(b)) {
      if (isUnstamped(a) && isUnstamped(b) && a!.value === b!.value) {
        agreed.push({ column, value: a!.value })
        return null
      }
      bare = true
    } else if (cell === null || a?.stamp !== b?.stamp || a?.value === b?.value) return cell
    open.push(column)
    return null
  })
  const whole = { cells, deleted: joined.deleted }
  const remains = agreed.length > 0 || cells.some((cell) => cell !== null)
  return { lacks: [lackOf(left, whole), lackOf(right, whole)], open, bare, agreed, remains }
}

function joinBoth(left: StampedRow | undefined, right: StampedRow | undefined): StampedRow {
  const [first, second] = left === undefined ? [right!, right!] : [left, right ?? left]
  return joinStamped(joinStamped(undefined, first), second)
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

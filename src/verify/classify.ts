import { joinStamped, keyAt, textAt, type RowBatch, type StampedCell, type StampedRow } from '../core/batch.ts'
import { isUnstamped, unstamped, type Difference } from './difference.ts'

/** What is compared of two rows. */
export interface Compared {
  readonly columns: readonly number[]
  readonly valuesOnly: boolean
}

/** The rows of one key as they were read; undefined where there is none. */
export interface Pair {
  readonly left: StampedRow | undefined
  readonly right: StampedRow | undefined
}

/**
 * Row `i` of a batch from a replica's database. Values that stand there without a stamp are cells of it, with the stamp
 * `unstamped`; of a row that has neither stamps nor a tombstone all columns are.
 */
export function rowOfSide(batch: RowBatch, i: number, replica: string): StampedRow {
  const deleted = textAt(batch.deleted, i)
  const stamps = batch.stamps.map((column) => textAt(column, i))
  const bare = deleted === null && stamps.every((stamp) => stamp === null)
  const cells = stamps.map((stamp, c): StampedCell | null => {
    const value = textAt(batch.values[c]!, i)
    if (stamp !== null) return { value, stamp }
    return bare || value !== null ? { value, stamp: unstamped(replica) } : null
  })
  return { key: keyAt(batch, i), cells, deleted }
}

/** A row in normal form, of which values without stamps stay; undefined where nothing of it is left. */
export function normalRow(row: StampedRow | undefined): StampedRow | undefined {
  if (row === undefined) return undefined
  const { key, cells, deleted } = joinStamped(undefined, row)
  const kept = cells.map((cell, c) => cell ?? (isUnstamped(row.cells[c]!) ? row.cells[c]! : null))
  const normal = { key, cells: kept, deleted }
  return normal.deleted === null && !exists(normal) ? undefined : normal
}

/** Whether there is a row for people: it has a register, or a value without a stamp. */
export function exists(row: StampedRow | undefined): boolean {
  return row?.cells.some((cell) => cell !== null) ?? false
}

/** How two rows of a key, in normal form, differ in what is compared; undefined where they don't. */
export function classify(pair: Pair, { columns, valuesOnly }: Compared): Omit<Difference, 'moving'> | undefined {
  const { left, right } = pair
  const key = (left ?? right)?.key
  if (key === undefined) return undefined
  const shown: number[] = []
  const stamped: number[] = []
  const foreign: number[] = []
  const bare: number[] = []
  for (const c of columns) {
    const a = left?.cells[c] ?? null
    const b = right?.cells[c] ?? null
    const otherValue = (a?.value ?? null) !== (b?.value ?? null)
    const neither = isUnstamped(a) && isUnstamped(b)
    const sameStamp = neither || (a !== null && b !== null && a.stamp === b.stamp)
    if (otherValue) shown.push(c)
    if (otherValue && sameStamp && !neither) foreign.push(c)
    if (!sameStamp && (a !== null || b !== null)) stamped.push(c)
    if ((otherValue || !sameStamp) && (isUnstamped(a) || isUnstamped(b))) bare.push(c)
  }
  const differing = valuesOnly ? shown : columns.filter((c) => shown.includes(c) || stamped.includes(c))
  const difference = { key, left, right, columns: differing, foreign, unstamped: bare }
  if (bare.length > 0 && !valuesOnly) return { ...difference, kind: 'unstamped' }
  const here = exists(left)
  if (here !== exists(right)) {
    const row = here ? left : right
    const held = columns.filter((c) => (row?.cells[c] ?? null) !== null)
    return { ...difference, columns: held, kind: here ? 'left-only' : 'right-only' }
  }
  if (foreign.length > 0) return { ...difference, kind: 'foreign' }
  if (shown.length > 0) return { ...difference, kind: 'different' }
  if (valuesOnly) return undefined
  const tombstones = (left?.deleted ?? null) !== (right?.deleted ?? null)
  return stamped.length > 0 || tombstones ? { ...difference, kind: 'stamps' } : undefined
}

/** Whether two readings of a row are the same. */
export function sameRow(a: StampedRow | undefined, b: StampedRow | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return (
    a.deleted === b.deleted &&
    a.cells.every((cell, c) => {
      const other = b.cells[c] ?? null
      return cell === null || other === null ? cell === other : cell.value === other.value && cell.stamp === other.stamp
    })
  )
}

/** The greatest stamp text of a row; '' for none. */
export function newestStamp(row: StampedRow | undefined): string {
  let newest = row?.deleted ?? ''
  for (const cell of row?.cells ?? []) if (cell !== null && cell.stamp > newest) newest = cell.stamp
  return newest
}

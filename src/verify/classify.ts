import { joinStamped, type StampedRow } from '../core/batch.ts'
import type { Difference } from './difference.ts'

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

/** A row in normal form; undefined where nothing of it is left. */
export function normalRow(row: StampedRow | undefined): StampedRow | undefined {
  if (row === undefined) return undefined
  const normal = joinStamped(undefined, row)
  return normal.deleted === null && !exists(normal) ? undefined : normal
}

/** Whether there is a row for people: it has a register. */
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
  for (const c of columns) {
    const a = left?.cells[c] ?? null
    const b = right?.cells[c] ?? null
    const otherValue = (a?.value ?? null) !== (b?.value ?? null)
    const sameStamp = a !== null && b !== null && a.stamp === b.stamp
    if (otherValue) shown.push(c)
    if (otherValue && sameStamp) foreign.push(c)
    if (!sameStamp && (a !== null || b !== null)) stamped.push(c)
  }
  const differing = valuesOnly ? shown : columns.filter((c) => shown.includes(c) || stamped.includes(c))
  const difference = { key, left, right, columns: differing, foreign }
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

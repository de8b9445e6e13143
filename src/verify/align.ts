import type { RowBatch, TextColumn } from '../core/batch.ts'

/** Rows that are compared at once after a difference; doubled as long as they are equal. */
const FIRST_RUN = 4

/** What of two rows must be equal, as pairs of columns: `parts` in full, `presence` in what is null only. */
export interface Pairs {
  readonly parts: readonly (readonly [TextColumn, TextColumn])[]
  readonly presence: readonly (readonly [TextColumn, TextColumn])[]
}

/** The pairs of two batches, of whose value columns those of these numbers are compared. */
export function pairsOf(
  left: RowBatch,
  right: RowBatch,
  columns: readonly number[],
  values: 'only' | 'stamped',
): Pairs {
  const parts: (readonly [TextColumn, TextColumn])[] = left.keys.map((column, c) => [column, right.keys[c]!])
  const presence: (readonly [TextColumn, TextColumn])[] = []
  for (const c of columns) parts.push([left.values[c]!, right.values[c]!])
  if (values === 'stamped') {
    for (const c of columns) parts.push([left.stamps[c]!, right.stamps[c]!])
    parts.push([left.deleted, right.deleted])
  }
  for (const [c, stamps] of left.stamps.entries()) {
    if (values === 'only' || !columns.includes(c)) presence.push([stamps, right.stamps[c]!])
  }
  return { parts, presence }
}

/**
 * How many rows from `i` and `j` on, at most `most`, are equal byte by byte. Equal rows cost a comparison of memory;
 * after `run` rows that were looked at in vain, few are looked at next time.
 */
export function equalRun({ parts, presence }: Pairs, i: number, j: number, most: number): number {
  let equal = 0
  for (let run = FIRST_RUN; equal < most; run *= 2) {
    const rows = Math.min(run, most - equal)
    let same = rows
    for (const [a, b] of parts) if (same > 0) same = equalTexts(a, i + equal, b, j + equal, same)
    for (const [a, b] of presence) if (same > 0) same = equalNulls(a, i + equal, b, j + equal, same)
    equal += same
    if (same < rows) return equal
  }
  return equal
}

/** How many of `rows` rows from `i` and `j` on hold the same texts and nulls, up to the first that doesn't. */
function equalTexts(a: TextColumn, i: number, b: TextColumn, j: number, rows: number): number {
  const most = equalNulls(a, i, b, j, rows)
  const aEnds = a.ends
  const bEnds = b.ends
  const aStart = i === 0 ? 0 : aEnds[i - 1]!
  const bStart = j === 0 ? 0 : bEnds[j - 1]!
  let lengths = 0
  while (lengths < most && aEnds[i + lengths]! - aStart === bEnds[j + lengths]! - bStart) lengths++
  if (lengths === 0) return 0
  const aEnd = aEnds[i + lengths - 1]!
  const bEnd = bStart + aEnd - aStart
  if (view(a).compare(view(b), bStart, bEnd, aStart, aEnd) === 0) return lengths
  let at = 0
  while (a.bytes[aStart + at] === b.bytes[bStart + at]) at++
  let row = 0
  while (aEnds[i + row]! - aStart <= at) row++
  return row
}

function equalNulls(a: TextColumn, i: number, b: TextColumn, j: number, rows: number): number {
  const { nulls: aNulls } = a
  const { nulls: bNulls } = b
  if (aNulls === undefined && bNulls === undefined) return rows
  let row = 0
  while (row < rows && (aNulls?.[i + row] ?? 0) === (bNulls?.[j + row] ?? 0)) row++
  return row
}

const views = new WeakMap<TextColumn, Buffer>()

function view(column: TextColumn): Buffer {
  let found = views.get(column)
  if (found === undefined) {
    const { bytes } = column
    found = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    views.set(column, found)
  }
  return found
}

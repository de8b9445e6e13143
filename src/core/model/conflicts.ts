import type { Register, Row } from '../row.ts'
import { compareStamps, type Stamp } from '../stamp.ts'

/** One column's conflict, without its place. */
export interface ColumnConflict {
  readonly column: number
  readonly won: Stamp
  readonly lost: Stamp
  readonly sameStamp: boolean
}

const NONE: readonly ColumnConflict[] = []

function unseen(stamp: Stamp, vector: ReadonlyMap<string, bigint>): boolean {
  const seen = vector.get(stamp.origin)
  return seen === undefined || stamp.time > seen
}

/** Whether two columns show the same thing: the same value, or both a deletion (no register). */
function sameThing(a: Register | undefined, b: Register | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.value === b.value
}

/**
 * The columns in which two rows show different things of which neither side had seen the other: each stamp is above
 * the other side's entry for its origin. A deletion counts as a value of every column without a newer register.
 */
export function conflictsOf(
  mine: Row | undefined,
  theirs: Row,
  ourVector: ReadonlyMap<string, bigint>,
  theirVector: ReadonlyMap<string, bigint>,
): readonly ColumnConflict[] {
  if (mine === undefined) return NONE
  let found: ColumnConflict[] | undefined
  for (let column = 0; column < theirs.registers.length; column++) {
    const a = mine.registers[column]
    const b = theirs.registers[column]
    if (sameThing(a, b)) continue
    const ours = a?.stamp ?? mine.tombstone
    const other = b?.stamp ?? theirs.tombstone
    if (ours === undefined || other === undefined) continue
    const order = compareStamps(ours, other)
    if (order !== 0 && !(unseen(ours, theirVector) && unseen(other, ourVector))) continue
    found ??= []
    found.push({ column, won: order >= 0 ? ours : other, lost: order >= 0 ? other : ours, sameStamp: order === 0 })
  }
  return found ?? NONE
}

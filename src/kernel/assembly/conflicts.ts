import { setI64, setU32, takeStatic } from './memory'
import { logConflict } from './format-conflicts'
import { keepsLines } from './logs'
import { addEntry, clearList, entryOf, LIST, listCount } from './lists'
import { compareStamps } from './origins'
import { cellAt, hasTombstone, timeIn, tombstoneOrigin, tombstoneTime, wordIn } from './records'
import { seenOf } from './replicas'
import { isThere, originOf, sameValue } from './values'

/*
 * Conflicts of a merge: columns in which two rows show different things of which neither side had seen the other. A
 * deletion counts as a value of every column without a newer register.
 *
 * Those that are listed are entries of 40 bytes: +0 row, +4 column, +8 the winner's time, +16 the loser's, +24 the
 * winner's origin, +28 the loser's, +32 whether the stamps are the same.
 */

const ENTRY: u32 = 40

let listed: usize = 0
let twins: u32 = 0
/** Of how many remarks may be written, and of how many they were. */
let mostRemarks: u32 = 0
let remarks: u32 = 0

export function initConflicts(): void {
  listed = takeStatic(LIST)
}

/** How many are listed. */
export function listedConflicts(): u32 {
  return listCount(listed)
}

/** Entry `i` of the list. */
export function conflictAt(i: u32): usize {
  return entryOf(listed, i, ENTRY)
}

/** Conflicts, listed or not, in which the stamps are the same: an origin issued one twice (I1). */
export function mergedTwins(): u32 {
  return twins
}

/** Conflicts of which remarks were written. */
export function mergedRemarks(): u32 {
  return remarks
}

/** Whether the next conflict is written as a remark: there must be room for `conflictBytes` then. */
export function remarksNext(): bool {
  return remarks < mostRemarks
}

/** @param remark conflicts of which remarks are written, where logs are kept */
export function beginConflicts(remark: u32): void {
  clearConflicts()
  mostRemarks = keepsLines() ? remark : 0
}

export function clearConflicts(): void {
  twins = 0
  remarks = 0
  mostRemarks = 0
  clearList(listed)
}

/** Counts the conflicts of a row, and lists them while fewer than `list` are. `mine` may be 0. */
export function conflictsOf(into: u32, from: u32, row: u32, mine: usize, theirs: usize, columns: u32, list: u32): u32 {
  if (mine == 0) return 0
  let count: u32 = 0
  for (let column: u32 = 0; column < columns; column++) {
    const a = cellAt(mine, column)
    const b = cellAt(theirs, column)
    const x = wordIn(a)
    const y = wordIn(b)
    if (!isThere(x) && !isThere(y)) continue
    if (isThere(x) && isThere(y) && sameValue(x, y)) continue
    if (!isThere(x) && !hasTombstone(mine)) continue
    if (!isThere(y) && !hasTombstone(theirs)) continue
    const ours = isThere(x) ? timeIn(a) : tombstoneTime(mine)
    const oursBy = isThere(x) ? originOf(x) : tombstoneOrigin(mine)
    const other = isThere(y) ? timeIn(b) : tombstoneTime(theirs)
    const otherBy = isThere(y) ? originOf(y) : tombstoneOrigin(theirs)
    const order = compareStamps(ours, oursBy, other, otherBy)
    if (order != 0 && (ours <= seenOf(from, oursBy) || other <= seenOf(into, otherBy))) continue
    count++
    if (order == 0) twins++
    if (remarksNext()) {
      remarks++
      if (order >= 0) logConflict(into, row, column, ours, oursBy, other, otherBy)
      else logConflict(into, row, column, other, otherBy, ours, oursBy)
    }
    if (listCount(listed) >= list) continue
    const entry = addEntry(listed, ENTRY)
    setU32(entry, row)
    setU32(entry + 4, column)
    setI64(entry + 8, order >= 0 ? ours : other)
    setI64(entry + 16, order >= 0 ? other : ours)
    setU32(entry + 24, order >= 0 ? oursBy : otherBy)
    setU32(entry + 28, order >= 0 ? otherBy : oursBy)
    setU32(entry + 32, order == 0 ? 1 : 0)
  }
  return count
}

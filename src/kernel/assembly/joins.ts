import { copyBytes, getU64, setU64, takeStatic, zeroBytes } from './memory'
import { giveBlock, takeBlock } from './blocks'
import { compareStamps } from './origins'
import {
  cellAt,
  dropTombstone,
  hasTombstone,
  noteChange,
  sameStamp,
  sameTombstone,
  setCell,
  setTombstone,
  timeIn,
  tombstoneOrigin,
  tombstoneTime,
  wordIn,
} from './records'
import { CELL, ROW_HEADER } from './tables'
import { compareValues, isThere, originOf, release, retain, sameValue } from './values'

/*
 * Rows joined and compared, on records and on scratch records of the same form. A scratch record borrows its values: it
 * stands only until something is released.
 */

/** The widest row: 500 columns. */
const WIDEST: u32 = ROW_HEADER + 512 * CELL

/** Scratch records. */
export let joined: usize = 0
export let joinedLog: usize = 0
export let part: usize = 0
export let incoming: usize = 0
let grown: usize = 0

export function initJoins(): void {
  joined = takeStatic(WIDEST)
  joinedLog = takeStatic(WIDEST)
  part = takeStatic(WIDEST)
  incoming = takeStatic(WIDEST)
  grown = takeStatic(WIDEST)
}

function bytesOf(columns: u32): u32 {
  return ROW_HEADER + columns * CELL
}

/** An empty row. */
export function clearRow(record: usize, columns: u32): void {
  zeroBytes(record, bytesOf(columns))
}

/** Copies a row into a scratch record, without its flags; `from` may be 0. */
export function borrow(to: usize, from: usize, columns: u32): void {
  if (from == 0) clearRow(to, columns)
  else {
    copyBytes(to, from, bytesOf(columns))
    setU64(to, getU64(from) & 0xfffff & ~0xe)
  }
}

/** Whether two cells show the same register. */
export function sameCell(a: usize, b: usize): bool {
  const x = wordIn(a)
  const y = wordIn(b)
  if (isThere(x) != isThere(y)) return false
  return !isThere(x) || (sameStamp(a, b) && sameValue(x, y))
}

/** Whether the register in `cell` is later than another: by stamp, and between equal stamps by the bytes of the value. */
export function isLater(time: i64, word: u64, than: usize): bool {
  const other = wordIn(than)
  if (!isThere(other)) return isThere(word)
  if (!isThere(word)) return false
  if (time > timeIn(than)) return true
  const order = compareStamps(time, originOf(word), timeIn(than), originOf(other))
  return order > 0 || (order == 0 && compareValues(word, other) > 0)
}

/** Brings a scratch record into normal form. */
export function normalise(record: usize, columns: u32): void {
  if (!hasTombstone(record)) return
  const time = tombstoneTime(record)
  const origin = tombstoneOrigin(record)
  let outlived = true
  for (let column: u32 = 0; column < columns; column++) {
    const cell = cellAt(record, column)
    const word = wordIn(cell)
    if (isThere(word) && compareStamps(timeIn(cell), originOf(word), time, origin) <= 0) setCell(cell, 0, 0)
    if (!isThere(wordIn(cell))) outlived = false
  }
  if (outlived) dropTombstone(record)
}

/** Joins another row into a scratch record, then normal form. */
export function joinInto(scratch: usize, other: usize, columns: u32): void {
  for (let column: u32 = 0; column < columns; column++) {
    const cell = cellAt(scratch, column)
    const theirs = cellAt(other, column)
    if (isLater(timeIn(theirs), wordIn(theirs), cell)) setCell(cell, timeIn(theirs), wordIn(theirs))
  }
  if (hasTombstone(other)) raiseTombstone(scratch, tombstoneTime(other), tombstoneOrigin(other))
  normalise(scratch, columns)
}

/** Joins a tombstone, without normal form. */
export function raiseTombstone(scratch: usize, time: i64, origin: u32): void {
  if (hasTombstone(scratch) && compareStamps(time, origin, tombstoneTime(scratch), tombstoneOrigin(scratch)) <= 0) {
    return
  }
  setTombstone(scratch, time, origin)
}

/** Whether two rows have the same registers and tombstone. `b` may be 0. */
export function sameRow(a: usize, b: usize, columns: u32): bool {
  if (!sameTombstone(a, b)) return false
  for (let column: u32 = 0; column < columns; column++) {
    if (b == 0 ? isThere(wordIn(cellAt(a, column))) : !sameCell(cellAt(a, column), cellAt(b, column))) return false
  }
  return true
}

/** What of row `now` is new against `before` (which may be 0), into a scratch record. */
export function difference(to: usize, now: usize, before: usize, columns: u32): void {
  clearRow(to, columns)
  for (let column: u32 = 0; column < columns; column++) {
    const cell = cellAt(now, column)
    if (!isThere(wordIn(cell)) || (before != 0 && sameCell(cell, cellAt(before, column)))) continue
    setCell(cellAt(to, column), timeIn(cell), wordIn(cell))
  }
  if (hasTombstone(now) && !sameTombstone(now, before)) setTombstone(to, tombstoneTime(now), tombstoneOrigin(now))
}

/** How many distinct stamps a row has: the records that it takes in a log. */
export function distinctStamps(record: usize, columns: u32): u32 {
  let count: u32 = hasTombstone(record) ? 1 : 0
  for (let column: u32 = 0; column < columns; column++) {
    const cell = cellAt(record, column)
    if (!isThere(wordIn(cell))) continue
    const origin = originOf(wordIn(cell))
    let known: bool = hasTombstone(record) && tombstoneTime(record) == timeIn(cell) && tombstoneOrigin(record) == origin
    for (let other: u32 = 0; other < column && !known; other++) {
      known = isThere(wordIn(cellAt(record, other))) && sameStamp(cellAt(record, other), cell)
    }
    if (!known) count++
  }
  return count
}

/** Makes a replica's row what a scratch record says; flags and place on the change list stay. */
export function install(record: usize, scratch: usize, columns: u32): void {
  noteChange()
  for (let column: u32 = 0; column < columns; column++) {
    const cell = cellAt(record, column)
    const now = cellAt(scratch, column)
    const before = wordIn(cell)
    if (before != wordIn(now)) {
      retain(wordIn(now))
      release(before)
    }
    setCell(cell, timeIn(now), wordIn(now))
  }
  dropTombstone(record)
  if (hasTombstone(scratch)) setTombstone(record, tombstoneTime(scratch), tombstoneOrigin(scratch))
}

/** A copy of a row that keeps its values; the caller gives it back. There must be room for a block of its size. */
export function snapshot(record: usize, columns: u32): usize {
  const copy = takeBlock(bytesOf(columns))
  borrow(copy, record, columns)
  for (let column: u32 = 0; column < columns; column++) retain(wordIn(cellAt(copy, column)))
  return copy
}

export function giveSnapshot(copy: usize, columns: u32): void {
  for (let column: u32 = 0; column < columns; column++) release(wordIn(cellAt(copy, column)))
  giveBlock(copy, bytesOf(columns))
}

/** Joins a row into a snapshot. */
export function joinSnapshot(copy: usize, other: usize, columns: u32): void {
  borrow(grown, copy, columns)
  joinInto(grown, other, columns)
  install(copy, grown, columns)
}

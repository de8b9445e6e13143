import { getI64, getU32, getU64, setI64, setU32, setU64 } from './memory'
import { pagesForBlock, takeZeroed } from './blocks'
import { denseNumber, GROUP_BITS, GROUP_ROWS, groupsInUse, inlineRecord, keyLength, tableOf } from './keys'
import { replicaAt, ROWS } from './replicas'
import { CELL, columnsOf, ROW_HEADER, rowBytes } from './tables'
import { isThere, originOf, valueLength } from './values'
import { capacityOf, entryAt, makeRoom } from './vectors'

/*
 * A row of one replica, in normal form. It stands behind its key (keys.ts) or, for replicas that joined later and for
 * wide rows, in a block of its group's 256 rows; the replica's directory has an entry per group: +0 the block, +4 bytes
 * of a row. All zero is a row that the replica never had.
 *
 *   +0  header: bits 0-3 flags, 4-19 the tombstone's origin, 20-63 the row's place on the change list: the record that
 *       put it there, 0 for none
 *   +8  the tombstone's time
 *   +16 per value column a cell of 16 bytes: +0 the stamp's time, +8 the value's word with the stamp's origin
 *
 * The same form, without the flags but the first, serves for parts of rows and for images.
 */

/** It has a tombstone. */
export const TOMBSTONE: u64 = 1
/** It was looked up in the database. */
export const COMPLETE: u64 = 2
/** It was written since the last commit: ROLLBACK has its image. */
export const WRITTEN_SINCE: u64 = 4
/** It has something in asides.ts. */
export const ASIDE: u64 = 8

const ORIGIN_SHIFT: u64 = 4
const ORIGIN_MASK: u64 = 0xffff << 4
const LATEST_SHIFT: u64 = 20
const LATEST_MASK: u64 = ~0xfffff
const TOMBSTONE_MASK: u64 = ORIGIN_MASK | TOMBSTONE

const ENTRY: u32 = 8

/** Where a replica's row is; 0 where it has no place yet. */
export function recordAt(replica: u32, row: u32): usize {
  const inline = inlineRecord(replica, row, rowBytes(tableOf(row)))
  if (inline != 0) return inline
  const directory = replicaAt(replica) + ROWS
  const dense = denseNumber(row)
  const group = dense >> GROUP_BITS
  if (group >= capacityOf(directory)) return 0
  const entry = entryAt(directory, group, ENTRY)
  const block = getU32(entry) as usize
  return block == 0 ? 0 : block + (dense & (GROUP_ROWS - 1)) * getU32(entry + 4)
}

/** The same, made where it isn't there. There must be room for `pagesForRecord`. */
export function recordFor(replica: u32, row: u32): usize {
  const record = recordAt(replica, row)
  if (record != 0) return record
  const directory = replicaAt(replica) + ROWS
  const group = denseNumber(row) >> GROUP_BITS
  const bytes = rowBytes(tableOf(row))
  makeRoom(directory, group, ENTRY)
  const entry = entryAt(directory, group, ENTRY)
  setU32(entry, takeZeroed(bytes * GROUP_ROWS) as u32)
  setU32(entry + 4, bytes)
  return recordAt(replica, row)
}

/** Pages that `recordFor` of a row of the table may take at the most. */
export function pagesForRecord(table: u32): u32 {
  return pagesForBlock(rowBytes(table) * GROUP_ROWS) + pagesForBlock((groupsInUse() + 1) * ENTRY * 2 + 256)
}

export function cellAt(record: usize, column: u32): usize {
  return record + ROW_HEADER + column * CELL
}

export function timeIn(cell: usize): i64 {
  return getI64(cell)
}

export function wordIn(cell: usize): u64 {
  return getU64(cell + 8)
}

/** How often a replica's row was changed: what was worked out from all rows is good as long as it stays. */
let changes: u64 = 0

export function changeCount(): u64 {
  return changes
}

export function noteChange(): void {
  changes++
}

export function setCell(cell: usize, time: i64, word: u64): void {
  setI64(cell, time)
  setU64(cell + 8, word)
}

export function hasTombstone(record: usize): bool {
  return (getU64(record) & TOMBSTONE) != 0
}

export function tombstoneTime(record: usize): i64 {
  return getI64(record + 8)
}

export function tombstoneOrigin(record: usize): u32 {
  return (getU64(record) >> ORIGIN_SHIFT) as u32 & 0xffff
}

export function setTombstone(record: usize, time: i64, origin: u32): void {
  setU64(record, (getU64(record) & ~ORIGIN_MASK) | TOMBSTONE | ((origin as u64) << ORIGIN_SHIFT))
  setI64(record + 8, time)
}

export function dropTombstone(record: usize): void {
  setU64(record, getU64(record) & ~TOMBSTONE_MASK)
  setI64(record + 8, 0)
}

/** The record that put the row where it is on the change list; 0 for none. */
export function latestOf(record: usize): u64 {
  return getU64(record) >> LATEST_SHIFT
}

export function setLatest(record: usize, latest: u64): void {
  setU64(record, (getU64(record) & ~LATEST_MASK) | (latest << LATEST_SHIFT))
}

/** Whether there is neither a tombstone nor an aside: what there is of it stands in its cells. */
export function isPlain(record: usize): bool {
  return (getU64(record) & (TOMBSTONE | ASIDE)) == 0
}

export function hasFlag(record: usize, flag: u64): bool {
  return (getU64(record) & flag) != 0
}

export function setFlag(record: usize, flag: u64): void {
  setU64(record, getU64(record) | flag)
}

export function clearFlag(record: usize, flag: u64): void {
  setU64(record, getU64(record) & ~flag)
}

/** Whether a row exists: it has a register. `record` may be 0. */
export function existsIn(record: usize, columns: u32): bool {
  if (record == 0) return false
  for (let column: u32 = 0; column < columns; column++) if (isThere(wordIn(cellAt(record, column)))) return true
  return false
}

/** Whether there is anything at all: a register or a tombstone. */
export function isKnown(record: usize, columns: u32): bool {
  return record != 0 && (hasTombstone(record) || existsIn(record, columns))
}

/** Whether two cells are the same: both none, or value and stamp the same. Words of one value may differ by their block. */
export function sameStamp(a: usize, b: usize): bool {
  return timeIn(a) == timeIn(b) && originOf(wordIn(a)) == originOf(wordIn(b))
}

/** Whether two tombstones are the same. Either may be 0. */
export function sameTombstone(a: usize, b: usize): bool {
  const x = a == 0 ? 0 : getU64(a) & TOMBSTONE_MASK
  const y = b == 0 ? 0 : getU64(b) & TOMBSTONE_MASK
  return x == y && (x == 0 || tombstoneTime(a) == tombstoneTime(b))
}

/** About what a stamp takes, for bounds in bytes. */
const STAMP_BYTES: u32 = 40

/** About the bytes of a row's key, values and stamps, for bounds. */
export function bytesAbout(record: usize, row: u32): f64 {
  let bytes = keyLength(row) + (hasTombstone(record) ? STAMP_BYTES : 0)
  const columns = columnsOf(tableOf(row))
  for (let column: u32 = 0; column < columns; column++) {
    const word = wordIn(cellAt(record, column))
    if (isThere(word)) bytes += STAMP_BYTES + valueLength(word)
  }
  return bytes as f64
}

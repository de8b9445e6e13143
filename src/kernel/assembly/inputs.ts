import { getU32, setU32, setU64, takeStatic } from './memory'
import { giveBlock, pagesForBlock, takeBlock } from './blocks'
import { borrow, clearRow, incoming, joined, normalise } from './joins'
import { hashKey } from './key-index'
import { findRow, internRow } from './keys'
import { roomFor } from './pages'
import { cellAt, setCell, setTombstone, wordIn } from './records'
import { pagesForRow, removeRow, restoreRemove, restoreSet, setRow } from './rows'
import { CELL } from './tables'
import { contentOf, isThere, NULL_CONTENT, pagesForValue, release } from './values'

/*
 * Single statements from the wrapper: it writes the key, and per cell column and length (0xffffffff for null), into the
 * areas here, the values one after the other into `valueArea`.
 */

const MOST_CELLS: u32 = 512
const NULL_LENGTH: u32 = 0xffffffff

/** Instead of an outcome: memory is full, and nothing was done. */
const NO_MEMORY: u32 = 3

let keyArea: usize = 0
let shapeArea: usize = 0
let cells: usize = 0
let values: usize = 0
let valueBytes: u32 = 0

export function initInputs(): void {
  keyArea = takeStatic(4096)
  shapeArea = takeStatic(MOST_CELLS * 8)
  cells = takeStatic(MOST_CELLS * CELL)
}

export function inputKey(): usize {
  return keyArea
}

export function inputShape(): usize {
  return shapeArea
}

/** An area for so many bytes of values; 0 where memory is full. */
export function inputValues(bytes: u32): usize {
  if (bytes <= valueBytes) return values
  if (!roomFor(pagesForBlock(bytes * 2))) return 0
  if (values != 0) giveBlock(values, valueBytes)
  valueBytes = bytes * 2 < 4096 ? 4096 : bytes * 2
  values = takeBlock(valueBytes)
  return values
}

/** The row of the key in the key area; -1 where it wasn't met. */
export function findInput(table: u32, keyBytes: u32): i32 {
  return findRow(table, keyArea, keyBytes, hashKey(table, keyArea, keyBytes)) as i32
}

/** The same, made where it wasn't met; -2 where memory is full. `replica`'s record of it can be made as well. */
export function internInput(replica: u32, table: u32, keyBytes: u32): i32 {
  const hash = hashKey(table, keyArea, keyBytes)
  if (!roomFor(pagesForRow(replica, table))) return -2
  return internRow(table, keyArea, keyBytes, hash) as i32
}

/** Whether there is room for a write of the key with its values. */
function roomForInput(replica: u32, table: u32, count: u32): bool {
  let pages = pagesForRow(replica, table)
  for (let i: u32 = 0; i < count; i++) {
    const bytes = getU32(shapeArea + i * 8 + 4)
    if (bytes != NULL_LENGTH) pages += pagesForValue(bytes)
  }
  return roomFor(pages)
}

/** Makes contents of the values; they belong to the caller. */
function takeCells(count: u32): void {
  let at = values
  for (let i: u32 = 0; i < count; i++) {
    const bytes = getU32(shapeArea + i * 8 + 4)
    setU32(cells + i * CELL, getU32(shapeArea + i * 8))
    setU64(cells + i * CELL + 8, bytes == NULL_LENGTH ? NULL_CONTENT : contentOf(at, bytes))
    if (bytes != NULL_LENGTH) at += bytes
  }
}

export function setInput(replica: u32, table: u32, keyBytes: u32, count: u32, time: i64, origin: u32): u32 {
  const hash = hashKey(table, keyArea, keyBytes)
  if (!roomForInput(replica, table, count)) return NO_MEMORY
  takeCells(count)
  const row = internRow(table, keyArea, keyBytes, hash)
  return setRow(replica, row, time, origin, cells, count)
}

export function removeInput(replica: u32, table: u32, keyBytes: u32, time: i64, origin: u32): u32 {
  const row = internInput(replica, table, keyBytes)
  return row == -2 ? NO_MEMORY : removeRow(replica, row as u32, time, origin)
}

/** 0, or NO_MEMORY. */
export function restoreInput(
  replica: u32,
  table: u32,
  keyBytes: u32,
  count: u32,
  time: i64,
  origin: u32,
  deleted: bool,
): u32 {
  const hash = hashKey(table, keyArea, keyBytes)
  if (!roomForInput(replica, table, count)) return NO_MEMORY
  const row = internRow(table, keyArea, keyBytes, hash)
  if (deleted) restoreRemove(replica, row, time, origin)
  else {
    takeCells(count)
    restoreSet(replica, row, time, origin, cells, count)
  }
  return 0
}

/** Begins a row that is to be learned. */
export function clearIncoming(columns: u32): void {
  clearRow(incoming, columns)
}

/** A register of it, its value (or null) from the value area; false where memory is full. */
export function incomingCell(column: u32, bytes: u32, time: i64, origin: u32): bool {
  if (bytes != NULL_LENGTH && !roomFor(pagesForValue(bytes))) return false
  const content = bytes == NULL_LENGTH ? NULL_CONTENT : contentOf(values, bytes)
  setCell(cellAt(incoming, column), time, content | (origin as u64))
  return true
}

export function incomingTombstone(time: i64, origin: u32): void {
  setTombstone(incoming, time, origin)
}

/** Its normal form. */
export function normaliseIncoming(columns: u32): void {
  borrow(joined, incoming, columns)
  normalise(joined, columns)
  for (let column: u32 = 0; column < columns; column++) {
    if (!isThere(wordIn(cellAt(joined, column)))) release(wordIn(cellAt(incoming, column)))
  }
  borrow(incoming, joined, columns)
}

/** Gives up a row that was begun. */
export function dropIncoming(columns: u32): void {
  for (let column: u32 = 0; column < columns; column++) {
    const cell = cellAt(incoming, column)
    release(wordIn(cell))
    setCell(cell, 0, 0)
  }
}

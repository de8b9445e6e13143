import { getU32, setU32 } from './memory'

/*
 * The operations of a batch, as the scanner found them: 64 at a time, so that what the caches miss overlaps.
 *
 *   +0  its head (scan-heads.ts): replica, table, kind      +32 bytes of the line
 *   +4  canonical key                                       +36 flags, and bytes of the origin
 *   +8  bytes of it                                         +40 the stamp's origin as text
 *   +12 its hash                                            +44 how many cells
 *   +16 lines before it                                     +48 the stamp's time
 *   +20 the key's text; in a log the record's number         +56 cells: +0 column, +4 bytes or NULL_BYTES, +8 text
 *   +24 bytes of it                                         +60 a held key that is likely this one, 0 for none
 *   +28 where the line begins
 */

export const BATCH: u32 = 64
export const OPERATION: u32 = 64

export const HEAD: u32 = 0
export const KEY: u32 = 4
export const KEY_BYTES: u32 = 8
export const HASH: u32 = 12
export const LINES_BEFORE: u32 = 16
export const TEXT: u32 = 20
export const RECORD: u32 = 20
export const TEXT_BYTES: u32 = 24
export const LINE: u32 = 28
export const LINE_BYTES: u32 = 32
export const FLAGS: u32 = 36
export const ORIGIN: u32 = 40
export const CELL_COUNT: u32 = 44
export const TIME: u32 = 48
export const CELLS: u32 = 56
export const LIKELY: u32 = 60

/** It has a stamp of its own. */
export const STAMPED: u32 = 0x10000
/** The key's text in the script isn't its one spelling. */
export const RESPELLED: u32 = 0x20000
/** The lower bits of the flags. */
export const ORIGIN_BYTES: u32 = 0xffff

/** A cell that is null. */
export const NULL_BYTES: u32 = 0xffffffff
export const SCANNED_CELL: u32 = 16
/** Columns that one line may name. */
export const MOST_CELLS: u32 = 64
/** The longest key is 2,000 bytes. */
const MOST_KEY: u32 = 2048

const PAGE: u32 = 65536
const KEY_PAGES: u32 = (BATCH * MOST_KEY) / PAGE
/** The operations, with room behind them for others; the keys; the cells. */
export const BATCH_PAGES: u32 = 1 + KEY_PAGES + 1
export const OPERATIONS_BYTES: u32 = BATCH * OPERATION

let operations: usize = 0
let keys: usize = 0
let cells: usize = 0
let keyEnd: usize = 0
let cellEnd: usize = 0

export function openBatch(pages: usize): void {
  operations = pages
  keys = pages + PAGE
  cells = keys + KEY_PAGES * PAGE
  clearBatch()
}

export function clearBatch(): void {
  keyEnd = keys
  cellEnd = cells
}

export function operationAt(i: u32): usize {
  return operations + i * OPERATION
}

/** Where the next key and the next cells are put. */
export function nextKey(): usize {
  return keyEnd
}

export function nextCells(): usize {
  return cellEnd
}

/** Keeps what was put there for an operation. */
export function keepKey(op: usize, end: usize): void {
  setU32(op + KEY, keyEnd as u32)
  setU32(op + KEY_BYTES, (end - keyEnd) as u32)
  keyEnd = end
}

export function keepCells(op: usize, count: u32): void {
  setU32(op + CELLS, cellEnd as u32)
  setU32(op + CELL_COUNT, count)
  cellEnd += count * SCANNED_CELL
}

export function cellOf(op: usize, i: u32): usize {
  return (getU32(op + CELLS) as usize) + i * SCANNED_CELL
}

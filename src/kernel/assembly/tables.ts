import { copyBytes, getU32, setU32, SLACK, takeStatic, zeroBytes } from './memory'
import { takeBlock } from './blocks'
import { entryAt, makeRoom } from './vectors'

/*
 * Tables by number. To the kernel a table is its number of value columns and their names; what types they have, only
 * the scanner and the batches ask.
 *
 * An entry: +0 value columns, +4 bytes of a row, +8 the group of rows that is being filled + 1, +12 rows in it,
 * +16 key columns, +20 the names of the value columns: per column +0 address, +4 length; +24 per key column the width of
 * its part of the key bytes (u32), 0 for text.
 */

const ENTRY: u32 = 28
/** A row: its header and the tombstone's time, then a cell of 16 bytes per column. */
export const ROW_HEADER: u32 = 16
export const CELL: u32 = 16

let entries: usize = 0
let count: u32 = 0

export function initTables(): void {
  entries = takeStatic(8)
}

export function tableCount(): u32 {
  return count
}

export function tableAt(table: u32): usize {
  return entryAt(entries, table, ENTRY)
}

export function columnsOf(table: u32): u32 {
  return getU32(tableAt(table))
}

/** Bytes of a row of the table. */
export function rowBytes(table: u32): u32 {
  return getU32(tableAt(table) + 4)
}

export function keyColumnsOf(table: u32): u32 {
  return getU32(tableAt(table) + 16)
}

/** The width of a key column's part of the key bytes: 0 for text, else `KEY_ESCAPED` or a number of bytes. */
export function keyWidth(table: u32, column: u32): u32 {
  return getU32((getU32(tableAt(table) + 24) as usize) + column * 4)
}

/** Of a part that is escaped as text is, but isn't text. */
export const KEY_ESCAPED: u32 = 0xffff

/**
 * Adds a table; false where memory is full.
 * @param shape per key column its width (u32), per value column its name's length (u32), then the names themselves
 */
export function addTable(keyColumns: u32, columns: u32, shape: usize): bool {
  if (!makeRoom(entries, count, ENTRY)) return false
  const directory = takeBlock(columns * 8)
  const widths = takeBlock(keyColumns * 4)
  if (directory == 0 || widths == 0) return false
  copyBytes(widths, shape, keyColumns * 4)
  const names = shape + keyColumns * 4
  let from = names + columns * 4
  for (let column: u32 = 0; column < columns; column++) {
    const bytes = getU32(names + column * 4)
    const kept = takeBlock(bytes + SLACK)
    if (kept == 0) return false
    copyBytes(kept, from, bytes)
    from += bytes
    setU32(directory + column * 8, kept as u32)
    setU32(directory + column * 8 + 4, bytes)
  }
  const entry = tableAt(count)
  zeroBytes(entry, ENTRY)
  setU32(entry, columns)
  setU32(entry + 4, ROW_HEADER + columns * CELL)
  setU32(entry + 16, keyColumns)
  setU32(entry + 20, directory as u32)
  setU32(entry + 24, widths as u32)
  count++
  return true
}

export function columnName(table: u32, column: u32): usize {
  return getU32((getU32(tableAt(table) + 20) as usize) + column * 8) as usize
}

export function columnNameLength(table: u32, column: u32): u32 {
  return getU32((getU32(tableAt(table) + 20) as usize) + column * 8 + 4)
}

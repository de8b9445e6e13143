import { copyBytes, getU16, getU32, getU8, setU16, setU32, setU8, SLACK, takeStatic, zeroBytes } from './memory'
import { findEntry, KEY, LENGTH_BITS, pagesForIndex, putEntry } from './key-index'
import { PAGE_BYTES, takePages } from './pages'
import { replicaCount } from './replicas'
import { rowBytes, tableAt } from './tables'
import { entryAt, makeRoom } from './vectors'

/*
 * Every key that was met, of all tables, once, with the rows of the first replicas behind it: what a statement needs of
 * a row lies side by side. Entries are put into pages one after the other and stay where they are: a row's number is
 * its entry's address in units of 16 bytes, and all replicas share it. A page: +0 the next one, +4 bytes in use.
 *
 *   +0 dense number     +4 table, +6 length of the key in bits 0-10, rows behind it in bits 11-13, bit 14 touched
 *   +8 the key's canonical bytes, then, at a multiple of 16, a row for each of the first replicas (records.ts)
 *
 * Rows of further replicas, and wide ones, stand in blocks of their replica, found by the dense number. Dense numbers
 * come in groups of 256, each group of one table.
 */

export const NO_ROW: u32 = 0xffffffff

/** Dense numbers of a group, as a power of two. */
export const GROUP_BITS: u32 = 8
export const GROUP_ROWS: u32 = 256

const INLINE_SHIFT: u32 = 11
const TOUCHED: u32 = 0x40
/** Of the byte that has it. */
const TOUCHED_AT: u32 = 7
/** Rows of so many replicas at the most stand behind a key, and no more bytes of them than this. */
const MOST_INLINE: u32 = 7
export const MOST_INLINE_BYTES: u32 = 1024
/** Dense numbers of a page that tells their rows. */
const NUMBERS: u32 = PAGE_BYTES / 4
/** Keys of one length then mostly begin where a cache line does. */
const FIRST_ENTRY: u32 = 64
const NEXT_LINE: u32 = 64

/** The groups' vector: per group the rows in it. */
let groups: usize = 0
let groupCount: u32 = 0
let rows: u32 = 0
/** Rows by dense number: a vector of pages. */
let numbers: usize = 0
let firstPage: usize = 0
let page: usize = 0

export function initKeys(): void {
  groups = takeStatic(8)
  numbers = takeStatic(8)
}

/** Distinct keys met. */
export function rowCount(): u32 {
  return rows
}

/** Groups of dense numbers in use. */
export function groupsInUse(): u32 {
  return groupCount
}

function addressOf(row: u32): usize {
  return (row as usize) << 4
}

/** The row whose entry is at `entry`. */
export function rowOfEntry(entry: usize): u32 {
  return (entry >> 4) as u32
}

/** Reads a key's entry and what mostly stands behind it, so that both are near. */
export function touchEntry(row: u32): u32 {
  const entry = addressOf(row)
  return getU32(entry) + getU32(inPage(entry, entry + NEXT_LINE))
}

/** An address behind an entry's, where it is in the same page: another might be beyond the memory. */
export function inPage(entry: usize, p: usize): usize {
  return (p + 4) >> 16 == entry >> 16 ? p : entry
}

export function tableOf(row: u32): u32 {
  return getU16(addressOf(row) + 4)
}

export function keyStart(row: u32): usize {
  return addressOf(row) + KEY
}

export function keyLength(row: u32): u32 {
  return getU16(addressOf(row) + 6) & LENGTH_BITS
}

export function denseNumber(row: u32): u32 {
  return getU32(addressOf(row))
}

/** The row of a dense number that is in use. */
export function rowOfDense(dense: u32): u32 {
  return getU32(getU32(entryAt(numbers, dense / NUMBERS, 4)) + (dense % NUMBERS) * 4)
}

/** Where the row of a replica stands behind its key; 0 where it stands elsewhere. */
export function inlineRecord(replica: u32, row: u32, bytes: u32): usize {
  const entry = addressOf(row)
  const shape = getU16(entry + 6)
  if (replica >= ((shape >> INLINE_SHIFT) & 7)) return 0
  return recordBehind(entry, shape & LENGTH_BITS) + replica * bytes
}

/** Where the first row stands behind a key of so many bytes. */
export function recordBehind(entry: usize, keyBytes: u32): usize {
  return entry + ((KEY + keyBytes + 15) & ~15)
}

/** Marks a row as written or taken in this session: a key of the digest. */
export function touch(row: u32): void {
  const at = addressOf(row) + TOUCHED_AT
  setU8(at, getU8(at) | TOUCHED)
}

export function isTouched(row: u32): bool {
  return (getU8(addressOf(row) + TOUCHED_AT) & TOUCHED) != 0
}

export function clearTouched(row: u32): void {
  const at = addressOf(row) + TOUCHED_AT
  setU8(at, getU8(at) & ~TOUCHED)
}

/** The row of a key, NO_ROW where it wasn't met. */
export function findRow(table: u32, p: usize, bytes: u32, hash: u32): u32 {
  const entry = findEntry(table, p, bytes, hash)
  return entry == 0 ? NO_ROW : rowOfEntry(entry)
}

/** The row of a key, a new one where it wasn't met. There must be room for `pagesForKey`. */
export function internRow(table: u32, p: usize, bytes: u32, hash: u32): u32 {
  const entry = findEntry(table, p, bytes, hash)
  return entry == 0 ? add(table, p, bytes, hash) : rowOfEntry(entry)
}

/** Pages that a new key may take at the most: for its entry, its dense number, the vectors of both, the index. */
export function pagesForKey(): u32 {
  return 4 + (groupCount * 8) / PAGE_BYTES + pagesForIndex()
}

/** Rows that stand behind a new key of a table. */
function inlineRows(table: u32): u32 {
  const replicas = replicaCount() < MOST_INLINE ? replicaCount() : MOST_INLINE
  return replicas * rowBytes(table) <= MOST_INLINE_BYTES ? replicas : 0
}

function add(table: u32, p: usize, bytes: u32, hash: u32): u32 {
  const inline = inlineRows(table)
  const entry = takeEntry(((KEY + bytes + 15) & ~15) + inline * rowBytes(table))
  setU32(entry, newDense(table))
  setU16(entry + 4, table)
  setU16(entry + 6, bytes | (inline << INLINE_SHIFT))
  copyBytes(entry + KEY, p, bytes)
  putEntry(entry, hash)
  noteNumber(getU32(entry), rowOfEntry(entry))
  rows++
  return rowOfEntry(entry)
}

function noteNumber(dense: u32, row: u32): void {
  makeRoom(numbers, dense / NUMBERS, 4)
  const page = entryAt(numbers, dense / NUMBERS, 4)
  if (getU32(page) == 0) setU32(page, takePages(1) as u32)
  setU32(getU32(page) + (dense % NUMBERS) * 4, row)
}

/** Zeroed bytes behind the last entry. */
function takeEntry(bytes: u32): usize {
  if (page == 0 || getU32(page + 4) + bytes + SLACK > PAGE_BYTES) {
    const next = takePages(1)
    setU32(next, 0)
    setU32(next + 4, FIRST_ENTRY)
    if (page == 0) firstPage = next
    else setU32(page, next as u32)
    page = next
  }
  const used = getU32(page + 4)
  zeroBytes(page + used, bytes)
  setU32(page + 4, used + bytes)
  return page + used
}

/** The next dense number of a table. */
function newDense(table: u32): u32 {
  const state = tableAt(table)
  if (getU32(state + 8) == 0 || getU32(state + 12) == GROUP_ROWS) {
    makeRoom(groups, groupCount, 4)
    setU32(state + 8, ++groupCount)
    setU32(state + 12, 0)
  }
  const used = getU32(state + 12)
  setU32(state + 12, used + 1)
  setU32(entryAt(groups, getU32(state + 8) - 1, 4), used + 1)
  return ((getU32(state + 8) - 1) << GROUP_BITS) + used
}

/* A walk over all rows, in the order in which their keys were met. */
let walkedPage: usize = 0
let walkedAt: u32 = 0

export function walkRows(): void {
  walkedPage = firstPage
  walkedAt = FIRST_ENTRY
}

/** The next row of the walk, NO_ROW at its end. */
export function nextRow(): u32 {
  while (walkedPage != 0 && walkedAt >= getU32(walkedPage + 4)) {
    walkedPage = getU32(walkedPage) as usize
    walkedAt = FIRST_ENTRY
  }
  if (walkedPage == 0) return NO_ROW
  const entry = walkedPage + walkedAt
  const shape = getU16(entry + 6)
  walkedAt += ((KEY + (shape & LENGTH_BITS) + 15) & ~15) + ((shape >> INLINE_SHIFT) & 7) * rowBytes(getU16(entry + 4))
  return rowOfEntry(entry)
}

import { copyBytes, getU16, getU32, getU8, setU32, setU8, takeStatic } from './memory'
import { givePages, pagesFor, roomToRead, takePages } from './pages'
import { keyLength, keyStart, tableOf } from './keys'
import { firstPick, nextPick } from './picks'
import { originName, originNameLength } from './origins'
import { cellAt, hasTombstone, recordAt, timeIn, tombstoneOrigin, tombstoneTime, wordIn } from './records'
import { columnsOf, KEY_ESCAPED, keyColumnsOf, keyWidth } from './tables'
import { putTime, TIME_BYTES } from './times'
import { isNull, isThere, originOf, valueLength, valueStart } from './values'

/*
 * The rows that were picked, of one table, as a neutral batch (`core/batch.ts`): columns of texts, side by side in one
 * run of pages that the caller gives back. Key columns first, then values, their stamps, and the tombstone's stamp. A
 * key column that isn't text comes as its part of the key bytes.
 *
 * The columns, 24 bytes each: +0 bytes of all texts, +4 where they begin, +8 the ends (u32 per row), +12 the nulls (a
 * byte per row, 0 where no row is null), +16 where the next text goes, +20 null rows.
 */

const COLUMN: u32 = 24
/** Most columns of a batch: keys, values, stamps, tombstone. */
const MOST: u32 = 1002
const AT: u32 = 0x40

let columns: usize = 0
let scratch: usize = 0
let run: usize = 0
let runPages: u32 = 0
let rows: u32 = 0
let keys: u32 = 0
let values: u32 = 0

export function initBatch(): void {
  columns = takeStatic(MOST * COLUMN)
  scratch = takeStatic(16)
}

function column(i: u32): usize {
  return columns + i * COLUMN
}

/** The columns of the last batch. */
export function batchColumns(): usize {
  return columns
}

export function batchRows(): u32 {
  return rows
}

/** Its run of pages, to be given back by the caller. */
export function batchRun(): usize {
  return run
}

export function batchPages(): u32 {
  return runPages
}

export function giveBatch(p: usize, pages: u32): void {
  givePages(p, pages)
}

/** Builds the batch of the picked rows of a table; parts that are 0 are taken from the replica. False: no memory. */
export function buildBatch(replica: u32, table: u32, keysOnly: bool): bool {
  keys = keyColumnsOf(table)
  values = keysOnly ? 0 : columnsOf(table)
  const count = keysOnly ? keys : keys + values * 2 + 1
  for (let i: u32 = 0; i < count; i++) {
    setU32(column(i), 0)
    setU32(column(i) + 20, 0)
  }
  measure(replica, table, keysOnly)
  let total: f64 = 0
  for (let i: u32 = 0; i < count; i++) total += spaceOf(i) as f64
  if (total > 2147483648.0) return false
  runPages = pagesFor(total as u32)
  if (runPages == 0) runPages = 1
  if (!roomToRead(runPages)) return false
  run = takePages(runPages)
  let at = run
  for (let i: u32 = 0; i < count; i++) at = lay(i, at)
  fill(replica, table, keysOnly)
  return true
}

/** Bytes that a column takes, each of its three parts at a multiple of eight and with slack behind. */
function spaceOf(i: u32): u32 {
  const nulls = getU32(column(i) + 20) == 0 ? 0 : rows
  return ((getU32(column(i)) + 15) & ~7) + ((rows * 4 + 15) & ~7) + ((nulls + 15) & ~7)
}

/** Lays a column out from `at` on; gives where the next one begins. */
function lay(i: u32, at: usize): usize {
  const c = column(i)
  setU32(c + 4, at as u32)
  setU32(c + 16, at as u32)
  const ends = at + ((getU32(c) + 15) & ~7)
  setU32(c + 8, ends as u32)
  setU32(c + 12, getU32(c + 20) == 0 ? 0 : ((ends + ((rows * 4 + 15) & ~7)) as u32))
  return at + spaceOf(i)
}

function grow(i: u32, bytes: u32): void {
  setU32(column(i), getU32(column(i)) + bytes)
}

function addNull(i: u32): void {
  setU32(column(i) + 20, getU32(column(i) + 20) + 1)
}

/** The bytes of each column's texts, and its null rows. */
function measure(replica: u32, table: u32, keysOnly: bool): void {
  rows = 0
  firstPick()
  for (let entry = nextPick(); entry != 0; entry = nextPick()) {
    const row = getU32(entry)
    if (tableOf(row) != table) continue
    rows++
    measureKey(table, row)
    if (keysOnly) continue
    const part = getU32(entry + 4) as usize
    measureCells(part == 0 ? recordAt(replica, row) : part)
  }
}

function measureKey(table: u32, row: u32): void {
  let from = keyStart(row)
  for (let i: u32 = 0; i < keys; i++) {
    const next = partEnd(table, i, from)
    // At most: zero bytes of a text lose what escapes them.
    grow(i, (next - from) as u32)
    from = next
  }
  assert(from == keyStart(row) + keyLength(row), 'a key has the parts of its columns')
}

function measureCells(record: usize): void {
  for (let i: u32 = 0; i < values; i++) {
    const word = wordIn(cellAt(record, i))
    if (!isThere(word) || isNull(word)) addNull(keys + i)
    else grow(keys + i, valueLength(word))
    if (isThere(word)) grow(keys + values + i, stampBytes(originOf(word)))
    else addNull(keys + values + i)
  }
  if (hasTombstone(record)) grow(keys + values * 2, stampBytes(tombstoneOrigin(record)))
  else addNull(keys + values * 2)
}

function stampBytes(origin: u32): u32 {
  return TIME_BYTES + 1 + originNameLength(origin)
}

/** Where the part of a key column ends that begins at `p`. */
function partEnd(table: u32, i: u32, p: usize): usize {
  const width = keyWidth(table, i)
  if (width != 0 && width != KEY_ESCAPED) return p + width
  let at = p
  // A zero byte ends it with 01, and goes on with ff.
  while (getU16(at) != 0x0100) at += getU8(at) == 0 ? 2 : 1
  return at + 2
}

function fill(replica: u32, table: u32, keysOnly: bool): void {
  let i: u32 = 0
  firstPick()
  for (let entry = nextPick(); entry != 0; entry = nextPick()) {
    const row = getU32(entry)
    if (tableOf(row) != table) continue
    fillKey(table, row, i)
    if (!keysOnly) {
      const part = getU32(entry + 4) as usize
      fillCells(part == 0 ? recordAt(replica, row) : part, i)
    }
    i++
  }
}

/** Ends the text of row `row` in a column at `at`. */
function endText(c: usize, row: u32, at: usize, isNone: bool): void {
  setU32(c + 16, at as u32)
  setU32((getU32(c + 8) as usize) + row * 4, (at as u32) - getU32(c + 4))
  const nulls = getU32(c + 12) as usize
  if (nulls != 0) setU8(nulls + row, isNone ? 1 : 0)
}

function fillKey(table: u32, row: u32, index: u32): void {
  let from = keyStart(row)
  for (let i: u32 = 0; i < keys; i++) {
    const c = column(i)
    const to = getU32(c + 16) as usize
    const next = partEnd(table, i, from)
    if (keyWidth(table, i) == 0) endText(c, index, unescape(to, from, next - 2), false)
    else {
      copyBytes(to, from, (next - from) as u32)
      endText(c, index, to + (next - from), false)
    }
    from = next
  }
}

/** Copies text, a zero byte in place of each pair that stands for one. */
function unescape(to: usize, from: usize, end: usize): usize {
  let at = to
  for (let p = from; p < end; p++) {
    const byte = getU8(p)
    setU8(at++, byte)
    if (byte == 0) p++
  }
  return at
}

function fillCells(record: usize, index: u32): void {
  for (let i: u32 = 0; i < values; i++) {
    const cell = cellAt(record, i)
    const word = wordIn(cell)
    const c = column(keys + i)
    const to = getU32(c + 16) as usize
    const bytes = isThere(word) ? valueLength(word) : 0
    copyBytes(to, valueStart(word, scratch), bytes)
    endText(c, index, to + bytes, !isThere(word) || isNull(word))
    fillStamp(column(keys + values + i), index, isThere(word), timeIn(cell), originOf(word))
  }
  const deleted = hasTombstone(record)
  fillStamp(column(keys + values * 2), index, deleted, tombstoneTime(record), tombstoneOrigin(record))
}

function fillStamp(c: usize, index: u32, there: bool, time: i64, origin: u32): void {
  let at = getU32(c + 16) as usize
  if (there) {
    at = putTime(at, time)
    setU8(at++, AT)
    const bytes = originNameLength(origin)
    copyBytes(at, originName(origin), bytes)
    at += bytes
  }
  endText(c, index, at, !there)
}

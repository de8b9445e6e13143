import { copyShort, copyText, getU32, setU16, setU32, setU64, setU8, takeStatic } from './memory'
import { AT, CLOSE, CLOSE_BRACE, COMMA, LF, OPEN_BRACE, SPACE } from './characters'
import {
  columnText,
  columnTextBytes,
  keyColumns,
  longestReplicaText,
  replicaText,
  replicaTextBytes,
  tableText,
  tableTextBytes,
  valueColumn,
  valueColumns,
} from './catalog'
import { putItem, roomForItem } from './items'
import { putKey } from './format-keys'
import { keyLength, keyStart, tableOf } from './keys'
import { logAt, logTo } from './logs'
import { compareStamps, originName, originNameLength } from './origins'
import { cellAt, hasTombstone, timeIn, tombstoneOrigin, tombstoneTime, wordIn } from './records'
import { originOfReplica } from './replicas'
import { putTime, TIME_BYTES } from './times'
import { isNull, isThere, originOf, valueLength, valueStart } from './values'

/* Lines of logs and results, byte for byte as `src/script/log-lines.ts` writes them. */

/** Numbers of the operations; what they write before the key. */
export const SET: u32 = 0
export const GET: u32 = 1
export const DELETE: u32 = 2
const SET_TEXT: u64 = 0x2828544553 // SET((
const GET_TEXT: u64 = 0x2828544547 // GET((
const DELETE_TEXT: u64 = 0x28284554454c4544 // DELETE((
const SHORT_TEXT: u32 = 5
const LONG_TEXT: u32 = 8

/** `), ` */
const THEN: u32 = 0x202c29
/** `\N` */
const NULL_TEXT: u32 = 0x4e5c
/** `none` */
const NONE_TEXT: u64 = 0x656e6f6e

/** All of a line but names, key and values: the stamp, its `@`, the operation, parentheses, blanks, line end. */
const FRAME: u32 = TIME_BYTES + 1 + LONG_TEXT + 16
/** A byte of a canonical key becomes six at the most; an item has quotes and a comma. */
const PER_KEY_BYTE: u32 = 6
const PER_KEY_COLUMN: u32 = 3

let scratch: usize = 0
/** The columns of the row that is being written, by stamp. */
let order: usize = 0
const MOST_COLUMNS: u32 = 512

export function initFormat(): void {
  scratch = takeStatic(8)
  order = takeStatic(MOST_COLUMNS * 4)
}

/** Bytes that a line of a replica and table takes at the most, without key, values and origin. */
export function frameBytes(replica: u32, table: u32): u32 {
  return FRAME + replicaTextBytes(replica) + tableTextBytes(table)
}

/** Bytes that a key's text takes at the most. */
export function roomForKey(table: u32, bytes: u32): u32 {
  return bytes * PER_KEY_BYTE + keyColumns(table) * PER_KEY_COLUMN
}

/** A stamp as a log has it: the origin stands where it isn't the replica's own. */
export function putStamp(to: usize, time: i64, origin: u32, replica: u32): usize {
  const end = putTime(to, time)
  if (origin == originOfReplica(replica)) return end
  const bytes = originNameLength(origin)
  setU8(end, AT)
  copyShort(end + 1, originName(origin), bytes)
  return end + 1 + bytes
}

/** `, HIVE.SET((`; without its comma where `skip` is 2. */
export function putHead(to: usize, replica: u32, table: u32, kind: u32, skip: u32): usize {
  const bytes = replicaTextBytes(replica) - skip
  copyText(to, replicaText(replica) + skip, bytes)
  to += bytes
  if (table != 0) {
    const named = tableTextBytes(table)
    copyText(to, tableText(table), named)
    to += named
  }
  setU64(to, kind == SET ? SET_TEXT : kind == GET ? GET_TEXT : DELETE_TEXT)
  return to + (kind == DELETE ? LONG_TEXT : SHORT_TEXT)
}

/** The end of a DELETE. */
export function putDeleteEnd(to: usize): usize {
  setU16(to, CLOSE | (CLOSE << 8))
  setU8(to + 2, LF)
  return to + 3
}

/** `), ` behind the key of a SET. */
export function putThen(to: usize): usize {
  setU64(to, THEN)
  return to + 3
}

/** `)` and the line end behind the values of a SET. */
export function putSetEnd(to: usize): usize {
  setU16(to, CLOSE | (LF << 8))
  return to + 2
}

/** `)) = ` behind the key of a GET. */
export function putShows(to: usize): usize {
  setU64(to, 0x203d202929)
  return to + 5
}

export function putNull(to: usize): usize {
  setU16(to, NULL_TEXT)
  return to + 2
}

function putValue(to: usize, word: u64): usize {
  return isNull(word) ? putNull(to) : putItem(to, valueStart(word, scratch), valueLength(word))
}

/** `{` before the first and `, ` before other columns of several, then the column's name. */
export function putColumnName(to: usize, table: u32, column: u32, first: bool): usize {
  if (first) setU8(to++, OPEN_BRACE)
  else {
    setU16(to, COMMA | (SPACE << 8))
    to += 2
  }
  const entry = valueColumn(table, column)
  const bytes = columnTextBytes(entry)
  copyText(to, columnText(entry), bytes)
  return to + bytes
}

/** Bytes of what a GET shows of a record, which may be 0, at the most. */
export function roomForShown(table: u32, record: usize): u32 {
  const columns = valueColumns(table)
  let bytes: u32 = 8
  if (record == 0) return bytes
  for (let column: u32 = 0; column < columns; column++) {
    bytes += columnTextBytes(valueColumn(table, column)) + 4 + roomForWord(wordIn(cellAt(record, column)))
  }
  return bytes
}

function roomForWord(word: u64): u32 {
  const bytes = valueLength(word)
  return bytes == 0 ? 2 : roomForItem(valueStart(word, scratch), bytes)
}

/** What a GET shows: all value columns of a record that exists, or none. */
export function putShown(to: usize, table: u32, record: usize, exists: bool): usize {
  if (!exists) {
    setU64(to, NONE_TEXT)
    return to + 4
  }
  const columns = valueColumns(table)
  if (columns == 1) return putValue(to, wordIn(cellAt(record, 0)))
  for (let column: u32 = 0; column < columns; column++) {
    const word = wordIn(cellAt(record, column))
    to = putColumnName(to, table, column, column == 0)
    to = isThere(word) ? putValue(to, word) : putNull(to)
  }
  setU8(to, CLOSE_BRACE)
  return to + 1
}

/** Bytes that the lines of a part of a row take at the most, in any replica's log. */
export function partBytes(row: u32, part: usize): u32 {
  const table = tableOf(row)
  const line = FRAME + longestReplicaText() + tableTextBytes(table) + roomForKey(table, keyLength(row))
  let bytes: u32 = hasTombstone(part) ? line + originNameLength(tombstoneOrigin(part)) : 0
  let lastTime: i64 = -1
  let lastOrigin: u32 = 0
  const columns = valueColumns(table)
  for (let column: u32 = 0; column < columns; column++) {
    const cell = cellAt(part, column)
    const word = wordIn(cell)
    if (!isThere(word)) continue
    bytes += columnTextBytes(valueColumn(table, column)) + 4 + roomForWord(word)
    if (timeIn(cell) == lastTime && originOf(word) == lastOrigin) continue
    lastTime = timeIn(cell)
    lastOrigin = originOf(word)
    bytes += line + originNameLength(lastOrigin)
  }
  return bytes
}

/**
 * Writes the lines of a part of a row into a replica's log, one for each distinct stamp, by rising stamps; a tombstone
 * is a DELETE. Gives their number. There must be room for `partBytes`.
 */
export function logPart(replica: u32, row: u32, part: usize): u32 {
  const table = tableOf(row)
  if (valueColumns(table) == 1 && !hasTombstone(part)) {
    if (!isThere(wordIn(cellAt(part, 0)))) return 0
    setU32(order, 0)
    logTo(replica, putSetLine(logAt(replica), replica, row, part, 0, 1))
    return 1
  }
  return logSorted(replica, row, part, sortColumns(part, valueColumns(table)))
}

/** Puts the columns of a part into `order`, by stamp; gives their number. */
function sortColumns(part: usize, columns: u32): u32 {
  let count: u32 = 0
  for (let column: u32 = 0; column < columns; column++) {
    if (!isThere(wordIn(cellAt(part, column)))) continue
    let at = count++
    while (at > 0 && compareCells(part, orderAt(at - 1), column) > 0) {
      setU32(order + at * 4, orderAt(at - 1))
      at--
    }
    setU32(order + at * 4, column)
  }
  return count
}

function orderAt(i: u32): u32 {
  return getU32(order + i * 4)
}

function compareCells(part: usize, a: u32, b: u32): i32 {
  const x = cellAt(part, a)
  const y = cellAt(part, b)
  return compareStamps(timeIn(x), originOf(wordIn(x)), timeIn(y), originOf(wordIn(y)))
}

function compareToTombstone(part: usize, column: u32): i32 {
  const cell = cellAt(part, column)
  return compareStamps(timeIn(cell), originOf(wordIn(cell)), tombstoneTime(part), tombstoneOrigin(part))
}

function logSorted(replica: u32, row: u32, part: usize, count: u32): u32 {
  let to = logAt(replica)
  let lines: u32 = 0
  let deleted = !hasTombstone(part)
  for (let i: u32 = 0; i < count;) {
    const beside = deleted ? 1 : compareToTombstone(part, orderAt(i))
    if (beside >= 0 && !deleted) {
      to = putDeleteLine(to, replica, row, part)
      deleted = true
      lines++
    }
    let next = i + 1
    while (next < count && compareCells(part, orderAt(i), orderAt(next)) == 0) next++
    // With equal stamps the tombstone is left: a register that isn't newer is none.
    if (beside != 0) {
      to = putSetLine(to, replica, row, part, i, next)
      lines++
    }
    i = next
  }
  if (!deleted) {
    to = putDeleteLine(to, replica, row, part)
    lines++
  }
  logTo(replica, to)
  return lines
}

function putDeleteLine(to: usize, replica: u32, row: u32, part: usize): usize {
  const table = tableOf(row)
  to = putStamp(to, tombstoneTime(part), tombstoneOrigin(part), replica)
  to = putHead(to, replica, table, DELETE, 0)
  return putDeleteEnd(putKey(to, table, keyStart(row), keyLength(row)))
}

/** The line of the columns `order[from .. end)`, which have one stamp. */
function putSetLine(to: usize, replica: u32, row: u32, part: usize, from: u32, end: u32): usize {
  const table = tableOf(row)
  const first = cellAt(part, orderAt(from))
  to = putStamp(to, timeIn(first), originOf(wordIn(first)), replica)
  to = putHead(to, replica, table, SET, 0)
  to = putThen(putKey(to, table, keyStart(row), keyLength(row)))
  if (valueColumns(table) == 1) return putSetEnd(putValue(to, wordIn(first)))
  for (let i = from; i < end; i++) {
    const column = orderAt(i)
    to = putValue(putColumnName(to, table, column, i == from), wordIn(cellAt(part, column)))
  }
  setU8(to, CLOSE_BRACE)
  return putSetEnd(to + 1)
}

import { copyText, getU32, getU64, setU8 } from './memory'
import { CLOSE_BRACE, isNone, LF } from './characters'
import { valueColumns } from './catalog'
import {
  DELETE,
  frameBytes,
  GET,
  putColumnName,
  putDeleteEnd,
  putHead,
  putNull,
  putSetEnd,
  putShown,
  putShows,
  putStamp,
  putThen,
  roomForShown,
  SET,
} from './format'
import { putKey } from './format-keys'
import { putItem } from './items'
import { logAt, logTo, resultAt, resultTo } from './logs'
import {
  CELL_COUNT,
  cellOf,
  FLAGS,
  KEY,
  KEY_BYTES,
  LINE_BYTES,
  NULL_BYTES,
  RESPELLED,
  TEXT,
  TEXT_BYTES,
} from './scan-batch'
import { operationReplica, operationTable } from './scan-heads'

/* The lines of scanned operations: bytes of the script where they are the one spelling. */

/** Bytes of an operation's line at the most: its texts may get quotes and blanks, a replica and a table their full names. */
export function roomForWrite(op: usize): u32 {
  return getU32(op + LINE_BYTES) * 2 + frameBytes(operationReplica(op), operationTable(op))
}

/** The same for a GET. */
export function roomForRead(op: usize, record: usize): u32 {
  return roomForWrite(op) + roomForShown(operationTable(op), record)
}

export function logDelete(op: usize, time: i64, origin: u32): void {
  const replica = operationReplica(op)
  const to = putHead(putStamp(logAt(replica), time, origin, replica), replica, operationTable(op), DELETE, 0)
  logTo(replica, putDeleteEnd(putKeyText(to, op)))
}

export function logSet(op: usize, time: i64, origin: u32): void {
  const replica = operationReplica(op)
  const table = operationTable(op)
  const to = putHead(putStamp(logAt(replica), time, origin, replica), replica, table, SET, 0)
  logTo(replica, putSetEnd(putCells(putThen(putKeyText(to, op)), op, table)))
}

/** @param record what is read; 0 for nothing */
export function logGet(op: usize, time: i64, origin: u32, record: usize, exists: bool): void {
  const replica = operationReplica(op)
  logTo(replica, putAnswer(putStamp(logAt(replica), time, origin, replica), op, 0, record, exists))
}

/** What the GET shows, among the results. */
export function showGet(op: usize, record: usize, exists: bool): void {
  resultTo(putAnswer(resultAt(), op, 2, record, exists))
}

function putAnswer(at: usize, op: usize, skip: u32, record: usize, exists: bool): usize {
  const table = operationTable(op)
  const to = putKeyText(putHead(at, operationReplica(op), table, GET, skip), op)
  const end = putShown(putShows(to), table, record, exists)
  setU8(end, LF)
  return end + 1
}

function putKeyText(to: usize, op: usize): usize {
  if ((getU32(op + FLAGS) & RESPELLED) != 0) {
    return putKey(to, operationTable(op), getU32(op + KEY), getU32(op + KEY_BYTES))
  }
  const bytes = getU32(op + TEXT_BYTES)
  copyText(to, getU32(op + TEXT), bytes)
  return to + bytes
}

function putCells(to: usize, op: usize, table: u32): usize {
  if (valueColumns(table) == 1) return putCell(to, cellOf(op, 0))
  const count = getU32(op + CELL_COUNT)
  for (let i: u32 = 0; i < count; i++) {
    const cell = cellOf(op, i)
    to = putCell(putColumnName(to, table, getU32(cell), i == 0), cell)
  }
  setU8(to, CLOSE_BRACE)
  return to + 1
}

/** Bare text is its own spelling, but for one word. */
function putCell(to: usize, cell: usize): usize {
  const bytes = getU32(cell + 4)
  if (bytes == NULL_BYTES) return putNull(to)
  const p: usize = getU32(cell + 8)
  if (isNone(getU64(p), bytes)) return putItem(to, p, bytes)
  copyText(to, p, bytes)
  return to + bytes
}

import { getU32, getU64 } from './memory'
import { isLoggedApart, joinLogged, pagesForAside } from './asides'
import { addChange, handOut, pagesForChange } from './changes'
import {
  borrow,
  clearRow,
  difference,
  install,
  isLater,
  joined,
  joinInto,
  normalise,
  part,
  raiseTombstone,
  sameRow,
} from './joins'
import { NO_ROW, pagesForKey, tableOf, touch } from './keys'
import {
  ASIDE,
  cellAt,
  COMPLETE,
  hasFlag,
  hasTombstone,
  isKnown,
  isPlain,
  noteChange,
  pagesForRecord,
  recordAt,
  recordFor,
  setCell,
  setTombstone,
  timeIn,
  tombstoneTime,
  wordIn,
  WRITTEN_SINCE,
} from './records'
import { countRecords, floorOf, hasFloor, originOfReplica, raiseSeen, recordsOf } from './replicas'
import { CELL, columnsOf } from './tables'
import { beginStatement, noteImage, noteSingle, noteWritten, pagesForImage } from './undo'
import { isThere, originOf, release, sameValue } from './values'

/* What statements and look-backs do to a row of one replica. */

/** Outcomes of a SET or DELETE. */
export const UNCHANGED: u32 = 0
export const CHANGED: u32 = 1
/** A stamp met an equal one with another value (I1). */
export const TWIN: u32 = 2

/**
 * Pages that any write of one row may take at the most, its key included; values and log lines come on top. Nothing of
 * a write is done before there is room for them.
 */
export function pagesForRow(replica: u32, table: u32): u32 {
  return pagesForKey() + pagesForRecord(table) + pagesForChange(replica) + pagesForImage() + pagesForAside()
}

/** Whether the database can't add anything to the cached row (I14). `record` may be 0. */
export function isCompleteRecord(replica: u32, record: usize, columns: u32): bool {
  if (!hasFloor(replica)) return true
  if (record == 0) return false
  if (hasFlag(record, COMPLETE)) return true
  const floor = floorOf(replica)
  if (hasTombstone(record) && tombstoneTime(record) > floor) return true
  for (let column: u32 = 0; column < columns; column++) {
    const cell = cellAt(record, column)
    if (!isThere(wordIn(cell)) || timeIn(cell) <= floor) return false
  }
  return true
}

/** The same by row; NO_ROW is a key that was never met. */
export function isComplete(replica: u32, row: u32): bool {
  if (!hasFloor(replica)) return true
  return row != NO_ROW && isCompleteRecord(replica, recordAt(replica, row), columnsOf(tableOf(row)))
}

export function countRecord(replica: u32): void {
  countRecords(replica, 1)
}

/** Puts a changed row, with its new contents in `joined`, in its place: the change list, the digest's keys, the log's own. */
export function putJoined(replica: u32, row: u32, record: usize, columns: u32): void {
  const apart = isLoggedApart(replica, row)
  if (apart) difference(part, joined, record, columns)
  install(record, joined, columns)
  if (apart) joinLogged(replica, row, part)
  addChange(replica, row, record, recordsOf(replica))
  touch(row)
}

/**
 * Joins cells into a row under one stamp; counts a record, whatever the outcome.
 * @param cells `count` cells of 16 bytes: +0 column u32, +8 content u64, which passes to the row
 */
export function setRow(replica: u32, row: u32, time: i64, origin: u32, cells: usize, count: u32): u32 {
  const record = recordFor(replica, row)
  const columns = columnsOf(tableOf(row))
  const records = countRecords(replica, 1)
  if (origin == originOfReplica(replica)) raiseSeen(replica, origin, time)
  if (columns == 1 && getU32(cells) == 0) {
    const cell = cellAt(record, 0)
    const word = wordIn(cell)
    if (isPlain(record) && (!isThere(word) || time > timeIn(cell))) {
      return setOnly(replica, row, record, cell, time, getU64(cells + 8) | (origin as u64), records)
    }
  }
  const outcome = setAny(replica, row, record, columns, time, origin, cells, count)
  for (let i: u32 = 0; i < count; i++) release(getU64(cells + i * CELL + 8))
  return outcome
}

/** The usual SET: the only column, later than what is there. `word` passes to the row. */
function setOnly(replica: u32, row: u32, record: usize, cell: usize, time: i64, word: u64, records: u64): u32 {
  const complete = isCompleteRecord(replica, record, 1)
  if (!hasFlag(record, WRITTEN_SINCE)) noteWritten(replica, row, record, complete)
  const before = wordIn(cell)
  if (complete) noteSingle(replica, row, before)
  else {
    clearRow(joined, 1)
    setCell(cellAt(joined, 0), time, word)
    noteImage(beginStatement(replica), replica, row, isThere(before) ? record : 0, joined, false)
  }
  release(before)
  setCell(cell, time, word)
  noteChange()
  addChange(replica, row, record, records)
  touch(row)
  return CHANGED
}

function setAny(
  replica: u32,
  row: u32,
  record: usize,
  columns: u32,
  time: i64,
  origin: u32,
  cells: usize,
  count: u32,
): u32 {
  borrow(joined, record, columns)
  let outcome = UNCHANGED
  for (let i: u32 = 0; i < count; i++) {
    const word = getU64(cells + i * CELL + 8) | (origin as u64)
    const cell = cellAt(joined, getU32(cells + i * CELL))
    const mine = wordIn(cell)
    if (isThere(mine) && timeIn(cell) == time && originOf(mine) == origin && !sameValue(mine, word)) outcome = TWIN
    if (!isLater(time, word, cell)) continue
    setCell(cell, time, word)
    if (outcome == UNCHANGED) outcome = CHANGED
  }
  normalise(joined, columns)
  if (!write(replica, row, record, columns)) return outcome == TWIN ? TWIN : UNCHANGED
  return outcome
}

/**
 * Makes a row what `joined` says, where that is a change. Where it is none, a line was replayed: it is flushed whatever
 * was flushed before, since its database may have lost the row.
 */
function write(replica: u32, row: u32, record: usize, columns: u32): bool {
  if (sameRow(joined, record, columns)) {
    addChange(replica, row, record, recordsOf(replica))
    return false
  }
  const complete = isCompleteRecord(replica, record, columns)
  noteWritten(replica, row, record, complete)
  const before = isKnown(record, columns) ? record : 0
  noteImage(beginStatement(replica), replica, row, before, joined, complete)
  putJoined(replica, row, record, columns)
  return true
}

/** Joins a tombstone; counts a record. */
export function removeRow(replica: u32, row: u32, time: i64, origin: u32): u32 {
  const record = recordFor(replica, row)
  const columns = columnsOf(tableOf(row))
  countRecords(replica, 1)
  if (origin == originOfReplica(replica)) raiseSeen(replica, origin, time)
  borrow(joined, record, columns)
  raiseTombstone(joined, time, origin)
  normalise(joined, columns)
  return write(replica, row, record, columns) ? CHANGED : UNCHANGED
}

/** Joins what was read back from the replica's own log, at the present record count. `incoming` passes its values. */
export function restoreRow(replica: u32, row: u32, incoming: usize, time: i64, origin: u32): void {
  const record = recordFor(replica, row)
  const columns = columnsOf(tableOf(row))
  borrow(joined, record, columns)
  joinInto(joined, incoming, columns)
  if (hasFlag(record, ASIDE)) joinLogged(replica, row, incoming)
  install(record, joined, columns)
  for (let column: u32 = 0; column < columns; column++) release(wordIn(cellAt(incoming, column)))
  noteRestored(replica, row, record, time, origin)
}

function noteRestored(replica: u32, row: u32, record: usize, time: i64, origin: u32): void {
  const records = recordsOf(replica)
  // Positions that were recorded may lie anywhere: each line has its own place.
  if (records > 0) handOut(replica, records - 1)
  addChange(replica, row, record, records)
  if (origin == originOfReplica(replica)) raiseSeen(replica, origin, time)
}

/** As `setRow`, for a line of the replica's own log that is read back. */
export function restoreSet(replica: u32, row: u32, time: i64, origin: u32, cells: usize, count: u32): void {
  const record = recordFor(replica, row)
  const columns = columnsOf(tableOf(row))
  if (columns == 1 && isPlain(record)) {
    const cell = cellAt(record, 0)
    const word = getU64(cells + 8) | (origin as u64)
    if (isLater(time, word, cell)) {
      release(wordIn(cell))
      setCell(cell, time, word)
      noteChange()
    } else release(word)
    noteRestored(replica, row, record, time, origin)
    return
  }
  clearRow(part, columns)
  for (let i: u32 = 0; i < count; i++) {
    setCell(cellAt(part, getU32(cells + i * CELL)), time, getU64(cells + i * CELL + 8) | (origin as u64))
  }
  restoreRow(replica, row, part, time, origin)
}

/** The same for a DELETE. */
export function restoreRemove(replica: u32, row: u32, time: i64, origin: u32): void {
  clearRow(part, columnsOf(tableOf(row)))
  setTombstone(part, time, origin)
  restoreRow(replica, row, part, time, origin)
}

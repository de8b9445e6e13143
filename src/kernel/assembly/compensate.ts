import { getU32, takeStatic } from './memory'
import { borrow, clearRow, joined, joinInto, part, sameCell } from './joins'
import { commitImage, commitImageIncomplete } from './asides'
import { tableOf } from './keys'
import { CURSOR, listCount, nextEntry, rewind } from './lists'
import { PAGE_BYTES, roomFor } from './pages'
import { clearPicks, pick, pickCount } from './picks'
import { cellAt, existsIn, recordFor, setCell, setTombstone, wordIn } from './records'
import { countRecords, originOfReplica, raiseSeen, replicaCount } from './replicas'
import { isCompleteRecord, putJoined } from './rows'
import { columnsOf, rowBytes, tableCount } from './tables'
import {
  firstImage,
  imageAfter,
  imageContent,
  imageShowed,
  imagesOf,
  imageWaits,
  lastStatement,
  noteWritten,
  NUMBER,
  popStatement,
  replicaOfStatement,
  rowOfImage,
  writtenSince,
} from './undo'
import { contentIn, isThere, NULL_CONTENT } from './values'

/*
 * Compensating writes: what a row showed before, written again under a new stamp. The caller steps from row to row
 * (`nextUndo`, `nextRollback`) and gives each its stamp (`applyCompensation`); what was written is picked for it.
 */

let statement: u64 = 0
let image: usize = 0
let replica: u32 = 0
let row: u32 = 0
/** Walks a replica's rows written since the commit. */
let cursor: usize = 0

export function initCompensate(): void {
  cursor = takeStatic(CURSOR)
}

/** The last statement of a replica, or of all (-1): its replica, or -1 where there is none. */
export function undoTarget(target: i32): i32 {
  statement = 0
  if (target >= 0) statement = lastStatement(target as u32)
  else {
    for (let i: u32 = 0; i < replicaCount(); i++) if (lastStatement(i) > statement) statement = lastStatement(i)
  }
  if (statement == 0) return -1
  image = firstImage(statement - 1)
  replica = replicaOfStatement(statement - 1)
  return replica as i32
}

/** Whether there is room to restore so many rows, what is picked and its batch included. */
function roomToRestore(rows: u32): bool {
  let widest: u32 = 0
  for (let table: u32 = 0; table < tableCount(); table++) if (rowBytes(table) > widest) widest = rowBytes(table)
  const bytes = (rows as f64) * ((widest as f64) * 6 + 512)
  return bytes < 4294967296.0 && roomFor(((bytes / (PAGE_BYTES as f64)) as u32) + 32)
}

export function roomToUndo(): bool {
  return roomToRestore(imagesOf(statement - 1))
}

/** Picks the rows of the statement that must be looked up first. */
export function pickUndoIncomplete(): u32 {
  clearPicks()
  for (let i = firstImage(statement - 1); i != 0; i = imageAfter(i)) if (imageWaits(i)) pick(rowOfImage(i), 0)
  return pickCount()
}

/** Goes to the next row of the statement that has something to restore; false after the last, which forgets it. */
export function nextUndo(): bool {
  while (image != 0) {
    const at = image
    image = imageAfter(at)
    row = rowOfImage(at)
    if (prepareUndo(at)) return true
  }
  popStatement(replica)
  return false
}

/** Puts into `part`, still without stamps, what an image says. */
function prepareUndo(at: usize): bool {
  const columns = columnsOf(tableOf(row))
  clearRow(part, columns)
  if (!imageShowed(at)) return true
  let any = false
  for (let column: u32 = 0; column < columns; column++) {
    const content = imageContent(at, column)
    if (content == 0) continue
    setCell(cellAt(part, column), 0, content)
    any = true
  }
  return any
}

/** Begins with a replica's rows written since the commit. */
export function rollbackOf(target: u32): void {
  replica = target
  rewind(cursor, writtenSince(target))
}

export function roomToRollBack(): bool {
  let rows: u32 = 0
  for (let i: u32 = 0; i < replicaCount(); i++) rows += listCount(writtenSince(i))
  return roomToRestore(rows)
}

/** Picks those of them that must be looked up first. */
export function pickRollbackIncomplete(): u32 {
  clearPicks()
  while (stepWritten()) if (commitImageIncomplete(replica, row)) pick(row, 0)
  rollbackOf(replica)
  return pickCount()
}

function stepWritten(): bool {
  const entry = nextEntry(cursor, writtenSince(replica), NUMBER)
  if (entry == 0) return false
  row = getU32(entry)
  return true
}

/** Goes to the replica's next row that has something to restore; false after the last. */
export function nextRollback(): bool {
  while (stepWritten()) if (prepareRollback()) return true
  return false
}

function prepareRollback(): bool {
  const columns = columnsOf(tableOf(row))
  const before = commitImage(replica, row)
  clearRow(part, columns)
  if (!existsIn(before, columns)) return true
  const now = recordFor(replica, row)
  let any = false
  for (let column: u32 = 0; column < columns; column++) {
    const old = cellAt(before, column)
    if (sameCell(old, cellAt(now, column))) continue
    setCell(cellAt(part, column), 0, isThere(wordIn(old)) ? contentIn(wordIn(old)) : NULL_CONTENT)
    any = true
  }
  return any
}

/** Writes what was prepared under a stamp; a row that showed nothing is deleted. */
export function applyCompensation(time: i64, origin: u32): void {
  const columns = columnsOf(tableOf(row))
  let any = false
  for (let column: u32 = 0; column < columns; column++) {
    const cell = cellAt(part, column)
    if (!isThere(wordIn(cell))) continue
    setCell(cell, time, wordIn(cell) | (origin as u64))
    any = true
  }
  if (!any) setTombstone(part, time, origin)
  pick(row, part)
  const record = recordFor(replica, row)
  countRecords(replica, 1)
  raiseSeen(replica, originOfReplica(replica), time)
  borrow(joined, record, columns)
  joinInto(joined, part, columns)
  noteWritten(replica, row, record, isCompleteRecord(replica, record, columns))
  putJoined(replica, row, record, columns)
}

import { getU32, getU64, setU32, takeStatic, setU64 } from './memory'
import { isLoggedApart, joinLogged, loggedRow } from './asides'
import { addChange, boundWalk, handOut, walkCut, walkFrom, walkNext, walkPlace, walkRecord } from './changes'
import { beginConflicts, conflictsOf, remarksNext } from './conflicts'
import { logPart, partBytes } from './format'
import { conflictBytes } from './format-conflicts'
import {
  borrow,
  clearRow,
  difference,
  distinctStamps,
  install,
  isLater,
  joined,
  joinedLog,
  joinInto,
  part,
  sameRow,
} from './joins'
import { NO_ROW, tableOf, touch } from './keys'
import { keepsLines, logRoom } from './logs'
import { originCount } from './origins'
import { roomFor, roomToRead } from './pages'
import { clearPicks, pick, pickCount } from './picks'
import {
  cellAt,
  hasFlag,
  hasTombstone,
  isKnown,
  isPlain,
  noteChange,
  recordAt,
  recordFor,
  setCell,
  timeIn,
  tombstoneTime,
  wordIn,
  WRITTEN_SINCE,
} from './records'
import { countRecords, floorOf, hasFloor, raiseSeen, recordsOf, seenOf } from './replicas'
import { isCompleteRecord, pagesForRow } from './rows'
import { columnsOf } from './tables'
import { beginStatement, lastStatement, noteImage, noteOnly, noteWritten } from './undo'
import { isThere, release, retain } from './values'

/*
 * A merge walks what `from`'s log holds after a position and joins it into `into`. In steps: a step is bounded, and ends
 * where a log or memory is full; a row is taken whole or not at all.
 */

/** How a step ended. */
export const MERGE_DONE: u32 = 0
/** Call again with the position. */
export const MERGE_GOES_ON: u32 = 1
/** Nothing was done: the rows picked must be looked up first. */
export const MERGE_INCOMPLETE: u32 = 2
/** Nothing was done: no memory, no room in the log. */
export const MERGE_NO_MEMORY: u32 = 3
export const MERGE_LOG_FULL: u32 = 4

/** Rows that are looked at together, so that what they wait for from memory overlaps. */
const BATCH: u32 = 32
/** A row of them: +0 row, +4 where `from` has it, +8 the record that put it on the list. */
const GATHERED: u32 = 16

/** Pages that a row may take more than one before it in the step did: directories grow. */
const AS_THE_STEP_GOES_ON: u32 = 4
const NO_TABLE: u32 = 0xffffffff

let into: u32 = 0
let from: u32 = 0
let list: u32 = 0
let keepParts: bool = false
let statement: u64 = 0
let begun: bool = false
/** Whether this step took anything. */
let tookAny: bool = false
let position: u64 = 0
let rows: u32 = 0
let conflicts: u32 = 0
let batch: usize = 0
/** The table of the last row, its columns, and the pages that taking a row of it may take. */
let lastTable: u32 = 0
let lastColumns: u32 = 0
let lastPages: u32 = 0

/** The merge that a bound interrupted. */
let unfinished: bool = false
let unfinishedInto: u32 = 0
let unfinishedFrom: u32 = 0
let unfinishedAt: u64 = 0
let unfinishedStatement: u64 = 0

export function initMerge(): void {
  batch = takeStatic(BATCH * GATHERED)
}

/** Results of the last step. */
export function mergedUpTo(): u64 {
  return position
}

export function mergedRows(): u32 {
  return rows
}

export function mergedConflicts(): u32 {
  return conflicts
}

/** @param parts whether the parts taken are picked for the caller; where logs are kept, their lines are written instead */
export function mergeStep(
  target: u32,
  source: u32,
  after: u64,
  mostRows: u32,
  mostBytes: f64,
  mostListed: u32,
  mostRemarks: u32,
  parts: bool,
): u32 {
  into = target
  from = source
  list = mostListed
  keepParts = parts
  position = after
  rows = 0
  conflicts = 0
  clearPicks()
  beginConflicts(mostRemarks)
  if (!roomFor(4)) return MERGE_NO_MEMORY
  if (hasFloor(into)) {
    const ended = pickIncomplete(after, mostRows, mostBytes)
    if (ended != MERGE_DONE) return ended
  }
  resume(after)
  const ended = walk(after, mostRows, mostBytes)
  if (ended == MERGE_DONE) finish()
  else {
    handOut(from, position)
    unfinished = begun
    unfinishedInto = into
    unfinishedFrom = from
    unfinishedAt = position
    unfinishedStatement = statement
  }
  return ended
}

/** Goes on with the statement of the step before, where nothing came between; else the first row taken begins one. */
function resume(after: u64): void {
  begun = unfinished && unfinishedInto == into && unfinishedFrom == from && unfinishedAt == after
  if (begun) {
    statement = unfinishedStatement
    if (lastStatement(into) != statement + 1) begun = false
  }
  unfinished = false
}

function finish(): void {
  position = recordsOf(from)
  handOut(from, position)
  for (let origin: u32 = 0; origin < originCount(); origin++) {
    const seen = seenOf(from, origin)
    if (seen >= 0) raiseSeen(into, origin, seen)
  }
  unfinished = false
}

/** Whether the database may hold something newer than what the merge brings (I14). */
function mustLookUp(row: u32): bool {
  const theirs = loggedRow(from, row)
  const columns = columnsOf(tableOf(row))
  if (!isKnown(theirs, columns) || isCompleteRecord(into, recordAt(into, row), columns)) return false
  const floor = floorOf(into)
  if (hasTombstone(theirs) && tombstoneTime(theirs) <= floor) return true
  for (let column: u32 = 0; column < columns; column++) {
    const cell = cellAt(theirs, column)
    if (isThere(wordIn(cell)) && timeIn(cell) <= floor) return true
  }
  return false
}

/** Picks the rows of the step that must be looked up: MERGE_INCOMPLETE where there are some. */
function pickIncomplete(after: u64, mostRows: u32, mostBytes: f64): u32 {
  walkFrom(from, after)
  boundWalk(mostRows, mostBytes)
  for (let row = walkNext(); row != NO_ROW; row = walkNext()) {
    if (!mustLookUp(row)) continue
    if (!roomToRead(1)) return MERGE_NO_MEMORY
    pick(row, 0)
  }
  return pickCount() > 0 ? MERGE_INCOMPLETE : MERGE_DONE
}

function walk(after: u64, mostRows: u32, mostBytes: f64): u32 {
  let reached = after
  tookAny = false
  lastTable = NO_TABLE
  walkFrom(from, after)
  boundWalk(mostRows, mostBytes)
  for (let count = gather(); count > 0; count = gather()) {
    for (let i: u32 = 0; i < count; i++) {
      const gathered = batch + i * GATHERED
      const record = getU64(gathered + 8)
      // All rows of a record, or none, are behind the position.
      if (record > reached) {
        position = reached
        reached = record
      }
      const ended = take(getU32(gathered), getU32(gathered + 4))
      if (ended != MERGE_DONE) return tookAny || position > after ? MERGE_GOES_ON : ended
    }
  }
  if (!walkCut()) return MERGE_DONE
  position = reached
  return MERGE_GOES_ON
}

/** The next rows of the walk, at most a batch, and their places. */
function gather(): u32 {
  let count: u32 = 0
  while (count < BATCH) {
    const row = walkNext()
    if (row == NO_ROW) break
    const gathered = batch + count * GATHERED
    setU32(gathered, row)
    setU32(gathered + 4, walkPlace() as u32)
    setU64(gathered + 8, walkRecord())
    count++
  }
  return count
}

/** Takes one row, which `from` has at `place`, or none of it: MERGE_DONE, MERGE_NO_MEMORY, MERGE_LOG_FULL. */
function take(row: u32, place: usize): u32 {
  const table = tableOf(row)
  if (table != lastTable) useTable(row, table)
  if (remarksNext() && !logRoom(into, conflictBytes(row) + partBytes(row, loggedRow(from, row)))) return MERGE_LOG_FULL
  if (!roomFor(lastPages)) return MERGE_NO_MEMORY
  if (lastColumns == 1 && isPlain(place)) {
    const mine = recordFor(into, row)
    if (isPlain(mine)) return takeOnly(row, mine, place)
  }
  const other = loggedRow(from, row)
  if (!isKnown(other, lastColumns)) return MERGE_DONE
  return takeAny(row, recordAt(into, row), other, lastColumns)
}

/** What is the same for all rows of a table, as long as the step lasts. */
function useTable(row: u32, table: u32): void {
  lastTable = table
  lastColumns = columnsOf(table)
  lastPages = pagesFor(row) + AS_THE_STEP_GOES_ON
}

/** The usual row: one column, no tombstones, the log's row and the cache's the same. */
function takeOnly(row: u32, record: usize, other: usize): u32 {
  const theirs = cellAt(other, 0)
  const cell = cellAt(record, 0)
  const time = timeIn(theirs)
  const word = wordIn(theirs)
  const before = wordIn(cell)
  if ((timeIn(cell) == time && before == word) || !isThere(word)) return MERGE_DONE
  const later = isLater(time, word, cell)
  if (later) {
    const ended = keep(row, other)
    if (ended != MERGE_DONE) return ended
  }
  if (isThere(before)) conflicts += conflictsOf(into, from, row, record, other, 1, list)
  if (!later) return MERGE_DONE
  if (isCompleteRecord(into, record, 1)) {
    begin()
    if (!hasFlag(record, WRITTEN_SINCE)) noteWritten(into, row, record, true)
    noteOnly(statement, row, before)
  } else {
    clearRow(joined, 1)
    setCell(cellAt(joined, 0), time, word)
    note(row, record, isThere(before) ? record : 0, false)
  }
  retain(word)
  release(before)
  setCell(cell, time, word)
  noteChange()
  addChange(into, row, record, countRecords(into, 1))
  touch(row)
  rows++
  return MERGE_DONE
}

function takeAny(row: u32, mine: usize, other: usize, columns: u32): u32 {
  const apart = isLoggedApart(into, row)
  borrow(joined, mine, columns)
  joinInto(joined, other, columns)
  const held = loggedRow(into, row)
  if (apart) {
    borrow(joinedLog, held, columns)
    joinInto(joinedLog, other, columns)
  }
  const inLog = apart ? joinedLog : joined
  const news = !sameRow(inLog, held, columns)
  if (news) {
    difference(part, inLog, held, columns)
    const ended = keep(row, part)
    if (ended != MERGE_DONE) return ended
  }
  conflicts += conflictsOf(into, from, row, isKnown(mine, columns) ? mine : 0, other, columns, list)
  if (!news) return MERGE_DONE
  const record = recordFor(into, row)
  const last = countRecords(into, distinctStamps(part, columns))
  if (!sameRow(joined, record, columns)) {
    note(row, record, isKnown(record, columns) ? record : 0, isCompleteRecord(into, record, columns))
    install(record, joined, columns)
    touch(row)
    rows++
  }
  addChange(into, row, record, last)
  if (apart) joinLogged(into, row, part)
  return MERGE_DONE
}

/** Pages that taking a row may take at the most, its picks and listed conflicts included. */
function pagesFor(row: u32): u32 {
  return pagesForRow(into, tableOf(row)) + 4
}

/** Writes the lines of what is taken, or picks it for the caller. */
function keep(row: u32, taken: usize): u32 {
  if (keepsLines()) {
    if (!logRoom(into, partBytes(row, taken))) return MERGE_LOG_FULL
    // The log may have taken pages.
    if (!roomFor(pagesFor(row))) return MERGE_NO_MEMORY
    logPart(into, row, taken)
  } else if (keepParts) pick(row, taken)
  tookAny = true
  return MERGE_DONE
}

/** Notes the images of a row before it becomes what `joined` says. */
function note(row: u32, record: usize, before: usize, complete: bool): void {
  begin()
  noteWritten(into, row, record, complete)
  noteImage(statement, into, row, before, joined, complete)
}

/** The first row taken begins the statement that UNDO takes back. */
function begin(): void {
  if (begun) return
  statement = beginStatement(into)
  begun = true
}

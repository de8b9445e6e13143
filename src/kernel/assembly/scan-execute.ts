import { equalBytes, getU32, setU64, takeStatic } from './memory'
import { roomFor, takenPages } from './pages'
import { valueColumns } from './catalog'
import { DELETE, GET, SET } from './format'
import { isKey } from './key-index'
import { findRow, internRow, NO_ROW, rowCount, rowOfEntry } from './keys'
import { BUDGET, keepsLines, keepsResults, logRoom, resultRoom, whyNoRoom } from './logs'
import { cellAt, existsIn, recordAt, timeIn, wordIn } from './records'
import { countRecord, isComplete, pagesForRow, removeRow, setRow } from './rows'
import { CELL_COUNT, CELLS, cellOf, FLAGS, HASH, KEY, KEY_BYTES, LIKELY, NULL_BYTES, STAMPED } from './scan-batch'
import { operationKind, operationReplica, operationTable } from './scan-heads'
import { logDelete, logGet, logSet, roomForRead, roomForWrite, showGet } from './scan-log'
import { findStamp, stampOrigin, stampTime, tookStamp } from './scan-stamps'
import { contentOf, isNull, isThere, NULL_CONTENT, originOf, pagesForValue, valueLength, valueStart } from './values'

/* What scanned operations do. */

/** Why a block ended. */
export const END: u32 = 0
export const FOR_PARSER: u32 = 1
const LOG_FULL: u32 = 2
const RESULTS_FULL: u32 = 3
export const MEMORY_FULL: u32 = 4
const ROWS_FULL: u32 = 5

/** Pages that are asked for at a time, so that most operations needn't ask. */
const ASKED: u32 = 128
/** What rows of one table but other replicas may take more. */
const OTHER_REPLICAS: u32 = 4

export let sets: u32 = 0
export let deletes: u32 = 0
export let gets: u32 = 0
export let found: u32 = 0

let scratch: usize = 0
/** Rows beyond which no key is added. */
let mostRows: u32 = 0
/** As many pages could surely be taken when `takenThen` were. */
let sure: i32 = 0
let takenThen: u32 = 0
/** The table of the last operation, and the pages that a row of it may take. */
let lastTable: u32 = 0xffffffff
let lastPages: u32 = 0

export function initExecute(): void {
  scratch = takeStatic(8)
}

export function beginExecute(rows: u32): void {
  mostRows = rows
  sets = 0
  deletes = 0
  gets = 0
  found = 0
}

/** Before a batch. */
export function beginBatch(): void {
  lastTable = 0xffffffff
}

/** The row of an operation's key. */
export function knownRow(op: usize): u32 {
  const table = operationTable(op)
  const key: usize = getU32(op + KEY)
  const bytes = getU32(op + KEY_BYTES)
  const likely: usize = getU32(op + LIKELY)
  if (likely != 0 && isKey(likely, table, key, bytes)) return rowOfEntry(likely)
  return findRow(table, key, bytes, getU32(op + HASH))
}

/** The row, a new one where there is none. */
export function addedRow(op: usize, known: u32): u32 {
  if (known != NO_ROW) return known
  return internRow(operationTable(op), getU32(op + KEY), getU32(op + KEY_BYTES), getU32(op + HASH))
}

/** Whether so many pages more can surely be taken. */
function isSure(pages: u32): bool {
  if (((takenPages() - takenThen + pages) as i32) <= sure) return true
  sure = 0
  takenThen = takenPages()
  const most = pages > ASKED ? pages : ASKED
  if (roomFor(most)) sure = most as i32
  else if (roomFor(pages)) sure = pages as i32
  else return false
  return true
}

/** Whether there is room for what an operation changes. */
export function hasPages(op: usize): bool {
  const table = operationTable(op)
  if (table != lastTable) {
    lastPages = pagesForRow(operationReplica(op), table) + OTHER_REPLICAS
    lastTable = table
  }
  return isSure(lastPages + pagesForCells(op))
}

function pagesForCells(op: usize): u32 {
  if (operationKind(op) != SET) return 0
  let pages: u32 = 0
  const count = getU32(op + CELL_COUNT)
  for (let i: u32 = 0; i < count; i++) {
    const bytes = getU32(cellOf(op, i) + 4)
    if (bytes != NULL_BYTES) pages += pagesForValue(bytes)
  }
  return pages
}

/** Makes the texts of an operation's cells contents, as rows take them. There must be room for them. */
export function makeContents(op: usize): void {
  const count = getU32(op + CELL_COUNT)
  for (let i: u32 = 0; i < count; i++) {
    const cell = cellOf(op, i)
    const bytes = getU32(cell + 4)
    setU64(cell + 8, bytes == NULL_BYTES ? NULL_CONTENT : contentOf(getU32(cell + 8), bytes))
  }
}

/** Executes an operation, or says why not; nothing is done then. */
export function execute(op: usize): u32 {
  if (!findStamp(op)) return FOR_PARSER
  const kind = operationKind(op)
  const stop = kind == GET ? executeGet(op) : executeWrite(op, kind)
  if (stop == END) tookStamp()
  return stop
}

function executeGet(op: usize): u32 {
  const replica = operationReplica(op)
  const row = knownRow(op)
  if (!isComplete(replica, row)) return FOR_PARSER
  const record: usize = row == NO_ROW ? 0 : recordAt(replica, row)
  const exists = existsIn(record, valueColumns(operationTable(op)))
  const shown = exists ? record : 0
  if (keepsLines() && !logRoom(replica, roomForRead(op, shown))) return whyNoRoom() == BUDGET ? LOG_FULL : MEMORY_FULL
  if (keepsResults()) {
    if (!resultRoom(roomForRead(op, shown))) return whyNoRoom() == BUDGET ? RESULTS_FULL : MEMORY_FULL
    showGet(op, shown, exists)
  }
  if (keepsLines()) logGet(op, stampTime, stampOrigin, shown, exists)
  countRecord(replica)
  gets++
  if (exists) found++
  return END
}

function executeWrite(op: usize, kind: u32): u32 {
  const replica = operationReplica(op)
  const known = knownRow(op)
  if (known == NO_ROW && rowCount() >= mostRows) return ROWS_FULL
  if (known != NO_ROW && kind == SET && (getU32(op + FLAGS) & STAMPED) != 0 && isTwin(op, known)) return FOR_PARSER
  const keeps = keepsLines()
  if (keeps && !logRoom(replica, roomForWrite(op))) return whyNoRoom() == BUDGET ? LOG_FULL : MEMORY_FULL
  if (!hasPages(op)) return MEMORY_FULL
  if (kind == DELETE) {
    if (keeps) logDelete(op, stampTime, stampOrigin)
    removeRow(replica, addedRow(op, known), stampTime, stampOrigin)
    deletes++
    return END
  }
  if (keeps) logSet(op, stampTime, stampOrigin)
  makeContents(op)
  setRow(replica, addedRow(op, known), stampTime, stampOrigin, getU32(op + CELLS), getU32(op + CELL_COUNT))
  sets++
  return END
}

/** Whether a cell meets its own stamp with another value (I1): that is to be reported. */
function isTwin(op: usize, row: u32): bool {
  const record = recordAt(operationReplica(op), row)
  if (record == 0) return false
  const count = getU32(op + CELL_COUNT)
  for (let i: u32 = 0; i < count; i++) {
    const cell = cellOf(op, i)
    const held = cellAt(record, getU32(cell))
    const word = wordIn(held)
    if (!isThere(word) || timeIn(held) != stampTime || originOf(word) != stampOrigin) continue
    if (!isText(word, getU32(cell + 8), getU32(cell + 4))) return true
  }
  return false
}

function isText(word: u64, p: usize, bytes: u32): bool {
  if (isNull(word) || bytes == NULL_BYTES) return isNull(word) && bytes == NULL_BYTES
  return valueLength(word) == bytes && equalBytes(valueStart(word, scratch), p, bytes)
}

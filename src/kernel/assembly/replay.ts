import { getI64, getU32, setU32 } from './memory'
import { DELETE, GET } from './format'
import { startAt } from './replicas'
import { restoreRemove, restoreSet } from './rows'
import { CELL_COUNT, CELLS, RECORD, TIME } from './scan-batch'
import { addedRow, END, FOR_PARSER, hasPages, knownRow, makeContents, MEMORY_FULL } from './scan-execute'
import { operationKind, operationReplica } from './scan-heads'
import { readStamp, stampOrigin, stampTime } from './scan-stamps'

/* What the lines of a replica's own log do that are read back (`src/engine/recovery.ts`). */

let replica: u32 = 0
let counts: bool = false
/** The number of the first record, and how many were scanned. */
let first: u64 = 0
let scanned: u32 = 0

/** Records that were read back, and the SETs and DELETEs among them. */
export let recordsRead: u32 = 0
export let setsRead: u32 = 0
export let deletesRead: u32 = 0
/** The greatest time met, -1 for none. */
export let greatestRead: i64 = -1

/** @param counted the replica's count follows the records; else rows are restored at the present one */
export function beginReplay(ofReplica: u32, firstRecord: u64, counted: bool): void {
  replica = ofReplica
  first = firstRecord
  counts = counted
  scanned = 0
  recordsRead = 0
  setsRead = 0
  deletesRead = 0
  greatestRead = -1
}

/** Numbers a scanned record. True where it is a GET: that is all. */
export function passRead(op: usize): bool {
  if (operationKind(op) == GET && operationReplica(op) == replica) {
    meet(getI64(op + TIME))
    scanned++
    return true
  }
  setU32(op + RECORD, scanned++)
  return false
}

function meet(time: i64): void {
  if (time > greatestRead) greatestRead = time
}

/** Restores what a scanned record did, or says why not; nothing is done then. */
export function restoreRecord(op: usize): u32 {
  recordsRead = getU32(op + RECORD)
  if (operationReplica(op) != replica || !readStamp(op)) return FOR_PARSER
  if (!hasPages(op)) return MEMORY_FULL
  if (counts) startAt(replica, first + (recordsRead as u64))
  const row = addedRow(op, knownRow(op))
  if (operationKind(op) == DELETE) {
    restoreRemove(replica, row, stampTime, stampOrigin)
    deletesRead++
  } else {
    makeContents(op)
    restoreSet(replica, row, stampTime, stampOrigin, getU32(op + CELLS), getU32(op + CELL_COUNT))
    setsRead++
  }
  meet(stampTime)
  return END
}

/** All that was scanned is read back. */
export function endBatchRead(): void {
  recordsRead = scanned
}

/** After the last batch: the replica's count, also where a GET was the last. */
export function endReplay(): void {
  if (counts && recordsRead > 0) startAt(replica, first + (recordsRead as u64) - 1)
}

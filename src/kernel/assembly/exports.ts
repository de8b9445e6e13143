import { initBatch } from './batch'
import { initBlocks } from './blocks'
import { changedRows, forgetChanges, handOut, initChanges, walkFrom, walkNext } from './changes'
import { initCompensate } from './compensate'
import { clearConflicts, initConflicts } from './conflicts'
import { clearDigestKeys, initDigest } from './digest'
import { initFast } from './fast-exports'
import { initInputs } from './inputs'
import { initJoins } from './joins'
import { initIndex, openIndex } from './key-index'
import { initKeys, NO_ROW } from './keys'
import { initMerge, mergedUpTo as upTo, mergeStep as step } from './merge'
import { initOrigins } from './origins'
import { initPages, openPages, roomFor } from './pages'
import { clearPicks, initPicks } from './picks'
import { flushUpTo as flushed, pickChanges as changes, pickLookups as lookups } from './flush'
import { pagesForRow } from './rows'
import { initReplicas, recordsOf as records, replicaCount, startAt as start } from './replicas'
import { initTables, rowBytes } from './tables'
import { clearStatements, commitPoint, initUndo } from './undo'
import { initValues } from './values'

/*
 * What the wrapper calls, by area. Record numbers cross as f64, which holds them exactly; times as i64.
 */

export {
  fastBlock,
  fastInput,
  fastInputBytes,
  fastResult,
  logged,
  openFast,
  releaseChunk,
  restoreFast,
  runFast,
  takeLog,
  takeResults,
} from './fast-exports'
export { batchColumns, batchPages, batchRows, batchRun, buildBatch, giveBatch } from './batch'
export { conflictAt, listedConflicts, mergedRemarks, mergedTwins } from './conflicts'
export {
  applyCompensation,
  nextRollback,
  nextUndo,
  pickRollbackIncomplete,
  pickUndoIncomplete,
  rollbackOf,
  roomToRollBack,
  roomToUndo,
  undoTarget,
} from './compensate'
export { digest, digestA, digestB, digestRows } from './digest'
export { raiseFloor } from './floors'
export { flushDone, pickUnresolved } from './flush'
export {
  clearIncoming,
  dropIncoming,
  findInput,
  incomingCell,
  incomingTombstone,
  inputKey,
  inputShape,
  inputValues,
  internInput,
  normaliseIncoming,
  removeInput,
  restoreInput,
  setInput,
} from './inputs'
export { keyLength, keyStart, rowCount, tableOf } from './keys'
export { isForeign, learnRow } from './learn'
export { mergedConflicts, mergedRows } from './merge'
export { findOrigin, originCount, originName, originNameLength } from './origins'
export { growthCount, takenBytes } from './pages'
export { firstPick, nextPick, pickCount, pickedIn } from './picks'
export { recordAt } from './records'
export { addReplica, raiseSeen, replicaCount, seenOf } from './replicas'
export { countRecord, isComplete } from './rows'
export { addTable } from './tables'

/** Makes the kernel ready; false where the memory is too small for it. */
export function init(mostPages: u32, hashMask: u32, undoStatements: u32, undoRows: u32): bool {
  initPages(mostPages)
  initBlocks()
  initValues()
  initOrigins()
  initTables()
  initReplicas()
  initKeys()
  initIndex(hashMask)
  initJoins()
  initUndo(undoStatements, undoRows)
  initPicks()
  initConflicts()
  initChanges()
  initCompensate()
  initMerge()
  initBatch()
  initInputs()
  initDigest()
  initFast()
  openPages()
  if (!roomFor(8)) return false
  openIndex()
  return true
}

/** Whether there is room for so many bytes more, in blocks of any size. */
export function roomForBytes(bytes: f64): bool {
  return bytes < 4294967296.0 && roomFor(((bytes / 65536.0) as u32) + 4)
}

/** Whether so many rows can surely be written or learned, of so many bytes in all. */
export function roomForRows(replica: u32, table: u32, rows: u32, bytes: f64): bool {
  const most = bytes + (rows as f64) * ((rowBytes(table) as f64) * 5 + 2304)
  // What a single row asks for must be there when all others were written.
  return most < 4294967296.0 && roomFor(((most / 65536.0) as u32) + pagesForRow(replica, table) * 4)
}

/** A replica's record count, which is a position that is handed out. */
export function recordsOf(replica: u32): f64 {
  handOut(replica, records(replica))
  return records(replica) as f64
}

export function startAt(replica: u32, count: f64): void {
  start(replica, count as u64)
  // Somebody may have seen as much, in a session before.
  handOut(replica, count as u64)
}

export function mergeStep(
  into: u32,
  from: u32,
  position: f64,
  rows: u32,
  bytes: f64,
  list: u32,
  remarks: u32,
  parts: bool,
): u32 {
  return step(into, from, position as u64, rows, bytes, list, remarks, parts)
}

export function mergedUpTo(): f64 {
  return upTo() as f64
}

export function pickChanges(replica: u32, from: f64, rows: u32, bytes: f64): bool {
  return changes(replica, from as u64, rows, bytes)
}

export function pickLookups(replica: u32, from: f64, rows: u32): bool {
  return lookups(replica, from as u64, rows)
}

export function flushUpTo(): f64 {
  return flushed() as f64
}

export function hasChanged(replica: u32, from: f64): bool {
  walkFrom(replica, from as u64)
  return walkNext() != NO_ROW
}

export function pending(replica: u32, table: u32, from: f64): u32 {
  return changedRows(replica, table, from as u64)
}

export function forget(replica: u32, upTo: f64): void {
  forgetChanges(replica, upTo as u64)
}

/** Points: 0 the session opens, 1 COMMIT, 2 FULL_SYNC. */
export function mark(kind: u32): void {
  if (kind == 2) clearStatements()
  else commitPoint()
  if (kind != 0) return
  clearDigestKeys()
  // What was read back may have been flushed and merged by sessions before.
  for (let replica: u32 = 0; replica < replicaCount(); replica++) handOut(replica, records(replica))
}

/** Frees what the last operation gave its caller. */
export function endResult(): void {
  clearPicks()
  clearConflicts()
}

import { getU32, setU32, takeStatic } from './memory'
import { hashKey, likelyEntry, slotFor } from './key-index'
import { inPage, MOST_INLINE_BYTES, recordBehind } from './keys'
import { BATCH, HASH, KEY, KEY_BYTES, LIKELY, OPERATION, operationAt } from './scan-batch'
import { operationReplica, operationTable } from './scan-heads'
import { rowBytes } from './tables'

/*
 * Brings what the operations of a batch need into the caches: the slots of their keys, then the keys with
 * their rows.
 * Each is found where the one before it says, so first the addresses of all are gathered and then all are read, by loops
 * that do nothing else: as many reads as possible that miss the caches are under way at once.
 */

/** Two addresses for each operation. */
let near: usize = 0

export function initNear(): void {
  near = takeStatic(BATCH * 8)
}

export function bringNear(operations: u32): void {
  const end = operationAt(operations)
  touch(near + putSlots(end))
  touch(near + putEntries(end))
}

function touch(end: usize): void {
  let sum: u32 = 0
  for (let at = near; at < end; at += 4) sum += getU32(getU32(at))
  // So that reading it isn't left out.
  setU32(near, sum)
}

/** Where the slots should be; the hashes are kept. Each of these gives the bytes of addresses. */
function putSlots(end: usize): usize {
  let at = near
  for (let op = operationAt(0); op < end; op += OPERATION) {
    const hash = hashKey(operationTable(op), getU32(op + KEY), getU32(op + KEY_BYTES))
    setU32(op + HASH, hash)
    setU32(at, slotFor(hash) as u32)
    at += 4
  }
  return at - near
}

/** The keys that were found, and where their rows should be behind them; the operation itself stands for none. */
function putEntries(end: usize): usize {
  let at = near
  for (let op = operationAt(0); op < end; op += OPERATION) {
    const entry = likelyEntry(getU32(op + HASH))
    setU32(op + LIKELY, entry as u32)
    setU32(at, entry == 0 ? (op as u32) : (entry as u32))
    setU32(at + 4, entry == 0 ? (op as u32) : (likelyRecord(entry, op) as u32))
    at += 8
  }
  return at - near
}

/** Where the row stands, if the entry is the key's own. */
function likelyRecord(entry: usize, op: usize): usize {
  const before = operationReplica(op) * rowBytes(operationTable(op))
  if (before >= MOST_INLINE_BYTES) return entry
  return inPage(entry, recordBehind(entry, getU32(op + KEY_BYTES)) + before)
}

import { getI64, getU32, getU64, setI64, setU32, setU64, takeStatic, zeroBytes } from './memory'
import { findOrigin, NO_ORIGIN } from './origins'
import { entryAt, makeRoom } from './vectors'

/*
 * Replicas by number. An entry of 256 bytes holds what each part of the kernel keeps per replica, at the offsets below.
 */

const ENTRY: u32 = 256

/** Number of the origin of its own name. */
const ORIGIN: u32 = 0
const HAS_FLOOR: u32 = 4
const FLOOR: u32 = 8
const RECORDS: u32 = 16
/** Vector of the greatest times seen, i64 by origin, as the time + 1. */
const SEEN: u32 = 24
/** Directory of rows (records.ts). */
export const ROWS: u32 = 32
/** Directory of what few rows have besides (asides.ts). */
export const ASIDES: u32 = 40
/** The list of changes (changes.ts): 64 bytes. */
export const CHANGES: u32 = 48
/** Rows written since the last commit, in order (first-images.ts). */
export const WRITTEN: u32 = 112
/** Number of the last statement that UNDO can take back + 1 (undo.ts). */
export const LAST_STATEMENT: u32 = 128
/** Vector of rows on the change list per table (changes.ts). */
export const CHANGED: u32 = 136
/** Log lines that are being gathered (logs.ts): 32 bytes. */
export const LOG: u32 = 144
/** Sums of the digest (digest.ts): 12 bytes. */
export const DIGEST: u32 = 184
/** Marks of the rows on the list of changes (marks.ts): 8 bytes. */
export const MARKS: u32 = 200

let entries: usize = 0
let count: u32 = 0

export function initReplicas(): void {
  entries = takeStatic(8)
}

export function replicaCount(): u32 {
  return count
}

export function replicaAt(replica: u32): usize {
  return entryAt(entries, replica, ENTRY)
}

/** False where memory is full. */
export function addReplica(name: usize, bytes: u32): bool {
  if (!makeRoom(entries, count, ENTRY)) return false
  const origin = findOrigin(name, bytes)
  if (origin == NO_ORIGIN) return false
  const entry = replicaAt(count)
  zeroBytes(entry, ENTRY)
  setU32(entry + ORIGIN, origin)
  count++
  return true
}

export function originOfReplica(replica: u32): u32 {
  return getU32(replicaAt(replica) + ORIGIN)
}

export function recordsOf(replica: u32): u64 {
  return getU64(replicaAt(replica) + RECORDS)
}

export function startAt(replica: u32, records: u64): void {
  setU64(replicaAt(replica) + RECORDS, records)
}

/** Counts records of the replica's log; gives the last one's number. */
export function countRecords(replica: u32, records: u32): u64 {
  const at = replicaAt(replica) + RECORDS
  const last = getU64(at) + (records as u64)
  setU64(at, last)
  return last
}

export function hasFloor(replica: u32): bool {
  return getU32(replicaAt(replica) + HAS_FLOOR) != 0
}

/** The greatest time that its database may have held when the session opened (I14). */
export function floorOf(replica: u32): i64 {
  return getI64(replicaAt(replica) + FLOOR)
}

export function setFloor(replica: u32, time: i64): void {
  setU32(replicaAt(replica) + HAS_FLOOR, 1)
  setI64(replicaAt(replica) + FLOOR, time)
}

/** The version vector's entry of an origin; -1 for none. */
export function seenOf(replica: u32, origin: u32): i64 {
  const vector = replicaAt(replica) + SEEN
  if (origin >= getU32(vector + 4)) return -1
  return getI64(entryAt(vector, origin, 8)) - 1
}

/** Raises an entry of the version vector; false where memory is full. */
export function raiseSeen(replica: u32, origin: u32, time: i64): bool {
  const vector = replicaAt(replica) + SEEN
  if (!makeRoom(vector, origin, 8)) return false
  const entry = entryAt(vector, origin, 8)
  // Unsigned: what follows the greatest time is no negative one.
  if ((time as u64) >= getU64(entry)) setI64(entry, time + 1)
  return true
}

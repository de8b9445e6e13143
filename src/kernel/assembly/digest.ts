import { getU32, getU8, setU32, takeStatic, zeroBytes } from './memory'
import { clearTouched, isTouched, keyLength, keyStart, nextRow, NO_ROW, tableOf, walkRows } from './keys'
import { originName, originNameLength } from './origins'
import {
  cellAt,
  changeCount,
  existsIn,
  hasTombstone,
  recordAt,
  sameTombstone,
  timeIn,
  tombstoneOrigin,
  tombstoneTime,
  wordIn,
} from './records'
import { DIGEST, replicaAt, replicaCount } from './replicas'
import { columnName, columnNameLength, columnsOf } from './tables'
import { isNull, isThere, originOf, valueLength, valueStart } from './values'

/*
 * The run's digest, as `core/model/digest.ts` defines it: two lanes of 32 bits, mixed as MurmurHash3 does (Austin
 * Appleby, public domain), the first in the lower half of a u64.
 */

let scratch: usize = 0
/** Of the row that was hashed last. */
let rowA: u32 = 0
let rowB: u32 = 0
let rowExists: bool = false
/** The replica that was asked for. */
let asked: u32 = 0
/** What the sums in the replicas' entries are of: a table + 1, at a count of changes, of so many replicas. */
let summed: u32 = 0
let summedAt: u64 = 0
let summedReplicas: u32 = 0

export function initDigest(): void {
  scratch = takeStatic(16)
}

function mix(lanes: u64, k: u32): u64 {
  const x = rotl<u32>(k * 0xcc9e2d51, 15) * 0x1b873593
  const y = rotl<u32>(k * 0x239b961b, 17) * 0xab0e9789
  const a = rotl<u32>((lanes as u32) ^ x, 13) * 5 + 0xe6546b64
  const b = rotl<u32>(((lanes >> 32) as u32) ^ y ^ a, 16) * 5 + 0x38b34ae5
  return (a as u64) | ((b as u64) << 32)
}

function avalanche(from: u32): u32 {
  let h = (from ^ (from >> 16)) * 0x85ebca6b
  h = (h ^ (h >> 13)) * 0xc2b2ae35
  return h ^ (h >> 16)
}

/** Four bytes a word, little-endian, then the length. */
function mixBytes(from: u64, p: usize, bytes: u32): u64 {
  let lanes = from
  let i: u32 = 0
  for (; i + 4 <= bytes; i += 4) lanes = mix(lanes, getU32(p + i))
  let rest: u32 = 0
  for (let shift: u32 = 0; i < bytes; i++, shift += 8) rest |= getU8(p + i) << shift
  return mix(mix(lanes, rest), bytes)
}

function mixStamp(from: u64, time: i64, origin: u32): u64 {
  const lanes = mix(mix(from, time as u32), (time >> 32) as u32)
  return mixBytes(lanes, originName(origin), originNameLength(origin))
}

function add(lanes: u64): void {
  const a = lanes as u32
  const b = (lanes >> 32) as u32
  rowA += avalanche(a ^ b)
  rowB += avalanche(b * 31 + a)
}

function hashRow(record: usize, row: u32, table: u32, columns: u32): void {
  rowA = 0
  rowB = 0
  const prefix = mixBytes(0, keyStart(row), keyLength(row))
  for (let column: u32 = 0; column < columns; column++) {
    const cell = cellAt(record, column)
    const word = wordIn(cell)
    if (!isThere(word)) continue
    let lanes = mixBytes(prefix, columnName(table, column), columnNameLength(table, column))
    lanes = isNull(word) ? mix(lanes, 0xffffffff) : mixBytes(lanes, valueStart(word, scratch), valueLength(word))
    add(mixStamp(lanes, timeIn(cell), originOf(word)))
  }
  if (hasTombstone(record)) add(mixStamp(mix(prefix, 0xfffffffe), tombstoneTime(record), tombstoneOrigin(record)))
  rowExists = existsIn(record, columns)
}

/**
 * The digest of a replica's rows of a table, over the keys that any replica wrote or took in this session. All replicas'
 * are worked out at once and kept until a row changes: rows that are the same in neighbours are hashed once.
 */
export function digest(replica: u32, table: u32): void {
  asked = replica
  if (summed == table + 1 && summedAt == changeCount() && summedReplicas == replicaCount()) return
  const replicas = replicaCount()
  for (let i: u32 = 0; i < replicas; i++) zeroBytes(replicaAt(i) + DIGEST, 12)
  const columns = columnsOf(table)
  walkRows()
  for (let row = nextRow(); row != NO_ROW; row = nextRow()) {
    if (isTouched(row) && tableOf(row) == table) sumRow(row, table, columns, replicas)
  }
  summed = table + 1
  summedAt = changeCount()
  summedReplicas = replicas
}

function sumRow(row: u32, table: u32, columns: u32, replicas: u32): void {
  let before: usize = 0
  for (let replica: u32 = 0; replica < replicas; replica++) {
    const record = recordAt(replica, row)
    if (record == 0) continue
    if (before == 0 || !sameBits(record, before, columns)) hashRow(record, row, table, columns)
    before = record
    const sums = replicaAt(replica) + DIGEST
    setU32(sums, getU32(sums) + rowA)
    setU32(sums + 4, getU32(sums + 4) + rowB)
    if (rowExists) setU32(sums + 8, getU32(sums + 8) + 1)
  }
}

/** Whether two rows surely are the same: values in two blocks aren't looked into. */
function sameBits(a: usize, b: usize, columns: u32): bool {
  if (!sameTombstone(a, b)) return false
  for (let column: u32 = 0; column < columns; column++) {
    const x = cellAt(a, column)
    const y = cellAt(b, column)
    if (timeIn(x) != timeIn(y) || wordIn(x) != wordIn(y)) return false
  }
  return true
}

export function digestA(): u32 {
  return getU32(replicaAt(asked) + DIGEST)
}

export function digestB(): u32 {
  return getU32(replicaAt(asked) + DIGEST + 4)
}

export function digestRows(): u32 {
  return getU32(replicaAt(asked) + DIGEST + 8)
}

/** The digest's keys begin anew: what was read back from the logs is not this session's. */
export function clearDigestKeys(): void {
  walkRows()
  for (let row = nextRow(); row != NO_ROW; row = nextRow()) clearTouched(row)
  summed = 0
}

import { getU32, getU64, getU8 } from './memory'
import { firstBytes, SMALL } from './characters'

/*
 * What scanner and formatter know of replicas and tables: written by the wrapper (`src/kernel/fast-catalog.ts`) into one
 * block, numbers of 32 bits and texts, all addresses absolute. Texts have sixteen bytes behind them.
 *
 *   header    +0 replicas, +4 names of replicas, +8 how many, +12 tables, +16 how many, +20 the longest `, HIVE.`,
 *             +24 bit `n` where a table's name has `n` bytes (mod 32), +28 most bytes of a line
 *   name      +0 text, +4 bytes, +8 replica                                                            (12 bytes)
 *   replica   +0 `, HIVE.`, +4 bytes, +8 most bytes of a key, +12 most bytes of a value,
 *             +16 per table a byte: whether it takes SETs                                              (20 bytes)
 *   table     +0 name, +4 bytes, +8 `name.` or nothing for the default table, +12 bytes,
 *             +16 key columns, +20 how many, +24 value columns, +28 how many                           (32 bytes)
 *   column    +0 type, +4 precision, +8 scale, +12 `name: `, +16 bytes of it                           (20 bytes)
 */

export const STRING: u32 = 0
export const INT64: u32 = 1
export const FLOAT64: u32 = 2
export const DECIMAL: u32 = 3
export const BOOLEAN: u32 = 4
export const BYTES: u32 = 5
export const DATE: u32 = 6
export const TIMESTAMP: u32 = 7

const NAME: u32 = 12
const REPLICA: u32 = 20
const TABLE: u32 = 32
const COLUMN: u32 = 20

/** None of a name. */
export const UNKNOWN: u32 = 0xffffffff

let header: usize = 0
let replicas: usize = 0
let tables: usize = 0

/** @param block stays where it is */
export function openCatalog(block: usize): void {
  header = block
  replicas = getU32(block)
  tables = getU32(block + 12)
}

export function mostLineBytes(): u32 {
  return getU32(header + 28)
}

function tablesKnown(): u32 {
  return getU32(header + 16)
}

/** Whether two names of so many bytes are the same, whatever their case. */
function sameName(a: usize, b: usize, bytes: u32): bool {
  for (let i: u32 = 0; i < bytes; i += 8) {
    if (firstBytes((getU64(a + i) | SMALL) ^ (getU64(b + i) | SMALL), bytes - i) != 0) return false
  }
  return true
}

/** The replica of a name or alias. */
export function replicaNamed(p: usize, bytes: u32): u32 {
  let name: usize = getU32(header + 4)
  const end = name + getU32(header + 8) * NAME
  for (; name < end; name += NAME) {
    if (getU32(name + 4) == bytes && sameName(getU32(name), p, bytes)) return getU32(name + 8)
  }
  return UNKNOWN
}

export function tableNamed(p: usize, bytes: u32): u32 {
  if (((getU32(header + 24) >> (bytes & 31)) & 1) == 0) return UNKNOWN
  const count = tablesKnown()
  for (let table: u32 = 0; table < count; table++) {
    const entry = tables + table * TABLE
    if (getU32(entry + 4) == bytes && sameName(getU32(entry), p, bytes)) return table
  }
  return UNKNOWN
}

/** The value column of a table, looked for from column `from` on. */
export function columnNamed(table: u32, p: usize, bytes: u32, from: u32): u32 {
  const entry = tables + table * TABLE
  const columns: usize = getU32(entry + 24)
  const count = getU32(entry + 28)
  for (let i: u32 = 0; i < count; i++) {
    const column = from + i < count ? from + i : from + i - count
    const at = columns + column * COLUMN
    if (getU32(at + 16) == bytes + 2 && sameName(getU32(at + 12), p, bytes)) return column
  }
  return UNKNOWN
}

/** `, HIVE.` */
export function replicaText(replica: u32): usize {
  return getU32(replicas + replica * REPLICA)
}

export function replicaTextBytes(replica: u32): u32 {
  return getU32(replicas + replica * REPLICA + 4)
}

export function longestReplicaText(): u32 {
  return getU32(header + 20)
}

export function mostKeyBytes(replica: u32): u32 {
  return getU32(replicas + replica * REPLICA + 8)
}

export function mostValueBytes(replica: u32): u32 {
  return getU32(replicas + replica * REPLICA + 12)
}

/** Whether the replica's database holds every value that the scanner takes of the table's columns. */
export function takesSets(replica: u32, table: u32): bool {
  return getU8(getU32(replicas + replica * REPLICA + 16) + table) != 0
}

/** `name.`; nothing for the default table. */
export function tableText(table: u32): usize {
  return getU32(tables + table * TABLE + 8)
}

export function tableTextBytes(table: u32): u32 {
  return getU32(tables + table * TABLE + 12)
}

export function keyColumns(table: u32): u32 {
  return getU32(tables + table * TABLE + 20)
}

/** A column of the key, for `typeOf` and so on. */
export function keyColumn(table: u32, i: u32): usize {
  return getU32(tables + table * TABLE + 16) + i * COLUMN
}

export function valueColumns(table: u32): u32 {
  return getU32(tables + table * TABLE + 28)
}

export function valueColumn(table: u32, i: u32): usize {
  return getU32(tables + table * TABLE + 24) + i * COLUMN
}

export function typeOf(column: usize): u32 {
  return getU32(column)
}

export function precisionOf(column: usize): u32 {
  return getU32(column + 4)
}

export function scaleOf(column: usize): u32 {
  return getU32(column + 8)
}

/** `name: ` */
export function columnText(column: usize): usize {
  return getU32(column + 12)
}

export function columnTextBytes(column: usize): u32 {
  return getU32(column + 16)
}

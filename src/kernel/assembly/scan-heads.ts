import { equalBytes, copyBytes, getU32, getU64, getU8, setU32, setU64, zeroBytes } from './memory'
import { DOT, firstBytes, isNameByte, isNameStart, SMALL, SPACE } from './characters'
import {
  keyColumn,
  keyColumns,
  mostKeyBytes,
  mostValueBytes,
  replicaNamed,
  STRING,
  tableNamed,
  takesSets,
  typeOf,
  UNKNOWN,
  valueColumn,
  valueColumns,
} from './catalog'
import { DELETE, GET, SET } from './format'
import { HEAD } from './scan-batch'

/*
 * What stands before the parentheses, `HIVE.SET` or `mongo . rooms . GET `: scripts have few spellings of it, so that
 * each is kept with what it means, and what the scanner has to know of its replica and table.
 *
 * An entry: +0 its first and last eight bytes, +16 bytes, 0 for an empty entry, +20 replica, +24 table, +28 kind, +32 key
 * columns, +36 flags, +40 most bytes of a key, +44 most bytes of a value, +48 its text.
 */

const BYTES: u32 = 16
const REPLICA: u32 = 20
const TABLE: u32 = 24
const KIND: u32 = 28
const COLUMNS: u32 = 32
const FLAGS: u32 = 36
const MOST_KEY: u32 = 40
const MOST_VALUE: u32 = 44
const TEXT: u32 = 48
const ENTRY: u32 = 128
/** The longest text that is kept. */
const LONGEST: u32 = 72

/** All key columns are strings. */
export const TEXT_KEY: u32 = 1
/** There is one value column, a string. */
export const TEXT_VALUE: u32 = 2

const SLOT_BITS: u32 = 7
const SLOTS: u32 = 128
/** Beyond this all are forgotten between two batches. */
const MOST: u32 = 96
const HEADS_BYTES: u32 = SLOTS * ENTRY

/** What a log may hold (`LOG_LIMITS`). */
const LOG_KEY_BYTES: u32 = 2000
const LOG_VALUE_BYTES: u32 = 524288

const MIX: u64 = 0x9e3779b97f4a7c15
/** `set`, `get`, `delete` in small letters. */
const SET_WORD: u64 = 0x746573
const GET_WORD: u64 = 0x746567
const DELETE_WORD: u64 = 0x6574656c6564

let heads: usize = 0
let count: u32 = 0
/** They are a log's, which has its own limits. */
let ofLog: bool = false
/** What `parse` read. */
let replicaRead: u32 = 0
let tableRead: u32 = 0
let kindRead: u32 = 0

export function openHeads(at: usize): void {
  heads = at
  forgetHeads()
}

function forgetHeads(): void {
  zeroBytes(heads, HEADS_BYTES)
  count = 0
}

/** Between two batches: operations refer to their heads. */
export function readyHeads(log: bool): void {
  if (log != ofLog || count > MOST) forgetHeads()
  ofLog = log
}

export function tableOfHead(head: usize): u32 {
  return getU32(head + TABLE)
}

export function kindOfHead(head: usize): u32 {
  return getU32(head + KIND)
}

export function keyColumnsOfHead(head: usize): u32 {
  return getU32(head + COLUMNS)
}

/** TEXT_KEY, TEXT_VALUE. */
export function flagsOfHead(head: usize): u32 {
  return getU32(head + FLAGS)
}

export function mostKeyOfHead(head: usize): u32 {
  return getU32(head + MOST_KEY)
}

/** 0 where SETs are for the parser. */
export function mostValueOfHead(head: usize): u32 {
  return getU32(head + MOST_VALUE)
}

export function operationReplica(op: usize): u32 {
  return getU32(getU32(op + HEAD) + REPLICA)
}

export function operationTable(op: usize): u32 {
  return getU32(getU32(op + HEAD) + TABLE)
}

export function operationKind(op: usize): u32 {
  return getU32(getU32(op + HEAD) + KIND)
}

/** What the text between `p` and a parenthesis means; 0 where that is for the parser. */
export function headAt(p: usize, end: usize): usize {
  const bytes = (end - p) as u32
  let first = getU64(p)
  let last = getU64(end - 8)
  if (bytes < 8) {
    if (bytes == 0) return 0
    first = firstBytes(first, bytes)
    last = first
  }
  const head = heads + slotOf(first, last) * ENTRY
  if (getU64(head) == first && getU64(head + 8) == last && getU32(head + BYTES) == bytes) {
    if (bytes <= 16 || equalBytes(head + TEXT, p, bytes)) return head
  }
  return otherHead(p, bytes, first, last)
}

function slotOf(first: u64, last: u64): usize {
  return (((first ^ rotl<u64>(last, 29)) * MIX) >> (64 - SLOT_BITS)) as usize
}

/** Where a text is that isn't in its first slot, or is new. */
function otherHead(p: usize, bytes: u32, first: u64, last: u64): usize {
  if (bytes > LONGEST) return 0
  let slot = slotOf(first, last)
  for (let probes: u32 = 0; probes < SLOTS; probes++) {
    const head = heads + slot * ENTRY
    const held = getU32(head + BYTES)
    if (held == 0) return learn(head, p, bytes, first, last) ? head : 0
    if (held == bytes && equalBytes(head + TEXT, p, bytes)) return head
    slot = (slot + 1) & (SLOTS - 1)
  }
  return 0
}

/** Keeps a text in an empty entry, if it means something. */
function learn(head: usize, p: usize, bytes: u32, first: u64, last: u64): bool {
  if (!parse(p, p + bytes)) return false
  setU64(head, first)
  setU64(head + 8, last)
  setU32(head + BYTES, bytes)
  setU32(head + REPLICA, replicaRead)
  setU32(head + TABLE, tableRead)
  setU32(head + KIND, kindRead)
  setU32(head + COLUMNS, keyColumns(tableRead))
  setU32(head + FLAGS, flagsOf(tableRead))
  setU32(head + MOST_KEY, ofLog ? LOG_KEY_BYTES : mostKeyBytes(replicaRead))
  const mostValue = takesSets(replicaRead, tableRead) ? mostValueBytes(replicaRead) : 0
  setU32(head + MOST_VALUE, ofLog ? LOG_VALUE_BYTES : mostValue)
  copyBytes(head + TEXT, p, bytes)
  count++
  return true
}

function flagsOf(table: u32): u32 {
  let flags = TEXT_KEY
  for (let i: u32 = 0; i < keyColumns(table); i++) if (typeOf(keyColumn(table, i)) != STRING) flags = 0
  return valueColumns(table) == 1 && typeOf(valueColumn(table, 0)) == STRING ? flags | TEXT_VALUE : flags
}

/** Reads `replica . [ table . ] operation`; false where it is none of these. */
function parse(p: usize, end: usize): bool {
  const replicaEnd = nameEnd(p, end)
  replicaRead = replicaNamed(p, (replicaEnd - p) as u32)
  let at = behindDot(replicaEnd, end)
  if (replicaEnd == p || replicaRead == UNKNOWN || at == 0) return false
  tableRead = 0
  let wordEnd = nameEnd(at, end)
  const behind = behindDot(wordEnd, end)
  if (behind != 0) {
    if (wordEnd == at) return false
    tableRead = tableNamed(at, (wordEnd - at) as u32)
    if (tableRead == UNKNOWN) return false
    at = behind
    wordEnd = nameEnd(at, end)
  }
  kindRead = kindOf(at, (wordEnd - at) as u32)
  return kindRead != UNKNOWN && pastSpaces(wordEnd, end) == end
}

function nameEnd(p: usize, end: usize): usize {
  if (p == end || !isNameStart(getU8(p))) return p
  while (p < end && isNameByte(getU8(p))) p++
  return p
}

function pastSpaces(p: usize, end: usize): usize {
  while (p < end && getU8(p) == SPACE) p++
  return p
}

/** Where the text behind a dot begins, blanks around it; 0 where there is no dot. */
function behindDot(p: usize, end: usize): usize {
  const at = pastSpaces(p, end)
  return at == end || getU8(at) != DOT ? 0 : pastSpaces(at + 1, end)
}

function kindOf(p: usize, bytes: u32): u32 {
  const word = firstBytes(getU64(p) | SMALL, bytes)
  if (bytes == 3) return word == SET_WORD ? SET : word == GET_WORD ? GET : UNKNOWN
  return bytes == 6 && word == DELETE_WORD ? DELETE : UNKNOWN
}

import { equalShort, getU16, getU32, getU64, setU32, setU64, zeroBytes } from './memory'
import { giveBlock, takeZeroed } from './blocks'
import { givePages, PAGE_BYTES, pageInfo, takePages } from './pages'

/*
 * The index of keys is extendible hashing (Fagin, Nievergelt, Pippenger, Strong, 1979): the upper bits of a key's hash
 * choose a segment, which is a small table with linear probing by the lower bits. A full segment splits into two, so
 * that growth never touches more than one segment; where upper bits can't tell its keys apart any more, it doubles
 * instead.
 *
 * A slot: the hash in its upper half, the address of the key's entry in the lower one, 0 for none. A segment's page
 * information: +0 how many upper bits its keys have in common, +4 keys in it. The directory's entries are a segment's
 * address with the logarithm of its slots in the lower 16 bits.
 */

/** In an entry (keys.ts): where the key's bytes begin, and the bits of the number at +6 that are its length. */
export const KEY: u32 = 8
export const LENGTH_BITS: u32 = 0x7ff

const SLOT: u32 = 8
/** Slots of a page, as a power of two. */
const PAGE_SLOTS_BITS: u32 = 13
/** Upper bits of the hash beyond which a segment doubles. */
const MOST_BITS: u32 = 15

const DEPTH: u32 = 0
const KEYS: u32 = 4

let directory: usize = 0
let depth: u32 = 0
let hashMask: u32 = 0xffffffff
/** Pages of the largest segment. */
let largestSegment: u32 = 1

/** @param mask bits of the hash that count: fewer of them for tests of collisions */
export function initIndex(mask: u32): void {
  hashMask = mask
}

/** The first segment; once pages can be taken. */
export function openIndex(): void {
  directory = takeZeroed(4)
  setU32(directory, takeSegment(PAGE_SLOTS_BITS, 0))
}

/** The hash of a key of a table: its bytes eight at a time, each multiplied into what came before. */
export function hashKey(table: u32, p: usize, bytes: u32): u32 {
  let hash = ((table as u64) << 32) ^ (bytes as u64) ^ 0x9e3779b97f4a7c15
  let i: u32 = 0
  for (; i + 8 <= bytes; i += 8) {
    hash = (hash ^ getU64(p + i)) * 0xff51afd7ed558ccd
    hash ^= hash >> 32
  }
  if (i < bytes) {
    const rest = getU64(p + i) & (((1 as u64) << ((bytes - i) * 8)) - 1)
    hash = (hash ^ rest) * 0xff51afd7ed558ccd
    hash ^= hash >> 32
  }
  hash *= 0xc4ceb9fe1a85ec53
  return ((hash >> 32) as u32) & hashMask
}

function segmentFor(hash: u32): u32 {
  return getU32(directory + (depth == 0 ? 0 : ((hash >> (32 - depth)) as usize)) * 4)
}

/** Where a key of this hash should have its slot. */
export function slotFor(hash: u32): usize {
  const segment = segmentFor(hash)
  const mask = ((1 as u32) << (segment & 0xffff)) - 1
  return ((segment & 0xffff0000) as usize) + (hash & mask) * SLOT
}

/** The first entry of this hash, likely the one that is looked for; 0 where there is none. */
export function likelyEntry(hash: u32): usize {
  const segment = segmentFor(hash)
  const slots = (segment & 0xffff0000) as usize
  const mask = ((1 as u32) << (segment & 0xffff)) - 1
  let slot = hash & mask
  let held = getU64(slots + slot * SLOT)
  while (((held >> 32) as u32) != hash && held != 0) {
    slot = (slot + 1) & mask
    held = getU64(slots + slot * SLOT)
  }
  return held as u32 as usize
}

/** Whether an entry is that of a key. */
export function isKey(entry: usize, table: u32, p: usize, bytes: u32): bool {
  const same = getU16(entry + 4) == table && (getU16(entry + 6) & LENGTH_BITS) == bytes
  return same && equalShort(entry + KEY, p, bytes)
}

/** The entry of a key; 0 where there is none. */
export function findEntry(table: u32, p: usize, bytes: u32, hash: u32): usize {
  const segment = segmentFor(hash)
  const slots = (segment & 0xffff0000) as usize
  const mask = ((1 as u32) << (segment & 0xffff)) - 1
  let slot = hash & mask
  let held = getU64(slots + slot * SLOT)
  while (held != 0) {
    if (((held >> 32) as u32) == hash && isKey(held as u32 as usize, table, p, bytes)) return held as u32 as usize
    slot = (slot + 1) & mask
    held = getU64(slots + slot * SLOT)
  }
  return 0
}

/** Pages that a new key's place may take at the most: the directory, and the two segments that a full one becomes. */
export function pagesForIndex(): u32 {
  return 1 + (8 << depth) / PAGE_BYTES + largestSegment * 2
}

/** Adds a key that isn't there. There must be room for `pagesForIndex`. */
export function putEntry(entry: usize, hash: u32): void {
  makeSlot(hash)
  place(segmentFor(hash), ((hash as u64) << 32) | (entry as u64))
}

/** An empty segment, as it stands in the directory. */
function takeSegment(bits: u32, common: u32): u32 {
  const bytes = ((1 as u32) << bits) * SLOT
  const segment = takePages(bytes / PAGE_BYTES)
  zeroBytes(segment, bytes)
  setU32(pageInfo(segment) + DEPTH, common)
  if (bytes / PAGE_BYTES > largestSegment) largestSegment = bytes / PAGE_BYTES
  return (segment as u32) | bits
}

/** Puts a slot into a segment with room, by its hash. */
function place(segment: u32, slot: u64): void {
  const slots = (segment & 0xffff0000) as usize
  const mask = ((1 as u32) << (segment & 0xffff)) - 1
  let at = ((slot >> 32) as u32) & mask
  while (getU64(slots + at * SLOT) != 0) at = (at + 1) & mask
  setU64(slots + at * SLOT, slot)
  const info = pageInfo(slots) + KEYS
  setU32(info, getU32(info) + 1)
}

/** Splits or doubles the segment of a hash until three quarters of its slots at the most are in use. */
function makeSlot(hash: u32): void {
  for (;;) {
    const segment = segmentFor(hash)
    const slots = (segment & 0xffff0000) as usize
    if (getU32(pageInfo(slots) + KEYS) < (3 as u32) << ((segment & 0xffff) - 2)) return
    const common = getU32(pageInfo(slots) + DEPTH)
    if (common == MOST_BITS) double(hash, segment, common)
    else split(hash, segment, common)
  }
}

/** Points all directory entries of a segment's keys to `now`: those with the first `common` bits of `hash`. */
function point(hash: u32, common: u32, now: u32): void {
  const first = common == 0 ? 0 : (hash >> (32 - common)) << (depth - common)
  const last = first + ((1 as u32) << (depth - common))
  for (let i = first; i < last; i++) setU32(directory + (i as usize) * 4, now)
}

/** Moves the keys of a segment: those whose hash has `bit` into `high`, the others into `low`. */
function move(segment: u32, low: u32, high: u32, bit: u32): void {
  const from = (segment & 0xffff0000) as usize
  const slots = (1 as u32) << (segment & 0xffff)
  for (let i: u32 = 0; i < slots; i++) {
    const slot = getU64(from + i * SLOT)
    if (slot != 0) place((((slot >> 32) as u32) & bit) == 0 ? low : high, slot)
  }
  givePages(from, (slots * SLOT) / PAGE_BYTES)
}

function double(hash: u32, segment: u32, common: u32): void {
  const larger = takeSegment((segment & 0xffff) + 1, common)
  move(segment, larger, larger, 0)
  point(hash, common, larger)
}

function split(hash: u32, segment: u32, common: u32): void {
  if (common == depth) doubleDirectory()
  const low = takeSegment(segment & 0xffff, common + 1)
  const high = takeSegment(segment & 0xffff, common + 1)
  const bit = (1 as u32) << (31 - common)
  move(segment, low, high, bit)
  point(hash & ~bit, common + 1, low)
  point(hash | bit, common + 1, high)
}

function doubleDirectory(): void {
  const entries = (1 as u32) << depth
  const larger = takeZeroed(entries * 8)
  for (let i: u32 = 0; i < entries; i++) {
    const entry = getU32(directory + (i as usize) * 4)
    setU32(larger + (i as usize) * 8, entry)
    setU32(larger + (i as usize) * 8 + 4, entry)
  }
  giveBlock(directory, entries * 4)
  directory = larger
  depth++
}

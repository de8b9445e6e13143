import { compareBytes, copyBytes, equalBytes, getU32, setU32, SLACK, takeStatic } from './memory'
import { takeBlock } from './blocks'
import { entryAt, makeRoom } from './vectors'

/*
 * Origins of stamps by number, 16 bits of it. Of two origins the greater is the one whose name has the greater bytes,
 * never the greater number: their ranks, kept up as names come in, say which.
 *
 * An entry: +0 its name, +4 the name's length, +8 its rank.
 */

export const NO_ORIGIN: u32 = 0xffffffff
const MOST: u32 = 65535
const ENTRY: u32 = 12

let entries: usize = 0
let count: u32 = 0
let longest: u32 = 0

export function initOrigins(): void {
  entries = takeStatic(8)
}

export function originCount(): u32 {
  return count
}

export function originName(origin: u32): usize {
  return getU32(entryAt(entries, origin, ENTRY)) as usize
}

export function originNameLength(origin: u32): u32 {
  return getU32(entryAt(entries, origin, ENTRY) + 4)
}

/** Bytes of the longest name. */
export function longestOriginName(): u32 {
  return longest
}

function rankOf(origin: u32): u32 {
  return getU32(entryAt(entries, origin, ENTRY) + 8)
}

/** The number of a name, which is new where it wasn't met; NO_ORIGIN where there are too many or memory is full. */
export function findOrigin(name: usize, bytes: u32): u32 {
  for (let origin: u32 = 0; origin < count; origin++) {
    if (originNameLength(origin) == bytes && equalBytes(originName(origin), name, bytes)) return origin
  }
  return count < MOST ? add(name, bytes) : NO_ORIGIN
}

function add(name: usize, bytes: u32): u32 {
  if (!makeRoom(entries, count, ENTRY)) return NO_ORIGIN
  const kept = takeBlock(bytes + SLACK)
  if (kept == 0) return NO_ORIGIN
  copyBytes(kept, name, bytes)
  if (bytes > longest) longest = bytes
  let rank: u32 = 0
  for (let origin: u32 = 0; origin < count; origin++) {
    const entry = entryAt(entries, origin, ENTRY)
    if (compareBytes(originName(origin), originNameLength(origin), name, bytes) < 0) rank++
    else setU32(entry + 8, getU32(entry + 8) + 1)
  }
  const entry = entryAt(entries, count, ENTRY)
  setU32(entry, kept as u32)
  setU32(entry + 4, bytes)
  setU32(entry + 8, rank)
  return count++
}

/** The total order of stamps (I1): negative, zero or positive as the first is less than, equal to or greater. */
export function compareStamps(timeA: i64, originA: u32, timeB: i64, originB: u32): i32 {
  if (timeA != timeB) return timeA < timeB ? -1 : 1
  return originA == originB ? 0 : rankOf(originA) < rankOf(originB) ? -1 : 1
}

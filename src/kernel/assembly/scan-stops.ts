import { getSixteen, getU32, getU8, setU32 } from './memory'
import { LF } from './characters'

/*
 * Where a block of script has its stops: the bytes that end bare text. They are found for many lines at once, without
 * looking at what they mean, and put down one after the other (as simdjson does for JSON: Langdale and Lemire, 2019); the
 * scanner then goes from stop to stop. A cursor is the address of one of them; the text before a stop begins behind the
 * stop before it.
 */

/** Bytes looked at in one step. */
const STEP: u32 = 64
/** Bytes of script at a time, and at the most, where one line is longer. */
const BLOCK: u32 = 127 * STEP
const LONGEST: u32 = 8 * BLOCK

/** Pages for the stops of the longest block, if every byte is one. */
export const STOP_PAGES: u32 = 4

/** Room for the stop before the first one. */
const BEFORE: u32 = 16

let stops: usize = 0
let end: usize = 0

export function openStops(pages: usize): void {
  stops = pages + BEFORE
}

/** The first cursor. */
export function firstStop(): usize {
  return stops
}

/** Behind the last one. */
export function stopsEnd(): usize {
  return end
}

/** Where the text begins that ends at the stop of a cursor. */
export function textAt(cursor: usize): usize {
  return getU32(cursor - 4) + 1
}

/** Where the stop of a cursor is. */
export function stopAt(cursor: usize): usize {
  return getU32(cursor)
}

/**
 * Finds the stops of as many whole lines as a block holds, at least one; false where the first line is too long.
 * @param to behind a line end
 */
export function findStops(from: usize, to: usize): bool {
  setU32(stops - 4, (from as u32) - 1)
  end = stops
  let p = from
  for (let bytes = BLOCK; bytes <= LONGEST; bytes *= 2) {
    const until = ((to - from) as u32) < bytes ? to : from + bytes
    for (; p < until; p += STEP) putStops(p)
    const last = lastLineEnd(to)
    if (last != 0) {
      end = last + 4
      return true
    }
    if (until == to) break
  }
  return false
}

/** The cursor of the last line end before `to`; 0 where there is none. */
function lastLineEnd(to: usize): usize {
  for (let cursor = end; cursor > stops;) {
    cursor -= 4
    const stop: usize = getU32(cursor)
    if (getU8(stop) == LF && stop < to) return cursor
  }
  return 0
}

/**
 * One bit for each of sixteen bytes that are stops. Two tables, by the lower and the upper half of a byte, have a bit in
 * common where it is one: 1 for controls, 2 for `" # ( ) ,`, 4 for braces and DEL. All that isn't ASCII is one.
 */
function bitsOfSixteen(p: usize): u64 {
  const bytes = getSixteen(p)
  const lower = i8x16.swizzle(i8x16(1, 1, 3, 3, 1, 1, 1, 1, 3, 3, 1, 5, 3, 5, 1, 5), v128.and(bytes, i8x16.splat(0x0f)))
  const upper = i8x16.swizzle(i8x16(1, 1, 2, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0), i8x16.shr_u(bytes, 4))
  const common = i8x16.ne(v128.and(lower, upper), i8x16.splat(0))
  return i8x16.bitmask(v128.or(common, bytes)) as u64
}

function bitsAt(p: usize): u64 {
  return (
    bitsOfSixteen(p) | (bitsOfSixteen(p + 16) << 16) | (bitsOfSixteen(p + 32) << 32) | (bitsOfSixteen(p + 48) << 48)
  )
}

/** Puts down the first of these stops; gives the others. Where there is none, what is put down doesn't count. */
function putOne(at: usize, p: usize, bits: u64): u64 {
  setU32(at, (p as u32) + (ctz<u64>(bits) as u32))
  return bits & (bits - 1)
}

function putFour(at: usize, p: usize, bits: u64): u64 {
  return putOne(at + 12, p, putOne(at + 8, p, putOne(at + 4, p, putOne(at, p, bits))))
}

function putStops(p: usize): void {
  let bits = bitsAt(p)
  const next = end + (popcnt<u64>(bits) as usize) * 4
  let at = end
  // Lines of the usual kind have about a dozen stops in 64 bytes.
  do {
    bits = putFour(at, p, bits)
    bits = putFour(at + 4 * 4, p, bits)
    bits = putFour(at + 8 * 4, p, bits)
    bits = putFour(at + 12 * 4, p, bits)
    at += 16 * 4
  } while (bits != 0)
  end = next
}

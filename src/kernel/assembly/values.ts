import { getU32, getU64, setU32, setU64, copyBytes, compareBytes, equalBytes, takeStatic, SLACK } from './memory'
import { giveBlock, pagesForBlock, takeBlock } from './blocks'

/*
 * A value is a 64-bit word: bits 0-15 are the origin of its stamp, bits 16-23 say what it is, and bits 24-63 hold up to
 * five bytes of text, first byte lowest; or bits 32-63 the address of a block with more. A content is a word without its
 * origin. Blocks are shared by all registers, images and batches that show the same value, and count them: +0
 * references, +4 length, +8 the bytes.
 */

/** No register. */
const NOTHING: u32 = 0
/** Text of up to five bytes: its length + 1. */
const LONGEST_INLINE: u32 = 5
const BLOCK: u32 = 0xfe
const NULL: u32 = 0xff

const HEADER: u32 = 8
const ORIGIN_BITS: u64 = 0xffff

export const NULL_CONTENT: u64 = (NULL as u64) << 16

let scratchA: usize = 0
let scratchB: usize = 0

export function initValues(): void {
  scratchA = takeStatic(8)
  scratchB = takeStatic(8)
}

function tagOf(word: u64): u32 {
  return ((word >> 16) as u32) & 0xff
}

function blockOf(word: u64): usize {
  return (word >> 32) as usize
}

/** Whether there is a register at all. */
export function isThere(word: u64): bool {
  return tagOf(word) != NOTHING
}

export function isNull(word: u64): bool {
  return tagOf(word) == NULL
}

export function originOf(word: u64): u32 {
  return (word as u32) & 0xffff
}

/** The value without its stamp's origin. */
export function contentIn(word: u64): u64 {
  return word & ~ORIGIN_BITS
}

/** Pages that a content of so many bytes may take at the most. */
export function pagesForValue(bytes: u32): u32 {
  return bytes <= LONGEST_INLINE ? 0 : pagesForBlock(bytes + HEADER + SLACK)
}

/** The content of a text, its bytes copied; a block belongs to the caller. 0 where memory is full. */
export function contentOf(p: usize, bytes: u32): u64 {
  if (bytes <= LONGEST_INLINE) {
    const kept = bytes == 0 ? 0 : getU64(p) & (((1 as u64) << (bytes * 8)) - 1)
    return (((bytes + 1) as u64) << 16) | (kept << 24)
  }
  const block = takeBlock(bytes + HEADER + SLACK)
  if (block == 0) return 0
  setU32(block, 1)
  setU32(block + 4, bytes)
  copyBytes(block + HEADER, p, bytes)
  return ((BLOCK as u64) << 16) | ((block as u64) << 32)
}

/** One more who shows the value. */
export function retain(word: u64): void {
  if (tagOf(word) != BLOCK) return
  const block = blockOf(word)
  assert(getU32(block) > 0, 'a value that is shown is there')
  setU32(block, getU32(block) + 1)
}

/** One less; the last one frees it. */
export function release(word: u64): void {
  if (tagOf(word) != BLOCK) return
  const block = blockOf(word)
  const left = getU32(block) - 1
  assert(left + 1 > 0, 'a value is released once')
  setU32(block, left)
  if (left == 0) giveBlock(block, getU32(block + 4) + HEADER + SLACK)
}

/** Bytes of the text; 0 for null. */
export function valueLength(word: u64): u32 {
  const tag = tagOf(word)
  if (tag == BLOCK) return getU32(blockOf(word) + 4)
  return tag == NULL || tag == NOTHING ? 0 : tag - 1
}

/** Where the text is; a short one is put into the eight bytes of `scratch`. */
export function valueStart(word: u64, scratch: usize): usize {
  if (tagOf(word) == BLOCK) return blockOf(word) + HEADER
  setU64(scratch, word >> 24)
  return scratch
}

/** Whether two words show the same value, whatever their stamps. Nothing and null are themselves. */
export function sameValue(a: u64, b: u64): bool {
  const x = contentIn(a)
  const y = contentIn(b)
  if (x == y) return true
  if (tagOf(a) != BLOCK || tagOf(b) != BLOCK) return false
  const bytes = getU32(blockOf(a) + 4)
  return bytes == getU32(blockOf(b) + 4) && equalBytes(blockOf(a) + HEADER, blockOf(b) + HEADER, bytes)
}

/** Values by their bytes; null is the least. */
export function compareValues(a: u64, b: u64): i32 {
  if (isNull(a) || isNull(b)) return (isNull(b) ? 1 : 0) - (isNull(a) ? 1 : 0)
  return compareBytes(valueStart(a, scratchA), valueLength(a), valueStart(b, scratchB), valueLength(b))
}

import { getU32, setU32, takeStatic, zeroBytes } from './memory'
import { givePages, PAGE_BYTES, pageInfo, pagesFor, takePages } from './pages'

/*
 * Blocks of any size. Up to 16 KiB they come from pages that are cut into blocks of one size each (Bonwick, The slab
 * allocator, 1994): sizes rise by 8 bytes up to 128, then by an eighth. A page whose blocks are all free goes back, so
 * that what was held by values of one length can hold values of another. Larger blocks are runs of pages.
 *
 * A page's information: +0 its size's number, +4 blocks in use, +8 its first free block, +12 how far it was ever used
 * (its upper half: the page before it in the list of pages with room; its lower half: the one after).
 */

const LARGEST: u32 = 16384
/** Sizes by number: 1..16 are 8..128, then eight for each doubling up to 16 KiB. */
const SIZES: u32 = 16 + 7 * 8 + 1

const SIZE_NUMBER: u32 = 0
const IN_USE: u32 = 4
const FIRST_FREE: u32 = 8
const NEIGHBOURS: u32 = 12

/** Per size the first page with room, by its number; 0 for none. */
let heads: usize = 0

export function initBlocks(): void {
  heads = takeStatic(SIZES * 4)
}

/** The number of the least size that holds so many bytes. */
function sizeNumber(bytes: u32): u32 {
  if (bytes <= 128) return bytes <= 8 ? 1 : (bytes + 7) >> 3
  const power = 31 - (clz<u32>(bytes - 1) as u32)
  return 17 + (power - 7) * 8 + ((bytes - 1 - ((1 as u32) << power)) >> (power - 3))
}

function sizeOf(number: u32): u32 {
  if (number <= 16) return number * 8
  const step = number - 17
  const power = 7 + step / 8
  return ((1 as u32) << power) + ((step % 8) + 1) * ((1 as u32) << (power - 3))
}

/** Pages that taking a block of so many bytes may take at the most. */
export function pagesForBlock(bytes: u32): u32 {
  return bytes <= LARGEST ? 1 : pagesFor(bytes)
}

function link(page: usize, number: u32): void {
  const head = heads + number * 4
  const next = getU32(head)
  const info = pageInfo(page)
  setU32(info + NEIGHBOURS, next)
  if (next != 0) {
    const other = pageInfo((next as usize) << 16) + NEIGHBOURS
    setU32(other, (getU32(other) & 0xffff) | (((page >> 16) as u32) << 16))
  }
  setU32(head, (page >> 16) as u32)
}

function unlink(page: usize, number: u32): void {
  const neighbours = getU32(pageInfo(page) + NEIGHBOURS)
  const before = neighbours >> 16
  const next = neighbours & 0xffff
  if (before == 0) setU32(heads + number * 4, next)
  else {
    const other = pageInfo((before as usize) << 16) + NEIGHBOURS
    setU32(other, (getU32(other) & 0xffff0000) | next)
  }
  if (next != 0) {
    const other = pageInfo((next as usize) << 16) + NEIGHBOURS
    setU32(other, (getU32(other) & 0xffff) | (before << 16))
  }
}

/** A page of blocks of one size, all of them in its list of free ones. */
function cutPage(number: u32): usize {
  const page = takePages(1)
  if (page == 0) return 0
  const size = sizeOf(number)
  const info = pageInfo(page)
  setU32(info + SIZE_NUMBER, number)
  setU32(info + FIRST_FREE, page as u32)
  let at = page
  for (let left = PAGE_BYTES / size - 1; left > 0; left--) {
    setU32(at, (at as u32) + size)
    at += size
  }
  setU32(at, 0)
  link(page, number)
  return page
}

/** A block of at least so many bytes, contents as they were left; 0 where memory is full. */
export function takeBlock(bytes: u32): usize {
  if (bytes > LARGEST) return takePages(pagesFor(bytes))
  const number = sizeNumber(bytes)
  const first = getU32(heads + number * 4)
  const page = first == 0 ? cutPage(number) : (first as usize) << 16
  if (page == 0) return 0
  const info = pageInfo(page)
  const block = getU32(info + FIRST_FREE) as usize
  const next = getU32(block)
  setU32(info + FIRST_FREE, next)
  setU32(info + IN_USE, getU32(info + IN_USE) + 1)
  if (next == 0) unlink(page, number)
  return block
}

/** The same, zeroed. */
export function takeZeroed(bytes: u32): usize {
  const block = takeBlock(bytes)
  if (block != 0) zeroBytes(block, bytes)
  return block
}

/** Gives a block back. `bytes` is what it was taken with. */
export function giveBlock(block: usize, bytes: u32): void {
  if (bytes > LARGEST) {
    givePages(block, pagesFor(bytes))
    return
  }
  const page = block & ~0xffff
  const info = pageInfo(page)
  const number = getU32(info + SIZE_NUMBER)
  assert(number == sizeNumber(bytes), 'a block is given back with its size')
  const free = getU32(info + FIRST_FREE)
  const inUse = getU32(info + IN_USE) - 1
  assert(inUse + 1 > 0, 'a block is given back once')
  setU32(info + IN_USE, inUse)
  if (inUse == 0) {
    if (free != 0) unlink(page, number)
    givePages(page, 1)
    return
  }
  setU32(block, free)
  setU32(info + FIRST_FREE, block as u32)
  if (free == 0) link(page, number)
}

import {
  getU32,
  getU8,
  growMemory,
  initMemory,
  memoryPages,
  setU32,
  setU8,
  staticsEnd,
  takeStatic,
  zeroBytes,
} from './memory'

/*
 * The memory in pages of 64 KiB, given out in runs by a buddy allocator (Knuth, The Art of Computer Programming, volume
 * 1, section 2.5): free runs are powers of two at multiples of their length, kept in a list for each length, and join
 * with their neighbour when both are free. A run of another length is cut from the next power of two, and what is left
 * of it is free at once. Growing the memory adds a run; nothing is ever copied.
 *
 * Per page stand 16 bytes of information: its allocator's, of whoever owns the run (`pageInfo`).
 */

export const PAGE_BYTES: u32 = 65536
/** The last page of the 4 GiB stays out of use, so that no address is ever beyond 32 bits. */
const MOST_PAGES: u32 = 65535
const ORDERS: u32 = 17
const INFO_BYTES: u32 = 16

/** Fresh pages at a time: small at the beginning, a quarter of what there is later. */
const LEAST_GROWTH: u32 = 16
const MOST_GROWTH: u32 = 1024

/** Per order the first page of the first free run, 0 for none. */
let heads: usize = 0
/** Per page: its order + 1 where a free run begins there, else 0. */
let freeOrders: usize = 0
let infos: usize = 0
/** Bit `n` is set where a free run of order `n` is there. */
let orders: u32 = 0
let limit: u32 = 0
/** Counts how often the memory has grown, for who keeps views of it. */
let growths: usize = 0
let used: u32 = 0

/** @param mostPages the memory never grows beyond */
export function initPages(mostPages: u32): void {
  initMemory()
  limit = mostPages < MOST_PAGES ? mostPages : MOST_PAGES
  heads = takeStatic(ORDERS * 4)
  freeOrders = takeStatic(MOST_PAGES + 1)
  growths = takeStatic(4)
  infos = 0
}

/** The pages behind the static area; called once all of it is taken. */
export function openPages(): void {
  infos = takeStatic((limit + 1) * INFO_BYTES)
  const first = ((staticsEnd() + PAGE_BYTES - 1) / PAGE_BYTES) as u32
  const there = memoryPages()
  used = there
  if (there > first) giveRun(first, there - first)
}

function address(page: u32): usize {
  return (page as usize) << 16
}

function orderFor(pages: u32): u32 {
  return pages <= 1 ? 0 : 32 - (clz<u32>(pages - 1) as u32)
}

/** Sixteen bytes for whoever owns the page at `p`: zeroed when it is taken. */
export function pageInfo(p: usize): usize {
  return infos + (p >> 16) * INFO_BYTES
}

/** Where the count of the memory's growths is. */
export function growthCount(): usize {
  return growths
}

/** Pages that are taken. */
export function takenPages(): u32 {
  return used
}

/** Bytes of the pages that are taken. */
export function takenBytes(): f64 {
  return (used as f64) * (PAGE_BYTES as f64)
}

function link(page: u32, order: u32): void {
  const head = heads + order * 4
  const next = getU32(head)
  const at = address(page)
  setU32(at, next)
  setU32(at + 4, 0)
  if (next != 0) setU32(address(next) + 4, page)
  setU32(head, page)
  setU8(freeOrders + page, order + 1)
  orders |= (1 as u32) << order
}

function unlink(page: u32, order: u32): void {
  const at = address(page)
  const next = getU32(at)
  const before = getU32(at + 4)
  if (before == 0) setU32(heads + order * 4, next)
  else setU32(address(before), next)
  if (next != 0) setU32(address(next) + 4, before)
  setU8(freeOrders + page, 0)
  if (getU32(heads + order * 4) == 0) orders &= ~((1 as u32) << order)
}

/** Frees a run that is a power of two at a multiple of its length. */
function giveAligned(from: u32, fromOrder: u32): void {
  let page = from
  let order = fromOrder
  while (order + 1 < ORDERS) {
    const buddy = page ^ ((1 as u32) << order)
    if (getU8(freeOrders + buddy) != order + 1) break
    unlink(buddy, order)
    page &= ~((1 as u32) << order)
    order++
  }
  link(page, order)
}

/** Frees any run, in aligned pieces. */
function giveRun(from: u32, pages: u32): void {
  used -= pages
  let page = from
  let left = pages
  while (left > 0) {
    let order: u32 = page == 0 ? 16 : (ctz<u32>(page) as u32)
    while ((1 as u32) << order > left) order--
    giveAligned(page, order)
    page += (1 as u32) << order
    left -= (1 as u32) << order
  }
}

function grow(pages: u32): bool {
  const there = memoryPages()
  if (there >= limit) return false
  let more = there / 4
  if (more < LEAST_GROWTH) more = LEAST_GROWTH
  if (more > MOST_GROWTH) more = MOST_GROWTH
  if (more < pages) more = pages
  if (more > limit - there) more = limit - there
  if (!growMemory(more)) return false
  setU32(growths, getU32(growths) + 1)
  used += more
  giveRun(there, more)
  return true
}

/** Pages that writes leave free, so that what is there can be read and flushed where memory is full. */
const FOR_READING: u32 = 16

/** Whether `pages` more can surely be taken for a write, whatever the runs they are taken in. Grows the memory. */
export function roomFor(pages: u32): bool {
  return limit - used >= pages + FOR_READING && roomToRead(pages)
}

/** The same for a read, whose pages are given back soon. */
export function roomToRead(pages: u32): bool {
  // One page can be taken from any run; several may part the only run that is long enough.
  const order = pages <= 1 ? 0 : orderFor(pages) + 1
  if (orders >> order != 0) return true
  // Fresh pages join to an aligned run of that length sooner or later.
  while (grow((1 as u32) << order)) if (orders >> order != 0) return true
  return false
}

/** A run of pages, zeroed information, contents as they were left; 0 where there is none. */
export function takePages(pages: u32): usize {
  const wanted = orderFor(pages)
  while (orders >> wanted == 0) if (!grow(pages)) return 0
  const order = wanted + (ctz<u32>(orders >> wanted) as u32)
  const page = getU32(heads + order * 4)
  unlink(page, order)
  const length = (1 as u32) << order
  used += length
  if (length > pages) giveRun(page + pages, length - pages)
  zeroBytes(infos + (page as usize) * INFO_BYTES, pages * INFO_BYTES)
  return address(page)
}

/** Gives a run back, or a part of one. */
export function givePages(p: usize, pages: u32): void {
  assert((p & 0xffff) == 0 && p != 0, 'a run begins with a page')
  assert(getU8(freeOrders + (p >> 16)) == 0, 'a run is given back once')
  giveRun((p >> 16) as u32, pages)
}

/** Pages needed for so many bytes. */
export function pagesFor(bytes: u32): u32 {
  return bytes / PAGE_BYTES + (bytes % PAGE_BYTES == 0 ? 0 : 1)
}

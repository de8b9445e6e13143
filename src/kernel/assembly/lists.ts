import { getU32, setU32 } from './memory'
import { givePages, PAGE_BYTES, takePages } from './pages'

/*
 * A list of numbers that only grows, in pages: nothing is copied. Twelve bytes where the list is kept: +0 its first
 * page, +4 its last, +8 how many numbers. A page: +0 the next one, then its numbers.
 */

const HEADER: u32 = 8
const PER_PAGE: u32 = (PAGE_BYTES - HEADER) / 4

export function listCount(list: usize): u32 {
  return getU32(list + 8)
}

/** False where memory is full. */
export function append(list: usize, value: u32): bool {
  const count = getU32(list + 8)
  const inPage = count % PER_PAGE
  let page = getU32(list + 4) as usize
  if (inPage == 0) {
    const next = takePages(1)
    if (next == 0) return false
    setU32(next, 0)
    if (page == 0) setU32(list, next as u32)
    else setU32(page, next as u32)
    setU32(list + 4, next as u32)
    page = next
  }
  setU32(page + HEADER + inPage * 4, value)
  setU32(list + 8, count + 1)
  return true
}

/** The first page, for walking: `numberIn` and, after each `numbersPerPage()` numbers, `pageAfter`. */
export function firstPage(list: usize): usize {
  return getU32(list) as usize
}

export function pageAfter(page: usize): usize {
  return getU32(page) as usize
}

export function numbersPerPage(): u32 {
  return PER_PAGE
}

export function numberIn(page: usize, i: u32): u32 {
  return getU32(page + HEADER + i * 4)
}

export function clearList(list: usize): void {
  let page = getU32(list) as usize
  while (page != 0) {
    const next = getU32(page) as usize
    givePages(page, 1)
    page = next
  }
  setU32(list, 0)
  setU32(list + 4, 0)
  setU32(list + 8, 0)
}

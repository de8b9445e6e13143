import { getU32, setU32 } from './memory'
import { givePages, PAGE_BYTES, takePages } from './pages'

/*
 * A list of entries of one size that only grows, in pages: nothing is copied. Twelve bytes where the list is kept: +0
 * its first page, +4 its last, +8 how many entries. A page: +0 the next one, then its entries. Who walks a list keeps a
 * cursor of eight bytes: +0 the page, +4 entries passed.
 */

export const LIST: u32 = 12
export const CURSOR: u32 = 8

const HEADER: u32 = 8

function perPage(bytes: u32): u32 {
  return (PAGE_BYTES - HEADER) / bytes
}

export function listCount(list: usize): u32 {
  return getU32(list + 8)
}

/** Adds an entry of so many bytes, contents as they were left. There must be room for a page. */
export function addEntry(list: usize, bytes: u32): usize {
  const count = getU32(list + 8)
  const inPage = count % perPage(bytes)
  if (inPage == 0) {
    const last = getU32(list + 4) as usize
    const page = takePages(1)
    setU32(page, 0)
    setU32(last == 0 ? list : last, page as u32)
    setU32(list + 4, page as u32)
  }
  setU32(list + 8, count + 1)
  return (getU32(list + 4) as usize) + HEADER + inPage * bytes
}

/** Entry `i`, which must be there. */
export function entryOf(list: usize, i: u32, bytes: u32): usize {
  let page = getU32(list) as usize
  for (let pages = i / perPage(bytes); pages > 0; pages--) page = getU32(page) as usize
  return page + HEADER + (i % perPage(bytes)) * bytes
}

/** Begins a walk. */
export function rewind(cursor: usize, list: usize): void {
  setU32(cursor, getU32(list))
  setU32(cursor + 4, 0)
}

/** The next entry of a walk; 0 at the end. */
export function nextEntry(cursor: usize, list: usize, bytes: u32): usize {
  const passed = getU32(cursor + 4)
  if (passed == getU32(list + 8)) return 0
  const inPage = passed % perPage(bytes)
  if (passed > 0 && inPage == 0) setU32(cursor, getU32(getU32(cursor) as usize))
  setU32(cursor + 4, passed + 1)
  return (getU32(cursor) as usize) + HEADER + inPage * bytes
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

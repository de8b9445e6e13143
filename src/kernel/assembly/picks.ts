import { getU32, setU32 } from './memory'
import { givePages, PAGE_BYTES, takePages } from './pages'
import { giveSnapshot, snapshot } from './joins'
import { tableOf } from './keys'
import { columnsOf } from './tables'

/*
 * Rows that an operation gives to its caller, by table as they come: a row number, and a snapshot of the part that is
 * meant, 0 for the row as a replica holds it. Pages: +0 the next, then entries of 8 bytes. One list at a time; it stands
 * until the next operation begins its own.
 */

const HEADER: u32 = 8
const PER_PAGE: u32 = (PAGE_BYTES - HEADER) / 8

let firstPage: usize = 0
let lastPage: usize = 0
let count: u32 = 0

export function pickCount(): u32 {
  return count
}

export function clearPicks(): void {
  let left = count
  while (firstPage != 0) {
    const page = firstPage
    for (let i: u32 = 0; i < PER_PAGE && left > 0; i++, left--) {
      const entry = page + HEADER + i * 8
      const part = getU32(entry + 4) as usize
      if (part != 0) giveSnapshot(part, columnsOf(tableOf(getU32(entry))))
    }
    firstPage = getU32(page) as usize
    givePages(page, 1)
  }
  lastPage = 0
  count = 0
}

/** Adds a row. There must be room for a page, and for a snapshot of `part` where it isn't 0. */
export function pick(row: u32, part: usize): void {
  if (count % PER_PAGE == 0) {
    const page = takePages(1)
    setU32(page, 0)
    if (lastPage == 0) firstPage = page
    else setU32(lastPage, page as u32)
    lastPage = page
  }
  const entry = lastPage + HEADER + (count % PER_PAGE) * 8
  setU32(entry, row)
  setU32(entry + 4, part == 0 ? 0 : (snapshot(part, columnsOf(tableOf(row))) as u32))
  count++
}

/* Walking the list. */
let page: usize = 0
let index: u32 = 0

export function firstPick(): void {
  page = firstPage
  index = 0
}

/** The next entry: +0 row, +4 part; 0 at the end. */
export function nextPick(): usize {
  if (index == count) return 0
  if (index > 0 && index % PER_PAGE == 0) page = getU32(page) as usize
  return page + HEADER + (index++ % PER_PAGE) * 8
}

/** How many of them are of a table. */
export function pickedIn(table: u32): u32 {
  let found: u32 = 0
  firstPick()
  for (let entry = nextPick(); entry != 0; entry = nextPick()) if (tableOf(getU32(entry)) == table) found++
  return found
}

import { getU32, getU64, setU32, setU64, takeStatic } from './memory'
import { givePages, PAGE_BYTES, takePages } from './pages'
import { denseNumber, NO_ROW, rowOfDense, tableOf, touchEntry } from './keys'
import { mayHavePlace, pagesForMark, setMark } from './marks'
import { bytesAbout, latestOf, recordAt, setLatest } from './records'
import { CHANGED, CHANGES, recordsOf, replicaAt } from './replicas'
import { capacityOf, entryAt, makeRoom } from './vectors'

/*
 * The rows of a replica by the record that changed them: what a merge or a flush has to walk. Entries stand in pages,
 * by rising records. A row that changes again moves to the end, but only where somebody may have read as far as its old
 * place (`handOut`): before that, whoever comes by finds it as it is then. So the list follows the distinct rows, not
 * the operations (I11); places that were left are cleaned out a page at a time.
 *
 * Per replica: +0 vector of the pages, +8 pages, +12 first page in use, +16 up to which record somebody may have read,
 * +24 up to which record it was forgotten, +32 entries, +36 places left, +40 the page that cleaning reads next, +44 the
 * one that it writes, +48 whether it is under way, +52 whether a row was read back at a record that was forgotten.
 * A page: +0 the record of its first entry, +8 entries, from +16 entries: +0 the row's dense number, +4 record less the page's first.
 */

const PAGES: u32 = 8
const FIRST: u32 = 12
const READ: u32 = 16
const FORGOTTEN: u32 = 24
const ENTRIES: u32 = 32
const LEFT: u32 = 36
const CLEAN_READ: u32 = 40
const CLEAN_WRITE: u32 = 44
const CLEANING: u32 = 48
const LATE: u32 = 52

const HEADER: u32 = 16
const PER_PAGE: u32 = (PAGE_BYTES - HEADER) / 8
/** Pages that are cleaned for each page that is filled. */
const CLEANED: u32 = 4

/** Rows that a walk reads before it looks at them: what they wait for from memory overlaps. */
const WINDOW: u32 = 32
/** A row in the window: +0 row, +8 the record that put it on the list. */
const SEEN: u32 = 16
let window: usize = 0

export function initChanges(): void {
  window = takeStatic(WINDOW * SEEN)
}

/** Pages that one `addChange` may take at the most. */
export function pagesForChange(replica: u32): u32 {
  return 2 + (capacityOf(replicaAt(replica) + CHANGES) * 8) / PAGE_BYTES + pagesForMark(replica)
}

function listOf(replica: u32): usize {
  return replicaAt(replica) + CHANGES
}

function pageAt(list: usize, i: u32): usize {
  return getU32(entryAt(list, i, 4)) as usize
}

function countIn(page: usize): u32 {
  return getU32(page + 8)
}

function entryNumber(page: usize, i: u32): u32 {
  return getU32(page + HEADER + i * 8)
}

function entryRecord(page: usize, i: u32): u64 {
  return getU64(page) + (getU32(page + HEADER + i * 8 + 4) as u64)
}

/** Adds an entry to a page; false where it is full. */
function put(page: usize, dense: u32, record: u64): bool {
  const count = countIn(page)
  if (count == 0) setU64(page, record)
  const delta = record - getU64(page)
  if (count == PER_PAGE || delta > 0xffffffff) return false
  const entry = page + HEADER + count * 8
  setU32(entry, dense)
  setU32(entry + 4, delta as u32)
  setU32(page + 8, count + 1)
  return true
}

/** Notes that a row, whose record is at `at`, was changed by `record`; records never fall. */
export function addChange(replica: u32, row: u32, at: usize, record: u64): void {
  const list = listOf(replica)
  const before = latestOf(at)
  if (before == record || before > getU64(list + READ)) return
  if (before > getU64(list + FORGOTTEN)) setU32(list + LEFT, getU32(list + LEFT) + 1)
  else countChanged(replica, row, 1)
  if (record <= getU64(list + FORGOTTEN)) setU32(list + LATE, 1)
  setLatest(at, record)
  const dense = denseNumber(row)
  setMark(replica, dense, record)
  const pages = getU32(list + PAGES)
  if (pages == 0 || !put(pageAt(list, pages - 1), dense, record)) {
    addPage(list)
    put(pageAt(list, getU32(list + PAGES) - 1), dense, record)
    clean(replica, list)
  }
  setU32(list + ENTRIES, getU32(list + ENTRIES) + 1)
}

function countChanged(replica: u32, row: u32, by: i32): void {
  const vector = replicaAt(replica) + CHANGED
  const table = tableOf(row)
  makeRoom(vector, table, 4)
  const entry = entryAt(vector, table, 4)
  setU32(entry, getU32(entry) + (by as u32))
}

function addPage(list: usize): void {
  const pages = getU32(list + PAGES)
  makeRoom(list, pages, 4)
  const page = takePages(1)
  setU64(page, 0)
  setU32(page + 8, 0)
  setU32(entryAt(list, pages, 4), page as u32)
  setU32(list + PAGES, pages + 1)
}

/** Somebody has, or will have, read up to here: rows that change from now on get a place behind. */
export function handOut(replica: u32, record: u64): void {
  const list = listOf(replica)
  if (record > getU64(list + READ)) setU64(list + READ, record)
}

/* A walk: where it is, and the entry that it gave last. One at a time. */
let walked: u32 = 0
let walkedList: usize = 0
let walkedPage: u32 = 0
let walkedEntry: u32 = 0
let windowAt: u32 = 0
let windowEnd: u32 = 0
let walkedRecord: u64 = 0
let walkedPlace: usize = 0
/* Its bounds, if it has any; what it gave so far; whether the bounds ended it. */
let bounded: bool = false
let mostRows: u32 = 0
let mostBytes: f64 = 0
let walkedRows: u32 = 0
let walkedBytes: f64 = 0
let cut: bool = false

/** Begins a walk over the rows changed after a position. */
export function walkFrom(replica: u32, position: u64): void {
  const list = listOf(replica)
  walked = replica
  walkedList = list
  walkedEntry = 0
  windowAt = 0
  windowEnd = 0
  walkedRecord = position
  bounded = false
  cut = false
  walkedPage = getU32(list + FIRST)
  const pages = getU32(list + PAGES)
  while (walkedPage < pages) {
    const page = pageAt(list, walkedPage)
    const count = countIn(page)
    if (count > 0 && entryRecord(page, count - 1) > position) {
      walkedEntry = firstAfter(page, count, position)
      return
    }
    walkedPage++
  }
}

/** The index of the first entry of a page after a position. */
function firstAfter(page: usize, count: u32, position: u64): u32 {
  let low: u32 = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >> 1
    if (entryRecord(page, middle) <= position) low = middle + 1
    else high = middle
  }
  return low
}

/** Ends the walk that was begun about there, but not before a row. */
export function boundWalk(rows: u32, bytes: f64): void {
  bounded = true
  mostRows = rows
  mostBytes = bytes
  walkedRows = 0
  walkedBytes = 0
}

/** Whether its bounds ended the walk. */
export function walkCut(): bool {
  return cut
}

/** Counts a row, or ends the walk. Rows that were read back at one record are not parted: whoever went on after it would miss the rest. */
function withinBounds(at: usize, row: u32, record: u64): bool {
  const enough = walkedRows > 0 && (walkedRows >= mostRows || walkedBytes >= mostBytes)
  if (enough && record > walkedRecord) {
    cut = true
    return false
  }
  walkedRows++
  walkedBytes += bytesAbout(at, row)
  return true
}

/** Takes the next rows of the walk that may have their place into the window; false at the end. */
function fillWindow(): bool {
  const pages = getU32(walkedList + PAGES)
  windowAt = 0
  windowEnd = 0
  let sum: u32 = 0
  for (; walkedPage < pages && windowEnd < WINDOW; walkedPage++, walkedEntry = 0) {
    const page = pageAt(walkedList, walkedPage)
    const count = countIn(page)
    while (walkedEntry < count && windowEnd < WINDOW) {
      const dense = entryNumber(page, walkedEntry)
      const record = entryRecord(page, walkedEntry)
      walkedEntry++
      if (!mayHavePlace(walked, dense, record)) continue
      const seen = window + windowEnd++ * SEEN
      setU32(seen, rowOfDense(dense))
      setU64(seen + 8, record)
    }
    if (walkedEntry < count) break
  }
  for (let i: u32 = 0; i < windowEnd; i++) sum += touchEntry(getU32(window + i * SEEN))
  // So that no compiler leaves the reads out.
  setU32(window + 4, sum)
  return windowEnd > 0
}

/** The next row of the walk, NO_ROW at its end; `walkRecord` then put it on the list, and it stands at `walkPlace`. */
export function walkNext(): u32 {
  while (windowAt < windowEnd || fillWindow()) {
    const seen = window + windowAt++ * SEEN
    const row = getU32(seen)
    const record = getU64(seen + 8)
    const at = recordAt(walked, row)
    if (latestOf(at) != record) continue
    if (bounded && !withinBounds(at, row, record)) return NO_ROW
    walkedRecord = record
    walkedPlace = at
    return row
  }
  return NO_ROW
}

export function walkRecord(): u64 {
  return walkedRecord
}

export function walkPlace(): usize {
  return walkedPlace
}

/** Rows of a table that changed after a position. */
export function changedRows(replica: u32, table: u32, position: u64): u32 {
  const list = listOf(replica)
  if (position <= getU64(list + FORGOTTEN) && getU32(list + LATE) == 0) {
    const vector = replicaAt(replica) + CHANGED
    return table < capacityOf(vector) ? getU32(entryAt(vector, table, 4)) : 0
  }
  if (position >= recordsOf(replica)) return 0
  let count: u32 = 0
  walkFrom(replica, position)
  for (let row = walkNext(); row != NO_ROW; row = walkNext()) if (tableOf(row) == table) count++
  return count
}

/** Drops what was changed up to `record`: nobody will ask for it again. */
export function forgetChanges(replica: u32, record: u64): void {
  const list = listOf(replica)
  const forgotten = getU64(list + FORGOTTEN)
  if (record <= forgotten) return
  walkFrom(replica, forgotten)
  for (let row = walkNext(); row != NO_ROW && walkedRecord <= record; row = walkNext()) countChanged(replica, row, -1)
  setU64(list + FORGOTTEN, record)
  handOut(replica, record)
  // A cleaning that is under way has its own idea of the pages.
  if (getU32(list + CLEANING) != 0) endCleaning(list)
  let first = getU32(list + FIRST)
  const pages = getU32(list + PAGES)
  for (; first < pages; first++) {
    const page = pageAt(list, first)
    const count = countIn(page)
    if (count > 0 && entryRecord(page, count - 1) > record) break
    setU32(list + ENTRIES, getU32(list + ENTRIES) - count)
    givePages(page, 1)
    setU32(entryAt(list, first, 4), 0)
  }
  setU32(list + FIRST, first)
  if (first * 2 > pages) closeGap(list, 0, first)
  countLeft(replica, list)
}

/** After pages were dropped: the places left among those that stay. At most all of them. */
function countLeft(replica: u32, list: usize): void {
  const entries = getU32(list + ENTRIES)
  let live: u32 = 0
  const vector = replicaAt(replica) + CHANGED
  for (let table: u32 = 0; table < capacityOf(vector); table++) live += getU32(entryAt(vector, table, 4))
  setU32(list + LEFT, entries > live ? entries - live : 0)
}

/** Takes pages `from .. to` out of the vector. */
function closeGap(list: usize, from: u32, to: u32): void {
  const pages = getU32(list + PAGES)
  for (let i = to; i < pages; i++) setU32(entryAt(list, from + i - to, 4), getU32(entryAt(list, i, 4)))
  setU32(list + PAGES, pages - (to - from))
  if (from == 0) setU32(list + FIRST, 0)
}

/** Where half of the entries are places left: cleans a few pages. Their entries move towards the first ones. */
function clean(replica: u32, list: usize): void {
  if (getU32(list + CLEANING) == 0) {
    if (getU32(list + LEFT) < PER_PAGE || getU32(list + LEFT) * 2 < getU32(list + ENTRIES)) return
    setU32(list + CLEANING, 1)
    setU32(list + CLEAN_READ, getU32(list + FIRST))
    setU32(list + CLEAN_WRITE, getU32(list + FIRST))
  }
  // The last page is being filled: it stays.
  for (let i: u32 = 0; i < CLEANED && getU32(list + CLEAN_READ) + 1 < getU32(list + PAGES); i++)
    cleanPage(replica, list)
  if (getU32(list + CLEAN_READ) + 1 >= getU32(list + PAGES)) endCleaning(list)
}

function cleanPage(replica: u32, list: usize): void {
  const read = getU32(list + CLEAN_READ)
  const page = pageAt(list, read)
  const count = countIn(page)
  const first = getU64(page)
  setU32(page + 8, 0)
  let dropped: u32 = 0
  for (let i: u32 = 0; i < count; i++) {
    const dense = entryNumber(page, i)
    const record = first + (getU32(page + HEADER + i * 8 + 4) as u64)
    if (!mayHavePlace(replica, dense, record)) {
      dropped++
      continue
    }
    if (!put(pageAt(list, getU32(list + CLEAN_WRITE)), dense, record)) {
      setU32(list + CLEAN_WRITE, getU32(list + CLEAN_WRITE) + 1)
      put(pageAt(list, getU32(list + CLEAN_WRITE)), dense, record)
    }
  }
  setU32(list + CLEAN_READ, read + 1)
  setU32(list + ENTRIES, getU32(list + ENTRIES) - dropped)
  const left = getU32(list + LEFT)
  setU32(list + LEFT, left > dropped ? left - dropped : 0)
}

/** Frees the pages that cleaning emptied. */
function endCleaning(list: usize): void {
  const from = getU32(list + CLEAN_WRITE) + 1
  const to = getU32(list + CLEAN_READ)
  for (let i = from; i < to; i++) givePages(pageAt(list, i), 1)
  if (to > from) closeGap(list, from, to)
  setU32(list + CLEANING, 0)
}

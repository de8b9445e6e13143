import { getU32, getU64, setU32, setU64, takeStatic } from './memory'
import { givePages, PAGE_BYTES, takePages } from './pages'
import {
  commitImageIncomplete,
  completeCommitImage,
  dropCommitImage,
  pendingImage,
  setCommitImage,
  setPendingImage,
} from './asides'
import { giveSnapshot, joinSnapshot, sameCell, snapshot } from './joins'
import { tableOf } from './keys'
import { addEntry, clearList, CURSOR, nextEntry, rewind } from './lists'
import { cellAt, clearFlag, existsIn, hasFlag, recordAt, setFlag, wordIn, WRITTEN_SINCE } from './records'
import { LAST_STATEMENT, replicaAt, replicaCount, WRITTEN } from './replicas'
import { columnsOf } from './tables'
import { contentIn, isThere, NULL_CONTENT, release, retain } from './values'
import { entryAt, makeRoom } from './vectors'

/*
 * What a session can take back: the last statements, for UNDO, and each row's image at the last commit, for ROLLBACK.
 *
 * Statements stand in a ring of `mostStatements`, in pages that are taken when they are first reached. A statement:
 * +0 its replica (RELEASED where it was taken back), +4 images, +8 its first image, +12 its last, +16 the statement
 * before it of the same replica + 1, +24 room for an image, where it has but one of one column, +44 the page of images
 * when it began.
 *
 * Images stand in pages that are filled one after the other and go back once no statement that is left began before
 * their end. An image: +0 the next one of its statement, +4 row, +8 what it is: in the lower 16 bits how many columns
 * the statement changed, bit 16 the row showed something before, bit 17 it waits for a look-up. From +12: what the
 * columns changed showed before, a content each with the column's number in place of the origin. An image that waits:
 * +12 a snapshot of before, 0 for none, +16 one of after, +20 the row's next image that waits. Once it was looked up it
 * keeps that form (bit 18).
 */

const STATEMENT: u32 = 48
/** In a statement: its own image, and the page of images when it began. */
const OWN_IMAGE: u32 = 24
const PAGE_THEN: u32 = 44
const PER_PAGE: u32 = PAGE_BYTES / STATEMENT
const RELEASED: u32 = 0xffffffff

const SHOWED: u32 = 1 << 16
const WAITS: u32 = 1 << 17
const WHOLE: u32 = 1 << 18
const HEADER: u32 = 12
const WHOLE_BYTES: u32 = 24
/** An entry of the lists of rows written. */
export const NUMBER: u32 = 4

let ring: usize = 0
let cursor: usize = 0
let mostStatements: u32 = 0
let mostImages: u32 = 0
let next: u64 = 0
/** Its place in the ring. */
let nextSlot: u32 = 0
/** Statements before this one are forgotten. */
let oldest: u64 = 0
let images: u32 = 0
/** Pages of images: the first, the one that is being filled, and how far. */
let first: usize = 0
let last: usize = 0
let used: u32 = PAGE_BYTES

export function initUndo(statements: u32, rows: u32): void {
  ring = takeStatic(8)
  cursor = takeStatic(CURSOR)
  mostStatements = statements
  mostImages = rows
}

/**
 * Pages that noting one row may take at the most: for the image, for the statement and the ring's vector, for the list of
 * rows written since the commit, for three snapshots.
 */
export function pagesForImage(): u32 {
  return 7
}

function statementIn(slot: u32): usize {
  return (getU32(entryAt(ring, slot / PER_PAGE, 4)) as usize) + (slot % PER_PAGE) * STATEMENT
}

/** A statement that wasn't forgotten. */
function statementAt(sequence: u64): usize {
  const back = (next - sequence) as u32
  return statementIn(nextSlot >= back ? nextSlot - back : nextSlot + mostStatements - back)
}

/** Begins a statement of any number of rows; gives its number. */
export function beginStatement(replica: u32): u64 {
  const sequence = next
  if (mostStatements == 0) return sequence
  const statement = newStatement(replica)
  setU32(statement + 4, 0)
  setU32(statement + 8, 0)
  setU32(statement + 12, 0)
  return sequence
}

/** The next statement, its images not yet set. */
function newStatement(replica: u32): usize {
  if (next - oldest == (mostStatements as u64)) forgetOldest()
  if (nextSlot % PER_PAGE == 0) openRing(nextSlot / PER_PAGE)
  const statement = statementIn(nextSlot)
  const before = replicaAt(replica) + LAST_STATEMENT
  setU32(statement, replica)
  setU64(statement + 16, getU64(before))
  setU32(statement + PAGE_THEN, last as u32)
  next++
  setU64(before, next)
  nextSlot++
  if (nextSlot == mostStatements) nextSlot = 0
  return statement
}

/** A page of the ring, taken when it is first reached. */
function openRing(page: u32): void {
  makeRoom(ring, page, 4)
  const entry = entryAt(ring, page, 4)
  if (getU32(entry) == 0) setU32(entry, takePages(1) as u32)
}

/** The last statement of a replica + 1, 0 where there is none left. */
export function lastStatement(replica: u32): u64 {
  const sequence = getU64(replicaAt(replica) + LAST_STATEMENT)
  return sequence > oldest ? sequence : 0
}

export function replicaOfStatement(sequence: u64): u32 {
  return getU32(statementAt(sequence))
}

export function imagesOf(sequence: u64): u32 {
  return getU32(statementAt(sequence) + 4)
}

export function firstImage(sequence: u64): usize {
  return getU32(statementAt(sequence) + 8) as usize
}

/** Notes a row's image before a statement, of which nothing was done yet; `after` is what it will be. */
export function noteImage(sequence: u64, replica: u32, row: u32, before: usize, after: usize, complete: bool): void {
  if (mostStatements == 0 || sequence < oldest) return
  const columns = columnsOf(tableOf(row))
  const image = complete ? compact(row, before, after, columns) : whole(replica, row, before, after, columns)
  addImage(sequence, image)
}

function addImage(sequence: u64, image: usize): void {
  const statement = statementAt(sequence)
  const previous = getU32(statement + 12) as usize
  if (previous == 0) setU32(statement + 8, image as u32)
  else setU32(previous, image as u32)
  setU32(statement + 12, image as u32)
  setU32(statement + 4, getU32(statement + 4) + 1)
  images++
  evict()
}

/** As `noteImage`, of a row with one column that waits for nothing: `word` is what it showed before. */
export function noteOnly(sequence: u64, row: u32, word: u64): void {
  if (mostStatements == 0 || sequence < oldest) return
  const image = takeImage(isThere(word) ? HEADER + 8 : HEADER)
  putOnly(image, row, word)
  addImage(sequence, image)
}

/** The same with a statement of its own, which has the image in itself. */
export function noteSingle(replica: u32, row: u32, word: u64): void {
  if (mostStatements == 0) return
  const statement = newStatement(replica)
  const image = statement + OWN_IMAGE
  putOnly(image, row, word)
  setU32(statement + 4, 1)
  setU32(statement + 8, image as u32)
  setU32(statement + 12, image as u32)
  images++
  evict()
}

function putOnly(image: usize, row: u32, word: u64): void {
  const showed = isThere(word)
  setU32(image, 0)
  setU32(image + 4, row)
  setU32(image + 8, showed ? SHOWED | 1 : 0)
  if (!showed) return
  retain(word)
  setU64(image + HEADER, contentIn(word))
}

/** Bytes for an image, in a page of images. */
function takeImage(bytes: u32): usize {
  if (used + bytes > PAGE_BYTES) {
    const page = takePages(1)
    setU32(page, 0)
    if (last == 0) first = page
    else setU32(last, page as u32)
    last = page
    used = 16
  }
  const image = last + used
  used += (bytes + 3) & ~3
  setU32(image, 0)
  return image
}

function compact(row: u32, before: usize, after: usize, columns: u32): usize {
  if (!existsIn(before, columns)) {
    const image = takeImage(HEADER)
    setU32(image + 4, row)
    setU32(image + 8, 0)
    return image
  }
  let changed: u32 = 0
  for (let c: u32 = 0; c < columns; c++) if (!sameCell(cellAt(before, c), cellAt(after, c))) changed++
  const image = takeImage(HEADER + changed * 8)
  setU32(image + 4, row)
  setU32(image + 8, SHOWED | changed)
  let at = image + HEADER
  for (let column: u32 = 0; column < columns; column++) {
    const cell = cellAt(before, column)
    if (sameCell(cell, cellAt(after, column))) continue
    const word = wordIn(cell)
    retain(word)
    setU64(at, (isThere(word) ? contentIn(word) : NULL_CONTENT) | (column as u64))
    at += 8
  }
  return image
}

function whole(replica: u32, row: u32, before: usize, after: usize, columns: u32): usize {
  const image = takeImage(WHOLE_BYTES)
  setU32(image + 4, row)
  setU32(image + 8, WAITS | WHOLE)
  setU32(image + 12, before == 0 ? 0 : (snapshot(before, columns) as u32))
  setU32(image + 16, snapshot(after, columns) as u32)
  setU32(image + 20, pendingImage(replica, row) as u32)
  setPendingImage(replica, row, image)
  return image
}

export function imageAfter(image: usize): usize {
  return getU32(image) as usize
}

export function rowOfImage(image: usize): u32 {
  return getU32(image + 4)
}

export function imageWaits(image: usize): bool {
  return (getU32(image + 8) & WAITS) != 0
}

/** Whether the row showed something before. */
export function imageShowed(image: usize): bool {
  const what = getU32(image + 8)
  if ((what & WHOLE) == 0) return (what & SHOWED) != 0
  return existsIn(getU32(image + 12) as usize, columnsOf(tableOf(rowOfImage(image))))
}

/** What a column showed before, where the statement changed it; else 0. A borrowed content, NULL_CONTENT for nothing. */
export function imageContent(image: usize, column: u32): u64 {
  const what = getU32(image + 8)
  if ((what & WHOLE) != 0) {
    const before = cellAt(getU32(image + 12) as usize, column)
    if (sameCell(before, cellAt(getU32(image + 16) as usize, column))) return 0
    return isThere(wordIn(before)) ? contentIn(wordIn(before)) : NULL_CONTENT
  }
  for (let i: u32 = 0; i < (what & 0xffff); i++) {
    const content = getU64(image + HEADER + i * 8)
    if (((content as u32) & 0xffff) == column) return contentIn(content)
  }
  return 0
}

/** Takes the last statement of a replica off. */
export function popStatement(replica: u32): void {
  const sequence = lastStatement(replica)
  if (sequence == 0) return
  const statement = statementAt(sequence - 1)
  setU64(replicaAt(replica) + LAST_STATEMENT, getU64(statement + 16))
  releaseImages(statement)
  setU32(statement, RELEASED)
}

/** Forgets the oldest statements until the images' limit holds; never the newest. */
function evict(): void {
  while (images > mostImages && oldest + 1 < next) forgetOldest()
}

function forgetOldest(): void {
  releaseImages(statementAt(oldest))
  oldest++
  if (first != last) freePages()
}

/** Gives pages of images back: those before the one in which the oldest statement that is left began hold nothing any more. */
function freePages(): void {
  const keep = oldest < next ? (getU32(statementAt(oldest) + PAGE_THEN) as usize) : last
  while (keep != 0 && first != keep) {
    const page = first
    first = getU32(page) as usize
    givePages(page, 1)
  }
}

/** Once each statement: when it is forgotten, or before, when it is taken back. */
function releaseImages(statement: usize): void {
  const replica = getU32(statement)
  if (replica == RELEASED) return
  let image = getU32(statement + 8) as usize
  while (image != 0) {
    const after = imageAfter(image)
    releaseImage(replica, image)
    image = after
  }
  images -= getU32(statement + 4)
}

function releaseImage(replica: u32, image: usize): void {
  const what = getU32(image + 8)
  if ((what & WHOLE) == 0) {
    for (let i: u32 = 0; i < (what & 0xffff); i++) release(getU64(image + HEADER + i * 8))
    return
  }
  if ((what & WAITS) != 0) abandon(replica, image)
  const columns = columnsOf(tableOf(rowOfImage(image)))
  if (getU32(image + 12) != 0) giveSnapshot(getU32(image + 12) as usize, columns)
  giveSnapshot(getU32(image + 16) as usize, columns)
}

/** An image that no UNDO reaches any more needs no look-up. */
function abandon(replica: u32, image: usize): void {
  const row = rowOfImage(image)
  const after = getU32(image + 20) as usize
  let waiting = pendingImage(replica, row)
  if (waiting == image) {
    setPendingImage(replica, row, after)
    return
  }
  while ((getU32(waiting + 20) as usize) != image) waiting = getU32(waiting + 20) as usize
  setU32(waiting + 20, after as u32)
}

/** Completes the images of a row that was looked up; `found` is what the database held, 0 for nothing. */
export function completeImages(replica: u32, row: u32, found: usize): void {
  completeCommitImage(replica, row, found)
  let image = pendingImage(replica, row)
  if (image == 0) return
  const columns = columnsOf(tableOf(row))
  while (image != 0) {
    setU32(image + 8, WHOLE)
    if (found != 0) {
      const before = getU32(image + 12) as usize
      if (before == 0) setU32(image + 12, snapshot(found, columns) as u32)
      else joinSnapshot(before, found, columns)
      joinSnapshot(getU32(image + 16) as usize, found, columns)
    }
    image = getU32(image + 20) as usize
  }
  setPendingImage(replica, row, 0)
}

/** Notes a row's image since the last commit, where it is the first. */
export function noteWritten(replica: u32, row: u32, record: usize, complete: bool): void {
  if (hasFlag(record, WRITTEN_SINCE)) return
  setFlag(record, WRITTEN_SINCE)
  setU32(addEntry(writtenSince(replica), NUMBER), row)
  const columns = columnsOf(tableOf(row))
  // A row that showed nothing is known by having no image, unless it waits for what the database has to say.
  const shows = complete ? existsIn(record, columns) : true
  setCommitImage(replica, row, shows ? snapshot(record, columns) : 0, complete)
}

/** The list of rows written since the last commit, in that order. */
export function writtenSince(replica: u32): usize {
  return replicaAt(replica) + WRITTEN
}

/** Whether an UNDO or ROLLBACK could reach an image of the row that was not completed yet. */
export function waitsForLookup(replica: u32, row: u32): bool {
  return commitImageIncomplete(replica, row) || pendingImage(replica, row) != 0
}

/** UNDO reaches back to here. */
export function clearStatements(): void {
  while (oldest < next) forgetOldest()
}

/** ROLLBACK reaches back to here, and UNDO too. */
export function commitPoint(): void {
  clearStatements()
  for (let replica: u32 = 0; replica < replicaCount(); replica++) {
    const list = writtenSince(replica)
    rewind(cursor, list)
    for (let entry = nextEntry(cursor, list, NUMBER); entry != 0; entry = nextEntry(cursor, list, NUMBER)) {
      const row = getU32(entry)
      dropCommitImage(replica, row)
      clearFlag(recordAt(replica, row), WRITTEN_SINCE)
    }
    clearList(list)
  }
}

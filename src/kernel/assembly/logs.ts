import { getU32, setU32, takeStatic } from './memory'
import { givePages, PAGE_BYTES, pagesFor, roomFor, takePages } from './pages'
import { LOG, replicaAt, replicaCount } from './replicas'

/*
 * Lines on their way out: per replica its log, and one stream of what GETs showed. Lines are appended to a chunk of
 * memory, taken in ranges by the wrapper, and given back when they are durable; a range's bytes stand until then. A
 * chunk goes back when it is full and nothing of it is out; one of which nothing waits or is out is filled anew.
 *
 * A stream has a number, its replica's or RESULTS: +0 where the next line begins, +4 where the room ends, +8 the chunk
 * that is being filled, +12 the first chunk of which something waits or will, +16 bytes that wait.
 * A chunk: +0 the one after it, +4 pages, +8 how far it was taken, +12 where its lines end once it isn't filled any more,
 * +16 ranges that are out, +20 its stream's number.
 */

/** The usual chunk; less where the budget is small. */
const MOST_CHUNK_PAGES: u32 = 16
const HEADER: u32 = 64
/** Lines are copied eight bytes at a time. */
const BEHIND: u32 = 64

const END: u32 = 4
const CHUNK: u32 = 8
const FIRST: u32 = 12
const WAITING: u32 = 16

/** The stream of what GETs show. */
const RESULTS: u32 = 0xffffffff

const PAGES: u32 = 4
const TAKEN: u32 = 8
const FILLED: u32 = 12
const OUT: u32 = 16
const NUMBER: u32 = 20

/** Why there was no room. */
export const BUDGET: u32 = 0
const MEMORY: u32 = 1

let results: usize = 0
/** What was taken: its address, its bytes, its chunk. */
let taken: usize = 0
/** Of logs, then of results: the bytes of their chunks, and how many there may be. */
let inUse: usize = 0
let refusal: u32 = BUDGET
let keeps: bool = false
let keepsShown: bool = false

export function initLogs(): void {
  results = takeStatic(32)
  taken = takeStatic(16)
  inUse = takeStatic(16)
}

/** What is kept at all, and how many bytes of chunks. */
export function openLogs(keepsLines: bool, keepsResults: bool, logBytes: u32, resultBytes: u32): void {
  keeps = keepsLines
  keepsShown = keepsResults
  setU32(inUse + 4, logBytes)
  setU32(inUse + 12, resultBytes)
}

/** False where nobody reads the logs: no line is written. */
export function keepsLines(): bool {
  return keeps
}

/** False where nobody reads what GETs show. */
export function keepsResults(): bool {
  return keepsShown
}

/** Why the last `logRoom` or `resultRoom` had none: BUDGET where it helps to give something back. */
export function whyNoRoom(): u32 {
  return refusal
}

function streamOf(number: u32): usize {
  return number == RESULTS ? results : replicaAt(number) + LOG
}

/** The bytes in use by the streams of this one's kind; +4 how many there may be. */
function useOf(number: u32): usize {
  return number == RESULTS ? inUse + 8 : inUse
}

/** Makes sure of room for so many bytes of lines in a replica's log; false where there is none. */
export function logRoom(replica: u32, bytes: u32): bool {
  const stream = replicaAt(replica) + LOG
  return getU32(stream + END) - getU32(stream) >= bytes || newRoom(replica, bytes)
}

/** Where the next line of a replica's log begins. */
export function logAt(replica: u32): usize {
  return getU32(replicaAt(replica) + LOG)
}

/** The lines that were written end here. */
export function logTo(replica: u32, end: usize): void {
  writtenTo(replicaAt(replica) + LOG, end)
}

/** Bytes of lines that wait to be taken. */
export function logged(replica: u32): u32 {
  return getU32(replicaAt(replica) + LOG + WAITING)
}

export function resultRoom(bytes: u32): bool {
  return getU32(results + END) - getU32(results) >= bytes || newRoom(RESULTS, bytes)
}

export function resultAt(): usize {
  return getU32(results)
}

export function resultTo(end: usize): void {
  writtenTo(results, end)
}

/** Takes lines of a replica's log: a range of it (+0 address, +4 bytes, +8 chunk); 0 where none waits. */
export function takeLog(replica: u32): usize {
  return take(replica)
}

export function takeResults(): usize {
  return take(RESULTS)
}

function writtenTo(stream: usize, end: usize): void {
  assert(end >= getU32(stream) && end <= getU32(stream + END), 'lines end within their room')
  setU32(stream + WAITING, getU32(stream + WAITING) + ((end as u32) - getU32(stream)))
  setU32(stream, end as u32)
}

/** A chunk with room for so many bytes in place of the one that is being filled. */
function newRoom(number: u32, bytes: u32): bool {
  const stream = streamOf(number)
  if (isIdle(stream)) {
    rewind(stream)
    if (getU32(stream + END) - getU32(stream) >= bytes) return true
    dropIdle(number)
  }
  let pages = pagesFor(bytes + HEADER + BEHIND)
  const usual = chunkPages(number)
  if (pages < usual) pages = usual
  if (!withinBudget(number, pages)) {
    refusal = BUDGET
    return false
  }
  if (!roomFor(pages)) {
    dropAllIdle()
    if (!roomFor(pages)) {
      // What waits or is out will be given back.
      refusal = getU32(inUse) + getU32(inUse + 8) == 0 ? MEMORY : BUDGET
      return false
    }
  }
  close(stream)
  open(number, takePages(pages), pages)
  return true
}

/** A sixteenth of the budget. */
function chunkPages(number: u32): u32 {
  const pages = getU32(useOf(number) + 4) / (16 * PAGE_BYTES)
  return pages == 0 ? 1 : pages < MOST_CHUNK_PAGES ? pages : MOST_CHUNK_PAGES
}

/** Whether so many pages more may be used; a chunk always where there is no other. */
function withinBudget(number: u32, pages: u32): bool {
  if (fits(number, pages)) return true
  dropAllIdle()
  return fits(number, pages)
}

function fits(number: u32, pages: u32): bool {
  const use = useOf(number)
  return getU32(use) == 0 || getU32(use) + pages * PAGE_BYTES <= getU32(use + 4)
}

function open(number: u32, chunk: usize, pages: u32): void {
  const use = useOf(number)
  setU32(use, getU32(use) + pages * PAGE_BYTES)
  const first = (chunk as u32) + HEADER
  setU32(chunk, 0)
  setU32(chunk + PAGES, pages)
  setU32(chunk + TAKEN, first)
  setU32(chunk + OUT, 0)
  setU32(chunk + NUMBER, number)
  const stream = streamOf(number)
  setU32(stream, first)
  setU32(stream + END, (chunk as u32) + pages * PAGE_BYTES - BEHIND)
  setU32(stream + CHUNK, chunk as u32)
  let last: usize = stream + FIRST
  while (getU32(last) != 0) last = getU32(last)
  setU32(last, chunk as u32)
}

/** Fills a chunk no more; it holds lines that wait or are out. */
function close(stream: usize): void {
  const chunk: usize = getU32(stream + CHUNK)
  if (chunk == 0) return
  setU32(chunk + FILLED, getU32(stream))
  leave(stream)
  if (getU32(chunk + TAKEN) == getU32(chunk + FILLED)) unlink(stream, chunk)
}

/** The stream has no chunk that is being filled. */
function leave(stream: usize): void {
  setU32(stream, 0)
  setU32(stream + END, 0)
  setU32(stream + CHUNK, 0)
}

function unlink(stream: usize, chunk: usize): void {
  let before: usize = stream + FIRST
  while (getU32(before) != (chunk as u32)) before = getU32(before)
  setU32(before, getU32(chunk))
}

/** Whether a chunk that is being filled holds nothing. */
function isIdle(stream: usize): bool {
  const chunk: usize = getU32(stream + CHUNK)
  return chunk != 0 && getU32(chunk + TAKEN) == getU32(stream) && getU32(chunk + OUT) == 0
}

/** Fills an idle chunk from its beginning. */
function rewind(stream: usize): void {
  const chunk = getU32(stream + CHUNK)
  setU32(stream, chunk + HEADER)
  setU32(chunk + TAKEN, chunk + HEADER)
}

function dropIdle(number: u32): void {
  const stream = streamOf(number)
  if (!isIdle(stream)) return
  const chunk: usize = getU32(stream + CHUNK)
  unlink(stream, chunk)
  leave(stream)
  give(chunk)
}

function dropAllIdle(): void {
  for (let replica: u32 = 0; replica < replicaCount(); replica++) dropIdle(replica)
  dropIdle(RESULTS)
}

function give(chunk: usize): void {
  const pages = getU32(chunk + PAGES)
  const use = useOf(getU32(chunk + NUMBER))
  setU32(use, getU32(use) - pages * PAGE_BYTES)
  givePages(chunk, pages)
}

function take(number: u32): usize {
  const stream = streamOf(number)
  if (getU32(stream + WAITING) == 0) return 0
  const chunk: usize = getU32(stream + FIRST)
  const filling = (chunk as u32) == getU32(stream + CHUNK)
  const end = filling ? getU32(stream) : getU32(chunk + FILLED)
  const from = getU32(chunk + TAKEN)
  assert(end > from, 'a chunk that waits has lines')
  setU32(chunk + TAKEN, end)
  setU32(chunk + OUT, getU32(chunk + OUT) + 1)
  setU32(stream + WAITING, getU32(stream + WAITING) - (end - from))
  if (!filling) setU32(stream + FIRST, getU32(chunk))
  setU32(taken, from)
  setU32(taken + 4, end - from)
  setU32(taken + 8, chunk as u32)
  return taken
}

/** Gives a range back that was taken: its chunk. */
export function releaseChunk(chunk: usize): void {
  const stream = streamOf(getU32(chunk + NUMBER))
  const out = getU32(chunk + OUT) - 1
  assert(out + 1 > 0, 'a range is released once')
  setU32(chunk + OUT, out)
  if (out > 0) return
  if (getU32(stream + CHUNK) == (chunk as u32)) {
    if (isIdle(stream)) rewind(stream)
  } else if (getU32(chunk + TAKEN) == getU32(chunk + FILLED)) give(chunk)
}

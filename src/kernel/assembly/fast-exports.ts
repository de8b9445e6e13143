import { getU64, setI64, setU32, setU64 } from './memory'
import { takeBlock } from './blocks'
import { openCatalog } from './catalog'
import { initFormat } from './format'
import { initFormatKeys } from './format-keys'
import { initLogs, openLogs } from './logs'
import { PAGE_BYTES, roomFor, takePages } from './pages'
import { beginReplay, deletesRead, endReplay, greatestRead, recordsRead, setsRead } from './replay'
import { recordsOf, replicaCount } from './replicas'
import { linesDone, readLines, runLines, stopped, stoppedAt } from './scan'
import { BATCH_PAGES, openBatch, OPERATIONS_BYTES } from './scan-batch'
import { beginExecute, deletes, found, gets, initExecute, sets } from './scan-execute'
import { openHeads } from './scan-heads'
import { initNear } from './scan-near'
import { initStamps, lastTime, setClock } from './scan-stamps'
import { openStops, STOP_PAGES } from './scan-stops'
import { initTimes } from './times'
import { rowCount } from './keys'

export { logged, releaseChunk, takeLog, takeResults } from './logs'

/*
 * What the wrapper of the fast path calls (`src/kernel/fast-path.ts`). A run tells what it did at `fastResult`: +0 why it
 * ended, +4 the address of the first line that wasn't executed, +8 lines, +12 SETs, +16 DELETEs, +20 GETs, +24 of them
 * with a row, +32 the clock's last time, +40 the greatest time read, from +48 per replica the records before it and their
 * number (16 bytes).
 */

/** Pages of each of the two buffers that scripts are read into; a little more of the second may be read. */
const INPUT_PAGES: u32 = 16
const PAGES: u32 = 2 * INPUT_PAGES + STOP_PAGES + BATCH_PAGES
/** In the first page of the batch, behind its operations. */
const HEADS_AT: u32 = OPERATIONS_BYTES

const BEFORE: u32 = 48

let pages: usize = 0
let result: usize = 0

export function initFast(): void {
  initTimes()
  initFormat()
  initFormatKeys()
  initLogs()
  initStamps()
  initExecute()
  initNear()
}

/** Bytes that stay, for the catalog; 0 where memory is full. */
export function fastBlock(bytes: u32): usize {
  return roomFor(bytes / PAGE_BYTES + 1) ? takeBlock(bytes) : 0
}

/** Makes the fast path ready, or anew with another catalog; false where memory is full. */
export function openFast(catalog: usize, keepsLines: bool, keepsResults: bool, logBytes: u32, resultBytes: u32): bool {
  if (pages == 0) {
    if (!roomFor(PAGES)) return false
    pages = takePages(PAGES)
  }
  if (!roomFor(1)) return false
  result = takeBlock(BEFORE + replicaCount() * 16)
  const batch = pages + (2 * INPUT_PAGES + STOP_PAGES) * PAGE_BYTES
  openCatalog(catalog)
  openLogs(keepsLines, keepsResults, logBytes, resultBytes)
  openStops(pages + 2 * INPUT_PAGES * PAGE_BYTES)
  openBatch(batch)
  openHeads(batch + HEADS_AT)
  return true
}

export function fastInput(index: u32): usize {
  return pages + index * INPUT_PAGES * PAGE_BYTES
}

export function fastInputBytes(): u32 {
  return INPUT_PAGES * PAGE_BYTES
}

export function fastResult(): usize {
  return result
}

/** @param bound the greatest time that a stamp of others may have */
export function runFast(index: u32, start: u32, end: u32, wall: i64, last: i64, bound: i64, rows: u32): void {
  const held = rowCount()
  const most = rows > 0xffffffff - held ? 0xffffffff : held + rows
  noteRecords()
  setClock(wall, last, bound)
  beginExecute(most)
  runLines(fastInput(index) + start, fastInput(index) + end)
  tell(sets, deletes, gets)
  setU32(result + 24, found)
  setI64(result + 32, lastTime)
}

/** @param records at most so many are read back, the first of them record `first` */
export function restoreFast(
  index: u32,
  start: u32,
  end: u32,
  replica: u32,
  first: f64,
  records: f64,
  counted: bool,
): void {
  noteRecords()
  beginExecute(0xffffffff)
  beginReplay(replica, first as u64, counted)
  readLines(fastInput(index) + start, fastInput(index) + end, records as u64)
  endReplay()
  tell(setsRead, deletesRead, recordsRead - setsRead - deletesRead)
  setU32(result + 24, 0)
  setI64(result + 40, greatestRead)
}

function noteRecords(): void {
  for (let replica: u32 = 0; replica < replicaCount(); replica++)
    setU64(result + BEFORE + replica * 16, recordsOf(replica))
}

function tell(setCount: u32, deleteCount: u32, getCount: u32): void {
  setU32(result, stopped)
  setU32(result + 4, stoppedAt as u32)
  setU32(result + 8, linesDone)
  setU32(result + 12, setCount)
  setU32(result + 16, deleteCount)
  setU32(result + 20, getCount)
  for (let replica: u32 = 0; replica < replicaCount(); replica++) {
    const at = result + BEFORE + replica * 16
    setU32(at + 8, (recordsOf(replica) - getU64(at)) as u32)
  }
}

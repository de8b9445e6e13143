import { getU32, getU8, setU32 } from './memory'
import { LF } from './characters'
import { endBatchRead, passRead, restoreRecord } from './replay'
import { mostLineBytes } from './catalog'
import { BATCH, clearBatch, HEAD, LINE, LINES_BEFORE, operationAt } from './scan-batch'
import { beginBatch, END, execute, FOR_PARSER } from './scan-execute'
import { readyHeads } from './scan-heads'
import { scanLine } from './scan-line'
import { bringNear } from './scan-near'
import { findStops, firstStop, stopsEnd, textAt } from './scan-stops'

/*
 * The way of the common lines: blocks of script are scanned, executed and logged here, a batch of operations at a time.
 * Logs are read back in the same way.
 */

/** Why it ended (scan-execute.ts), and where the first line begins that wasn't executed. */
export let stopped: u32 = END
export let stoppedAt: usize = 0
/** Lines executed, empty ones and remarks included. */
export let linesDone: u32 = 0

/** Operations of the batch; lines scanned. */
let batched: u32 = 0
let lines: u32 = 0
/** Lines are a log's: at most so many records are read back. */
let reading: bool = false
let recordsLeft: u64 = 0

/** Executes the whole lines from `from` on, as far as they go. */
export function runLines(from: usize, to: usize): void {
  reading = false
  scanLines(from, to)
}

/** Reads back the lines of a log, at most `records` of them. */
export function readLines(from: usize, to: usize, records: u64): void {
  reading = true
  recordsLeft = records
  scanLines(from, to)
}

function scanLines(from: usize, to: usize): void {
  stopped = END
  linesDone = 0
  lines = 0
  batched = 0
  clearBatch()
  readyHeads(reading)
  const end = lastLine(from, to)
  while (from < end) {
    if (!findStops(from, end)) {
      stopBefore(from, FOR_PARSER)
      return
    }
    if (!scanBlock()) return
    from = textAt(stopsEnd())
  }
  if (executeBatch()) stoppedAt = end
}

/** Behind the last line end before `to`. */
function lastLine(from: usize, to: usize): usize {
  while (to > from && getU8(to - 1) != LF) to--
  return to
}

/** Scans the lines whose stops were found; false where one of them ended it. */
function scanBlock(): bool {
  const end = stopsEnd()
  // The line end isn't counted.
  const most: u32 = reading ? 0xffffffff : mostLineBytes() + 1
  let cursor = firstStop()
  while (cursor < end) {
    if (batched == BATCH && !executeBatch()) return false
    const op = operationAt(batched)
    const next = scanLine(cursor, op, reading)
    if (next == 0 || ((textAt(next) - textAt(cursor)) as u32) > most) return stopBefore(textAt(cursor), FOR_PARSER)
    if (getU32(op + HEAD) != 0) {
      if (reading && recordsLeft-- == 0) return stopBefore(textAt(cursor), END)
      // What a GET of a log showed changes nothing: it is only counted.
      if (!reading || !passRead(op)) {
        setU32(op + LINES_BEFORE, lines)
        batched++
      }
    }
    lines++
    cursor = next
  }
  return true
}

/** Ends before a line, once what is before it was executed. */
function stopBefore(line: usize, why: u32): bool {
  if (!executeBatch()) return false
  stopped = why
  stoppedAt = line
  return false
}

/** Executes the operations of the batch; false where one of them ended it. */
function executeBatch(): bool {
  const count = batched
  batched = 0
  beginBatch()
  bringNear(count)
  for (let i: u32 = 0; i < count; i++) {
    const op = operationAt(i)
    const why = reading ? restoreRecord(op) : execute(op)
    if (why != END) {
      stopped = why
      stoppedAt = getU32(op + LINE)
      linesDone = getU32(op + LINES_BEFORE)
      return false
    }
  }
  linesDone = lines
  if (reading) endBatchRead()
  clearBatch()
  readyHeads(reading)
  return true
}

import { handOut, walkFrom, walkNext, walkRecord } from './changes'
import { isTouched, keyLength, nextRow, NO_ROW, tableOf, walkRows } from './keys'
import { roomToRead } from './pages'
import { clearPicks, pick, pickCount } from './picks'
import { cellAt, hasTombstone, recordAt, wordIn } from './records'
import { hasFloor, recordsOf } from './replicas'
import { isComplete } from './rows'
import { columnsOf } from './tables'
import { waitsForLookup } from './undo'
import { isThere, valueLength } from './values'

/* The rows of a replica that a flush has to write: those changed after a position, as they are now. */

/** About what a stamp takes, for bounds in bytes. */
const STAMP_BYTES: u32 = 40

let upTo: u64 = 0
let done: bool = false

/** Where to go on, and whether that was all. */
export function flushUpTo(): u64 {
  return upTo
}

export function flushDone(): bool {
  return done
}

function bytesOf(record: usize, row: u32): f64 {
  let bytes = keyLength(row) + (hasTombstone(record) ? STAMP_BYTES : 0)
  const columns = columnsOf(tableOf(row))
  for (let column: u32 = 0; column < columns; column++) {
    const word = wordIn(cellAt(record, column))
    if (isThere(word)) bytes += STAMP_BYTES + valueLength(word)
  }
  return bytes as f64
}

/** Picks them, at most about the bounds; false where memory is too full for so many. */
export function pickChanges(replica: u32, from: u64, mostRows: u32, mostBytes: f64): bool {
  clearPicks()
  upTo = from
  done = false
  let bytes: f64 = 0
  walkFrom(replica, from)
  for (;;) {
    const row = walkNext()
    if (row == NO_ROW) {
      done = true
      upTo = recordsOf(replica)
      break
    }
    // Rows that were read back at one record are not parted: whoever went on after it would miss the rest.
    const enough = pickCount() > 0 && (pickCount() >= mostRows || bytes >= mostBytes)
    if (enough && walkRecord() > upTo) break
    if (!roomToRead(1)) return false
    pick(row, 0)
    bytes += bytesOf(recordAt(replica, row), row)
    upTo = walkRecord()
  }
  handOut(replica, upTo)
  return true
}

/**
 * Picks, of the first rows after a position, those whose image an undo point can reach and that weren't looked up yet.
 * False where memory is full.
 */
export function pickLookups(replica: u32, from: u64, rows: u32): bool {
  clearPicks()
  if (!hasFloor(replica)) return true
  walkFrom(replica, from)
  for (let i: u32 = 0; i < rows; i++) {
    const row = walkNext()
    if (row == NO_ROW) break
    if (!waitsForLookup(replica, row)) continue
    if (!roomToRead(1)) return false
    pick(row, 0)
  }
  return true
}

/**
 * Picks rows that any replica wrote or took in this session and that this one must look up before its digest. False
 * where memory is full.
 */
export function pickUnresolved(replica: u32, most: u32): bool {
  clearPicks()
  if (!hasFloor(replica)) return true
  walkRows()
  for (let row = nextRow(); row != NO_ROW && pickCount() < most; row = nextRow()) {
    if (!isTouched(row) || isComplete(replica, row)) continue
    if (!roomToRead(1)) return false
    pick(row, 0)
  }
  return true
}

import { boundWalk, handOut, walkCut, walkFrom, walkNext, walkRecord } from './changes'
import { isTouched, nextRow, NO_ROW, walkRows } from './keys'
import { roomToRead } from './pages'
import { clearPicks, pick, pickCount } from './picks'
import { hasFloor, recordsOf } from './replicas'
import { isComplete } from './rows'
import { waitsForLookup } from './undo'

/* The rows of a replica that a flush has to write: those changed after a position, as they are now. */

let upTo: u64 = 0
let done: bool = false

/** Where to go on, and whether that was all. */
export function flushUpTo(): u64 {
  return upTo
}

export function flushDone(): bool {
  return done
}

/** Picks them, at most about the bounds; false where memory is too full for so many. */
export function pickChanges(replica: u32, from: u64, mostRows: u32, mostBytes: f64): bool {
  clearPicks()
  walkFrom(replica, from)
  boundWalk(mostRows, mostBytes)
  for (let row = walkNext(); row != NO_ROW; row = walkNext()) {
    if (!roomToRead(1)) return false
    pick(row, 0)
  }
  done = !walkCut()
  upTo = done ? recordsOf(replica) : walkRecord()
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

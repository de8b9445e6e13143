import { isLoggedApart, tellLoggedApart } from './asides'
import { borrow, incoming, install, joined, joinInto, sameCell, snapshot } from './joins'
import { tableOf } from './keys'
import { cellAt, COMPLETE, isKnown, recordAt, recordFor, sameStamp, setCell, setFlag, timeIn, wordIn } from './records'
import { columnsOf } from './tables'
import { completeImages } from './undo'
import { isThere, release, retain, sameValue } from './values'

/*
 * What a database held is learned (I14): joined without a new stamp, a record or a change. The row comes in `incoming`,
 * in normal form, and passes its values.
 */

/** Whether a column of `incoming` has another value than the cache under the same stamp (I15). */
export function isForeign(replica: u32, row: u32, column: u32): bool {
  const record = recordAt(replica, row)
  if (record == 0) return false
  const mine = cellAt(record, column)
  const found = cellAt(incoming, column)
  if (!isThere(wordIn(mine)) || !isThere(wordIn(found)) || !sameStamp(mine, found)) return false
  return !sameValue(wordIn(mine), wordIn(found))
}

/** Puts what the cache has in the place of foreign values: the cached one stands. */
function keepOwn(record: usize, columns: u32): void {
  for (let column: u32 = 0; column < columns; column++) {
    const mine = cellAt(record, column)
    const found = cellAt(incoming, column)
    if (!isThere(wordIn(mine)) || !isThere(wordIn(found)) || !sameStamp(mine, found) || sameCell(mine, found)) continue
    release(wordIn(found))
    retain(wordIn(mine))
    setCell(found, timeIn(mine), wordIn(mine))
  }
}

/** The row was looked up: `found` says whether there was one. */
export function learnRow(replica: u32, row: u32, found: bool): void {
  const record = recordFor(replica, row)
  const columns = columnsOf(tableOf(row))
  if (found) keepOwn(record, columns)
  setFlag(record, COMPLETE)
  completeImages(replica, row, found ? incoming : 0)
  if (!found) return
  if (!isLoggedApart(replica, row)) {
    tellLoggedApart(replica, row, isKnown(record, columns) ? snapshot(record, columns) : 0)
  }
  borrow(joined, record, columns)
  joinInto(joined, incoming, columns)
  install(record, joined, columns)
  for (let column: u32 = 0; column < columns; column++) release(wordIn(cellAt(incoming, column)))
}

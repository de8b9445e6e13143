import { getU32, getU8, setU32, setU8 } from './memory'
import { PAGE_BYTES, takePages } from './pages'
import { MARKS, replicaAt } from './replicas'
import { capacityOf, entryAt, makeRoom } from './vectors'

/*
 * A byte per row and replica, by the row's dense number: the lowest of the record that put it on the change list. By it
 * most places that rows left are told without reading the rows themselves, which are spread over the whole memory.
 */

/** Pages that `setMark` may take at the most: one of marks, and the vector's. */
export function pagesForMark(replica: u32): u32 {
  return 2 + (capacityOf(replicaAt(replica) + MARKS) * 8) / PAGE_BYTES
}

/** Notes which record put a row on the list. There must be room for `pagesForMark`. */
export function setMark(replica: u32, dense: u32, record: u64): void {
  const vector = replicaAt(replica) + MARKS
  const page = dense / PAGE_BYTES
  makeRoom(vector, page, 4)
  const entry = entryAt(vector, page, 4)
  if (getU32(entry) == 0) setU32(entry, takePages(1) as u32)
  setU8(getU32(entry) + (dense % PAGE_BYTES), (record as u32) & 0xff)
}

/** Whether a row on the list may still have the place that a record gave it; false where it surely hasn't. */
export function mayHavePlace(replica: u32, dense: u32, record: u64): bool {
  const marks = getU32(entryAt(replicaAt(replica) + MARKS, dense / PAGE_BYTES, 4))
  return getU8(marks + (dense % PAGE_BYTES)) == ((record as u32) & 0xff)
}

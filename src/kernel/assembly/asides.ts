import { getU32, setU32 } from './memory'
import { giveBlock, pagesForBlock, takeZeroed } from './blocks'
import { giveSnapshot, joinSnapshot, snapshot } from './joins'
import { denseNumber, GROUP_BITS, GROUP_ROWS, groupsInUse, tableOf } from './keys'
import { ASIDE, clearFlag, hasFlag, recordAt, setFlag } from './records'
import { ASIDES, replicaAt } from './replicas'
import { columnsOf } from './tables'
import { capacityOf, entryAt, makeRoom } from './vectors'

/*
 * What few rows have besides their record, per replica:
 *
 *   +0 the image at the last commit, a snapshot; 0 where the row had no register then
 *   +4 the first image of an UNDO that waits for the row to be looked up (undo.ts)
 *   +8 what the log alone holds, where a look-up added something: a snapshot, 0 for nothing
 *   +12 flags: 1 the image at the last commit waits for a look-up, 2 the log's own is told apart
 *
 * A merge is over the log (I14): it must not depend on which look-ups happened before it (I13).
 */

const BYTES: u32 = 16
const IMAGE: u32 = 0
const PENDING: u32 = 4
const LOGGED: u32 = 8
const FLAGS: u32 = 12

const IMAGE_INCOMPLETE: u32 = 1
const LOGGED_APART: u32 = 2

/** Pages that making a row's aside, with a snapshot, may take at the most. */
export function pagesForAside(): u32 {
  return 3 + pagesForBlock((groupsInUse() + 1) * 8 + 256)
}

/** A row's aside; 0 where it has none. */
function asideOf(replica: u32, row: u32): usize {
  const record = recordAt(replica, row)
  return record == 0 || !hasFlag(record, ASIDE) ? 0 : (getU32(place(replica, row)) as usize)
}

function place(replica: u32, row: u32): usize {
  const dense = denseNumber(row)
  const block = getU32(entryAt(replicaAt(replica) + ASIDES, dense >> GROUP_BITS, 4)) as usize
  return block + (dense & (GROUP_ROWS - 1)) * 4
}

/** The same, made where there is none; the row has a record. */
function asideFor(replica: u32, row: u32): usize {
  const found = asideOf(replica, row)
  if (found != 0) return found
  const directory = replicaAt(replica) + ASIDES
  const group = denseNumber(row) >> GROUP_BITS
  if (group >= capacityOf(directory)) makeRoom(directory, group, 4)
  const entry = entryAt(directory, group, 4)
  if (getU32(entry) == 0) setU32(entry, takeZeroed(GROUP_ROWS * 4) as u32)
  const aside = takeZeroed(BYTES)
  setU32(place(replica, row), aside as u32)
  setFlag(recordAt(replica, row), ASIDE)
  return aside
}

function dropEmpty(replica: u32, row: u32, aside: usize): void {
  for (let field: u32 = 0; field < BYTES; field += 4) if (getU32(aside + field) != 0) return
  giveBlock(aside, BYTES)
  setU32(place(replica, row), 0)
  clearFlag(recordAt(replica, row), ASIDE)
}

/** The image at the last commit of a row that was written since; 0 where it showed nothing then. */
export function commitImage(replica: u32, row: u32): usize {
  const aside = asideOf(replica, row)
  return aside == 0 ? 0 : (getU32(aside + IMAGE) as usize)
}

export function commitImageIncomplete(replica: u32, row: u32): bool {
  const aside = asideOf(replica, row)
  return aside != 0 && (getU32(aside + FLAGS) & IMAGE_INCOMPLETE) != 0
}

/** Keeps a snapshot (or 0) as the image at the last commit. */
export function setCommitImage(replica: u32, row: u32, image: usize, complete: bool): void {
  if (image == 0 && complete) return
  const aside = asideFor(replica, row)
  setU32(aside + IMAGE, image as u32)
  if (!complete) setU32(aside + FLAGS, getU32(aside + FLAGS) | IMAGE_INCOMPLETE)
}

/** Completes it with what the database held, 0 for nothing. */
export function completeCommitImage(replica: u32, row: u32, found: usize): void {
  const aside = asideOf(replica, row)
  if (aside == 0 || (getU32(aside + FLAGS) & IMAGE_INCOMPLETE) == 0) return
  setU32(aside + FLAGS, getU32(aside + FLAGS) & ~IMAGE_INCOMPLETE)
  if (found != 0) {
    const columns = columnsOf(tableOf(row))
    const image = getU32(aside + IMAGE) as usize
    if (image == 0) setU32(aside + IMAGE, snapshot(found, columns) as u32)
    else joinSnapshot(image, found, columns)
  }
  dropEmpty(replica, row, aside)
}

export function dropCommitImage(replica: u32, row: u32): void {
  const aside = asideOf(replica, row)
  if (aside == 0) return
  const image = getU32(aside + IMAGE) as usize
  if (image != 0) giveSnapshot(image, columnsOf(tableOf(row)))
  setU32(aside + IMAGE, 0)
  setU32(aside + FLAGS, getU32(aside + FLAGS) & ~IMAGE_INCOMPLETE)
  dropEmpty(replica, row, aside)
}

/** The first of a row's images that wait for a look-up; 0 for none. */
export function pendingImage(replica: u32, row: u32): usize {
  const aside = asideOf(replica, row)
  return aside == 0 ? 0 : (getU32(aside + PENDING) as usize)
}

export function setPendingImage(replica: u32, row: u32, image: usize): void {
  if (image == 0 && asideOf(replica, row) == 0) return
  const aside = asideFor(replica, row)
  setU32(aside + PENDING, image as u32)
  if (image == 0) dropEmpty(replica, row, aside)
}

/** Whether a look-up added something, so that the log's own row is told apart. */
export function isLoggedApart(replica: u32, row: u32): bool {
  const aside = asideOf(replica, row)
  return aside != 0 && (getU32(aside + FLAGS) & LOGGED_APART) != 0
}

/** What the log alone holds of a row; 0 for nothing. */
export function loggedRow(replica: u32, row: u32): usize {
  const record = recordAt(replica, row)
  if (record == 0 || !hasFlag(record, ASIDE)) return record
  const aside = asideOf(replica, row)
  return (getU32(aside + FLAGS) & LOGGED_APART) == 0 ? record : (getU32(aside + LOGGED) as usize)
}

/** From here on the log's own row is told apart: it is a snapshot, or 0 for nothing. */
export function tellLoggedApart(replica: u32, row: u32, own: usize): void {
  const aside = asideFor(replica, row)
  setU32(aside + LOGGED, own as u32)
  setU32(aside + FLAGS, getU32(aside + FLAGS) | LOGGED_APART)
}

/** Joins a part into the log's own row, where it is told apart. There must be room for a snapshot. */
export function joinLogged(replica: u32, row: u32, part: usize): void {
  if (!isLoggedApart(replica, row)) return
  const aside = asideOf(replica, row)
  const own = getU32(aside + LOGGED) as usize
  const columns = columnsOf(tableOf(row))
  if (own == 0) setU32(aside + LOGGED, snapshot(part, columns) as u32)
  else joinSnapshot(own, part, columns)
}

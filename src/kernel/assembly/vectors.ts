import { copyBytes, getU32, setU32, zeroBytes } from './memory'
import { giveBlock, takeBlock } from './blocks'

/*
 * A row of entries of one size that grows by doubling; for directories, whose entries stand for whole pages, so that
 * what is copied stays small. Eight bytes where the vector is kept: +0 its entries, +4 room for how many.
 */

const FIRST: u32 = 16

/** Address of entry `i`, which must be there. */
export function entryAt(vector: usize, i: u32, entryBytes: u32): usize {
  assert(i < getU32(vector + 4), 'the entry is there')
  return (getU32(vector) as usize) + i * entryBytes
}

/** Entries that there is room for; those beyond are none. */
export function capacityOf(vector: usize): u32 {
  return getU32(vector + 4)
}

/** Makes room for entry `i`; new entries are zero. False where memory is full, and nothing is changed. */
export function makeRoom(vector: usize, i: u32, entryBytes: u32): bool {
  const room = getU32(vector + 4)
  if (i < room) return true
  let more = room == 0 ? FIRST : room * 2
  while (more <= i) more *= 2
  const entries = takeBlock(more * entryBytes)
  if (entries == 0) return false
  const old = getU32(vector) as usize
  if (old != 0) {
    copyBytes(entries, old, room * entryBytes)
    giveBlock(old, room * entryBytes)
  }
  zeroBytes(entries + room * entryBytes, (more - room) * entryBytes)
  setU32(vector, entries as u32)
  setU32(vector + 4, more)
  return true
}

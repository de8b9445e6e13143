import { getU32, setU32, takeStatic } from './memory'
import { giveSnapshot, snapshot } from './joins'
import { tableOf } from './keys'
import { addEntry, clearList, CURSOR, LIST, listCount, nextEntry, rewind } from './lists'
import { columnsOf } from './tables'

/*
 * Rows that an operation gives to its caller, by table as they come: +0 a row number, +4 a snapshot of the part that is
 * meant, 0 for the row as a replica holds it. One list at a time; it stands until the next operation begins its own.
 */

const PICK: u32 = 8

let picks: usize = 0
let cursor: usize = 0

export function initPicks(): void {
  picks = takeStatic(LIST)
  cursor = takeStatic(CURSOR)
}

export function pickCount(): u32 {
  return listCount(picks)
}

export function clearPicks(): void {
  firstPick()
  for (let entry = nextPick(); entry != 0; entry = nextPick()) {
    const part = getU32(entry + 4) as usize
    if (part != 0) giveSnapshot(part, columnsOf(tableOf(getU32(entry))))
  }
  clearList(picks)
}

/** Adds a row. There must be room for a page, and for a snapshot of `part` where it isn't 0. */
export function pick(row: u32, part: usize): void {
  const entry = addEntry(picks, PICK)
  setU32(entry, row)
  setU32(entry + 4, part == 0 ? 0 : (snapshot(part, columnsOf(tableOf(row))) as u32))
}

/** Begins a walk over the picks. */
export function firstPick(): void {
  rewind(cursor, picks)
}

/** The next one; 0 at the end. */
export function nextPick(): usize {
  return nextEntry(cursor, picks, PICK)
}

/** How many of them are of a table. */
export function pickedIn(table: u32): u32 {
  let found: u32 = 0
  firstPick()
  for (let entry = nextPick(); entry != 0; entry = nextPick()) if (tableOf(getU32(entry)) == table) found++
  return found
}

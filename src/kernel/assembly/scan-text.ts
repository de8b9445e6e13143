import { getU8 } from './memory'
import { CR, HASH, isNameByte, LF, SPACE } from './characters'
import { stopAt } from './scan-stops'

/* Steps over parts of a line. A line end is in the way of each. */

/** Tabs are stops: a line with one is for the parser. */
export function pastSpaces(p: usize): usize {
  while (getU8(p) == SPACE) p++
  return p
}

export function pastName(p: usize): usize {
  while (isNameByte(getU8(p))) p++
  return p
}

/** Where the item that begins at `p` ends, the blanks before its stop left out. */
export function itemEnd(p: usize, stop: usize): usize {
  while (stop > p && getU8(stop - 1) == SPACE) stop--
  return stop
}

/**
 * The line end at `p`, with a remark before it or not; gives the cursor of the next line, 0 where there is none.
 * @param any the remark may have any characters
 */
export function scanEnd(cursor: usize, p: usize, any: bool): usize {
  if (p != stopAt(cursor)) return 0
  const byte = getU8(p)
  if (byte == LF) return cursor + 4
  if (byte == CR) return getU8(p + 1) == LF ? cursor + 8 : 0
  return byte == HASH ? scanRemark(cursor, any) : 0
}

/** All that isn't ASCII is a stop. */
function scanRemark(cursor: usize, any: bool): usize {
  let byte = HASH
  for (; byte != LF; cursor += 4) {
    byte = getU8(stopAt(cursor))
    if (byte >= 128 && !any) return 0
  }
  return cursor
}

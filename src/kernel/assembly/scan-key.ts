import { copyText, getU32, getU64, getU8, setU16, setU32, setU64 } from './memory'
import { CLOSE, COMMA, isNone, isNullText, OPEN, SPACE } from './characters'
import { INT64, keyColumn, STRING, tableNamed, typeOf, UNKNOWN } from './catalog'
import { SET } from './format'
import { FLAGS, keepKey, nextKey, RESPELLED, TEXT, TEXT_BYTES } from './scan-batch'
import { flagsOfHead, keyColumnsOfHead, kindOfHead, mostKeyOfHead, tableOfHead, TEXT_KEY } from './scan-heads'
import { stopAt, textAt } from './scan-stops'
import { itemEnd, pastSpaces } from './scan-text'
import { integerAt, isInteger } from './scan-values'

/** The end of a text in a key, 00 01. */
const TERMINATOR: u32 = 0x0100
const SIGN: u64 = 0x8000000000000000

/** The key in either spelling, up to and with what stands before SET's value or ends the others. */
export function scanKey(cursor: usize, op: usize, head: usize): usize {
  let p = textAt(cursor)
  if (getU8(p) == SPACE) p = pastSpaces(p)
  const grouped: u32 = getU8(p) == OPEN ? 1 : 0
  p += grouped
  if (getU8(p) == SPACE) p = pastSpaces(p)
  const wanted = kindOfHead(head) == SET ? COMMA : CLOSE
  const c = scanItems(cursor + grouped * 4, p, op, head, grouped == 0 ? wanted : CLOSE)
  if (c == 0) return 0
  // A first item that is a table's name may be read in two ways.
  if (grouped == 0) return isTable(p, stopAt(cursor)) ? 0 : c
  const stop = stopAt(c)
  p = textAt(c)
  if (p != stop) p = pastSpaces(p)
  return p == stop && getU8(stop) == wanted ? c + 4 : 0
}

function isTable(p: usize, stop: usize): bool {
  return tableNamed(p, (itemEnd(p, stop) - p) as u32) != UNKNOWN
}

/** The items of a key and what closes them, into canonical key bytes. */
function scanItems(cursor: usize, first: usize, op: usize, head: usize, closer: u32): usize {
  const isText = (flagsOfHead(head) & TEXT_KEY) != 0
  const most = nextKey() + mostKeyOfHead(head)
  const columns = keyColumnsOfHead(head)
  let to = nextKey()
  let p = first
  let end = first
  for (let column: u32 = 0; column < columns; column++) {
    const stop = stopAt(cursor)
    end = stop
    if (getU8(stop - 1) == SPACE) end = itemEnd(p, stop)
    const bytes = (end - p) as u32
    if (getU8(stop) != (column + 1 == columns ? closer : COMMA)) return 0
    if (bytes <= 4) {
      if (bytes == 0 || isNullText(getU64(p), bytes)) return 0
      if (isNone(getU64(p), bytes)) respell(op)
    }
    const type = isText ? STRING : typeOf(keyColumn(tableOfHead(head), column))
    to = type == STRING ? putText(to, most, p, bytes) : putInteger(to, most, type, p, bytes)
    if (to == 0) return 0
    cursor += 4
    p = stop + 1
    if (column + 1 < columns && (end != stop || getU8(p) == SPACE)) {
      p = pastSpaces(p)
      respell(op)
    }
  }
  setU32(op + TEXT, first as u32)
  setU32(op + TEXT_BYTES, (end - first) as u32)
  keepKey(op, to)
  return cursor
}

/** The log needs another spelling of the key than the script's. */
function respell(op: usize): void {
  setU32(op + FLAGS, getU32(op + FLAGS) | RESPELLED)
}

/** Writes the canonical key bytes of an item; gives where they end, 0 where they are too many. */
function putText(to: usize, most: usize, p: usize, bytes: u32): usize {
  const end = to + bytes + 2
  if (end > most) return 0
  copyText(to, p, bytes)
  setU16(end - 2, TERMINATOR)
  return end
}

/** The same for an integer; other types are for the parser. */
function putInteger(to: usize, most: usize, type: u32, p: usize, bytes: u32): usize {
  if (type != INT64 || to + 8 > most || !isInteger(p, bytes)) return 0
  setU64(to, bswap<u64>((integerAt(p, bytes) as u64) ^ SIGN))
  return to + 8
}

import { copyBytes, getU32, getU64, getU8, setU32 } from './memory'
import {
  CLOSE,
  CLOSE_BRACE,
  COLON,
  colonsIn,
  COMMA,
  EQUALS,
  isNone,
  isNullText,
  LF,
  OPEN_BRACE,
  SPACE,
} from './characters'
import { columnNamed, STRING, typeOf, UNKNOWN, valueColumn, valueColumns } from './catalog'
import { keepCells, MOST_CELLS, nextCells, NULL_BYTES, SCANNED_CELL } from './scan-batch'
import { flagsOfHead, mostValueOfHead, tableOfHead, TEXT_VALUE } from './scan-heads'
import { stopAt, textAt } from './scan-stops'
import { itemEnd, pastSpaces, scanEnd } from './scan-text'
import { isCanonical } from './scan-values'

/** SET's values and the parenthesis behind them. */
export function scanCells(cursor: usize, op: usize, head: usize): usize {
  let p = textAt(cursor)
  if (getU8(p) == SPACE) p = pastSpaces(p)
  const stop = stopAt(cursor)
  const bytes = (stop - p) as u32
  const isText = (flagsOfHead(head) & TEXT_VALUE) != 0
  if (!isText || getU8(stop) != CLOSE || bytes - 1 >= mostValueOfHead(head) || getU8(stop - 1) == SPACE) {
    return scanOtherCells(cursor, p, op, head)
  }
  const cell = nextCells()
  setU32(cell, 0)
  setU32(cell + 4, isNullText(getU64(p), bytes) ? NULL_BYTES : bytes)
  setU32(cell + 8, p as u32)
  keepCells(op, 1)
  return cursor + 4
}

/** Values of columns in braces, or a value of another type than string, or with blanks behind it. */
function scanOtherCells(cursor: usize, p: usize, op: usize, head: usize): usize {
  const table = tableOfHead(head)
  const most = mostValueOfHead(head)
  const cells = nextCells()
  let c = cursor
  let count: u32 = 1
  if (getU8(p) == OPEN_BRACE) {
    c = scanBraces(cursor + 4, cells, table, most)
    if (c == 0 || pastSpaces(textAt(c)) != stopAt(c)) return 0
    count = scanned
  } else if (valueColumns(table) != 1 || !scanValue(p, stopAt(c), cells, table, 0, most)) return 0
  keepCells(op, count)
  return getU8(stopAt(c)) == CLOSE ? c + 4 : 0
}

/** Names of columns have 57 bytes at the most; blanks may follow. */
const LONGEST_NAME: u32 = 64

/** Cells that the last braces had. */
let scanned: u32 = 0

/** `column: value, …` and the brace behind it, into cells by rising column. */
function scanBraces(cursor: usize, cells: usize, table: u32, most: u32): usize {
  let next: u32 = 0
  let closer: u32 = COMMA
  for (scanned = 0; closer == COMMA;) {
    if (scanned == MOST_CELLS) return 0
    const name = pastSpaces(textAt(cursor))
    const colon = colonFrom(name)
    // Whatever else stands there is no column's name.
    const column = columnNamed(table, name, (itemEnd(name, colon) - name) as u32, next)
    if (column == UNKNOWN || getU8(colon) != COLON || colon > stopAt(cursor)) return 0
    next = column + 1
    const cell = placeFor(cells, column)
    const stop = stopAt(cursor)
    if (cell == 0 || !scanValue(pastSpaces(colon + 1), stop, cell, table, column, most)) return 0
    cursor += 4
    closer = getU8(stop)
  }
  return closer == CLOSE_BRACE ? cursor : 0
}

/** The next colon; no further than the longest name reaches. */
function colonFrom(p: usize): usize {
  const end = p + LONGEST_NAME
  for (; p < end; p += 8) {
    const colons = colonsIn(getU64(p))
    if (colons != 0) return p + ((ctz<u64>(colons) as usize) >> 3)
  }
  return end
}

/** The place of a column's cell among those before, which move; 0 where it is named twice. */
function placeFor(cells: usize, column: u32): usize {
  let cell = cells + scanned * SCANNED_CELL
  scanned++
  for (; cell > cells; cell -= SCANNED_CELL) {
    const before = getU32(cell - SCANNED_CELL)
    if (before == column) return 0
    if (before < column) return cell
    copyBytes(cell, cell - SCANNED_CELL, SCANNED_CELL)
  }
  return cell
}

/** The item that ends at a stop, as the cell of a column. */
function scanValue(p: usize, stop: usize, cell: usize, table: u32, column: u32, most: u32): bool {
  const bytes = (itemEnd(p, stop) - p) as u32
  if (bytes == 0 || bytes > most) return false
  setU32(cell, column)
  setU32(cell + 8, p as u32)
  if (isNullText(getU64(p), bytes)) {
    setU32(cell + 4, NULL_BYTES)
    return true
  }
  setU32(cell + 4, bytes)
  const entry = valueColumn(table, column)
  return typeOf(entry) == STRING || isCanonical(entry, p, bytes)
}

/** The rest of a log's GET, from the `=` to the line end: what it showed, of which nothing is kept. */
export function scanShown(cursor: usize, head: usize): usize {
  const table = tableOfHead(head)
  const most = mostValueOfHead(head)
  const equals = pastSpaces(textAt(cursor))
  if (getU8(equals) != EQUALS) return scanEnd(cursor, equals, true)
  const p = pastSpaces(equals + 1)
  if (getU8(p) == OPEN_BRACE) {
    const c = scanBraces(cursor + 4, nextCells(), table, most)
    return c == 0 ? 0 : scanEnd(c, pastSpaces(textAt(c)), true)
  }
  const stop = stopAt(cursor)
  if (getU8(stop) != LF) return 0
  if (isNone(getU64(p), (itemEnd(p, stop) - p) as u32)) return cursor + 4
  return valueColumns(table) == 1 && scanValue(p, stop, nextCells(), table, 0, most) ? cursor + 4 : 0
}

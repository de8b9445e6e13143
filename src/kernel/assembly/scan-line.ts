import { getU8, setU32 } from './memory'
import { isDigit, isNameStart, LF, OPEN, SPACE } from './characters'
import { GET, SET } from './format'
import { FLAGS, HEAD, LINE, LINE_BYTES } from './scan-batch'
import { scanCells, scanShown } from './scan-cells'
import { headAt, kindOfHead } from './scan-heads'
import { scanKey } from './scan-key'
import { scanPrefix } from './scan-prefix'
import { stopAt, textAt } from './scan-stops'
import { pastSpaces, scanEnd } from './scan-text'

/*
 * The common spellings of SET, GET and DELETE, from stop to stop. What is taken means exactly what the parser
 * (`src/script/parser.ts`) makes of it; everything else, and everything wrong, is left to that: each function gives the
 * cursor behind what it took, or 0.
 */

/**
 * Scans the line whose first stop is at `cursor` into an operation, without a head where the line has no statement;
 * gives the cursor of the next line.
 * @param log lines of a log: they have stamps, GETs show something, remarks have any characters
 */
export function scanLine(cursor: usize, op: usize, log: bool): usize {
  const line = textAt(cursor)
  let p = line
  let c = cursor
  setU32(op + LINE, line as u32)
  setU32(op + FLAGS, 0)
  if (getU8(p) == SPACE) p = pastSpaces(p)
  if (isDigit(getU8(p))) {
    c = scanPrefix(cursor, p, op, log)
    if (c == 0) return 0
    p = pastSpaces(textAt(c))
  } else if (log || !isNameStart(getU8(p))) {
    setU32(op + HEAD, 0)
    return scanEnd(cursor, p, log)
  }
  const stop = stopAt(c)
  const head = getU8(stop) == OPEN ? headAt(p, stop) : 0
  if (head == 0) return 0
  setU32(op + HEAD, head as u32)
  c = scanOperation(c + 4, op, head, log)
  if (c == 0) return 0
  setU32(op + LINE_BYTES, (textAt(c) - line) as u32)
  return c
}

/** The arguments of an operation, its parenthesis taken, and the rest of the line. */
function scanOperation(cursor: usize, op: usize, head: usize, log: bool): usize {
  const kind = kindOfHead(head)
  let c = scanKey(cursor, op, head)
  if (c == 0) return 0
  if (kind == SET) {
    c = scanCells(c, op, head)
    if (c == 0) return 0
  } else if (log && kind == GET) return scanShown(c, head)
  const p = textAt(c)
  if (getU8(p) == LF) return c + 4
  return scanEnd(c, pastSpaces(p), log)
}

import { getU64, getU8, setI64, setU32 } from './memory'
import { AT, COMMA, firstBytes, isNameStart, noDigitsIn } from './characters'
import { FLAGS, ORIGIN, STAMPED, TIME } from './scan-batch'
import { stopAt } from './scan-stops'
import { pastName, pastSpaces } from './scan-text'
import { TIME_BYTES, timeAt } from './times'

/** Digits of a sequence number. */
const MOST_DIGITS: u32 = 15
const MOST_ORIGIN: u32 = 255

/**
 * A sequence number or a stamp at `p`, and its comma; gives the cursor behind it, 0 where there is none.
 * @param log only stamps are taken
 */
export function scanPrefix(cursor: usize, p: usize, op: usize, log: bool): usize {
  const stop = stopAt(cursor)
  if (getU8(stop) != COMMA) return 0
  if (!log && areDigits(p, (stop - p) as u32)) return cursor + 4
  return scanStamp(p, stop, op) ? cursor + 4 : 0
}

function areDigits(p: usize, bytes: u32): bool {
  if (bytes > MOST_DIGITS) return false
  if (bytes <= 8) return firstBytes(noDigitsIn(getU64(p)), bytes) == 0
  return noDigitsIn(getU64(p)) == 0 && firstBytes(noDigitsIn(getU64(p + 8)), bytes - 8) == 0
}

/** A stamp up to its stop. */
function scanStamp(p: usize, stop: usize, op: usize): bool {
  const time = timeAt(p)
  if (time < 0) return false
  let at = p + TIME_BYTES
  let bytes: u32 = 0
  if (getU8(at) == AT) {
    const start = at + 1
    if (!isNameStart(getU8(start))) return false
    at = pastName(start)
    bytes = (at - start) as u32
    if (bytes > MOST_ORIGIN) return false
    setU32(op + ORIGIN, start as u32)
  }
  setI64(op + TIME, time)
  setU32(op + FLAGS, STAMPED | bytes)
  return pastSpaces(at) == stop
}

import { getU64, getU8 } from './memory'
import { CAPITAL_Z, DASH, DOT, firstBytes, isDigit, SPACE, ZERO } from './characters'
import { BOOLEAN, DATE, DECIMAL, FLOAT64, INT64, precisionOf, scaleOf, TIMESTAMP, typeOf } from './catalog'
import { dateAt, timeOfDayAt } from './times'

/*
 * Which texts surely are canonical (`src/core/types.ts`), so that they are values as they stand. Others may be values in
 * another spelling, or none: that is for the parser.
 */

/** Digits that a float64 keeps exactly, and that an int64 surely holds. */
const FLOAT_DIGITS: u32 = 15
const INTEGER_DIGITS: u32 = 18
/** Zeros behind the point from which on a float64 is written with an exponent. */
const FLOAT_ZEROS: u32 = 6
const TIMESTAMP_BYTES: u32 = 20
const FRACTION_DIGITS: u32 = 3

/** `true`, `false` */
const TRUE: u64 = 0x65757274
const FALSE: u64 = 0x65736c6166

/** Whether a text is the canonical one of a value of the column, which is no string's. */
export function isCanonical(column: usize, p: usize, bytes: u32): bool {
  const type = typeOf(column)
  if (type == INT64) return isInteger(p, bytes)
  if (type == FLOAT64) return isNumber(p, bytes, FLOAT_DIGITS, FLOAT_ZEROS)
  if (type == DECIMAL) return isDecimal(p, bytes, precisionOf(column), scaleOf(column))
  if (type == BOOLEAN) return isBoolean(p, bytes)
  if (type == DATE) return bytes == 10 && dateAt(p) >= 0
  return type == TIMESTAMP && isTimestamp(p, bytes, scaleOf(column))
}

/** Digits from `p` on. */
function digitsAt(p: usize, end: usize): u32 {
  let at = p
  while (at < end && isDigit(getU8(at))) at++
  return (at - p) as u32
}

/** Whether these are digits without superfluous zeros. */
function isWhole(p: usize, digits: u32): bool {
  return digits == 1 || (digits > 1 && getU8(p) != ZERO)
}

export function isInteger(p: usize, bytes: u32): bool {
  const start = getU8(p) == DASH ? p + 1 : p
  const digits = (p + bytes - start) as u32
  if (digits > INTEGER_DIGITS || digitsAt(start, p + bytes) != digits || !isWhole(start, digits)) return false
  return start == p || getU8(start) != ZERO
}

/** The value of an integer that `isInteger`. */
export function integerAt(p: usize, bytes: u32): i64 {
  const negative = getU8(p) == DASH
  let value: i64 = 0
  for (let at = negative ? p + 1 : p; at < p + bytes; at++) value = value * 10 + ((getU8(at) - ZERO) as i64)
  return negative ? -value : value
}

/** Digits before and behind the point of the number that was looked at last. */
let wholeDigits: u32 = 0
let fractionDigits: u32 = 0

/** Whether this is a number in digits, without exponent and superfluous zeros, and not -0. */
function isNumber(p: usize, bytes: u32, mostDigits: u32, mostZeros: u32): bool {
  const end = p + bytes
  const start = getU8(p) == DASH ? p + 1 : p
  wholeDigits = digitsAt(start, end)
  fractionDigits = 0
  if (!isWhole(start, wholeDigits)) return false
  const point = start + wholeDigits
  const zero = getU8(start) == ZERO
  if (point == end) return wholeDigits <= mostDigits && (start == p || !zero)
  fractionDigits = digitsAt(point + 1, end)
  if (getU8(point) != DOT || point + 1 + fractionDigits != end) return false
  if (fractionDigits == 0 || getU8(end - 1) == ZERO || wholeDigits + fractionDigits > mostDigits) return false
  return !zero || zerosAt(point + 1) < mostZeros
}

/** Zeros from `p` on; another digit ends them. */
function zerosAt(p: usize): u32 {
  let zeros: u32 = 0
  while (getU8(p + zeros) == ZERO) zeros++
  return zeros
}

function isDecimal(p: usize, bytes: u32, precision: u32, scale: u32): bool {
  if (!isNumber(p, bytes, FLOAT_DIGITS, FLOAT_DIGITS)) return false
  const start = getU8(p) == DASH ? p + 1 : p
  const whole: u32 = getU8(start) == ZERO ? 0 : wholeDigits
  return fractionDigits <= scale && whole <= precision - scale
}

function isBoolean(p: usize, bytes: u32): bool {
  const word = firstBytes(getU64(p), bytes)
  return (bytes == 4 && word == TRUE) || (bytes == 5 && word == FALSE)
}

/** `2026-11-22 15:11:21Z`, or with a fraction of a second that doesn't end with a zero. */
function isTimestamp(p: usize, bytes: u32, scale: u32): bool {
  const end = p + bytes
  if (bytes < TIMESTAMP_BYTES || getU8(end - 1) != CAPITAL_Z || getU8(p + 10) != SPACE) return false
  if (dateAt(p) < 0 || timeOfDayAt(p + 11) < 0) return false
  if (bytes == TIMESTAMP_BYTES) return true
  const digits = bytes - TIMESTAMP_BYTES - 1
  if (getU8(p + 19) != DOT || digits == 0 || digits > FRACTION_DIGITS || digits > scale) return false
  return digitsAt(p + 20, end) == digits && getU8(end - 2) != ZERO
}

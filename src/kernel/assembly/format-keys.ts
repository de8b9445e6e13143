import { copyBytes, getU16, getU64, getU8, setU16, setU64, setU8, takeStatic } from './memory'
import { BACKSLASH, CAPITAL_Z, COMMA, DASH, DOT, ZERO } from './characters'
import {
  BOOLEAN,
  BYTES,
  DATE,
  DECIMAL,
  INT64,
  keyColumn,
  keyColumns,
  scaleOf,
  STRING,
  TIMESTAMP,
  typeOf,
} from './catalog'
import { hex, putItem } from './items'

/* The text of a key from its canonical bytes (`src/core/key.ts`): its items, with commas between. */

const MOST_KEY_BYTES: u32 = 2048
const SIGN: u64 = 0x8000000000000000
const DATE_BYTES: u32 = 10
/** `2026-11-22 15:11:21` and the same with a point and nine digits. */
const SECOND_BYTES: u32 = 19
const TIMESTAMP_BYTES: u32 = 29

/** An item whose bytes aren't its text. */
let plain: usize = 0
/** Up to 40 digits, and the limbs they come from. */
let digits: usize = 0
/** Where the next item begins. */
let rest: usize = 0

export function initFormatKeys(): void {
  plain = takeStatic(MOST_KEY_BYTES)
  digits = takeStatic(64)
}

/** Writes the items of a key; gives where they end. */
export function putKey(to: usize, table: u32, key: usize, bytes: u32): usize {
  const count = keyColumns(table)
  rest = key
  for (let i: u32 = 0; i < count; i++) {
    if (i > 0) setU8(to++, COMMA)
    to = putKeyItem(to, keyColumn(table, i))
  }
  assert(rest == key + bytes, 'a key has the items of its table')
  return to
}

function putKeyItem(to: usize, column: usize): usize {
  const type = typeOf(column)
  if (type == STRING) return putText(to)
  if (type == INT64) return putInteger(to)
  if (type == DECIMAL) return putDecimal(to, scaleOf(column))
  if (type == BOOLEAN) return putBoolean(to)
  if (type == BYTES) return putBytes(to)
  if (type == DATE) {
    copyBytes(to, rest, DATE_BYTES)
    rest += DATE_BYTES
    return to + DATE_BYTES
  }
  assert(type == TIMESTAMP, 'a type that may stand in a key')
  return putTimestamp(to)
}

function putText(to: usize): usize {
  const start = rest
  while (getU8(rest) != 0) rest++
  if (getU8(rest + 1) == 1) {
    rest += 2
    return putItem(to, start, (rest - start - 2) as u32)
  }
  // Zero bytes in it are escaped.
  rest = start
  return putItem(to, plain, unescape())
}

/** Copies an item without its escapes; gives its length. */
function unescape(): u32 {
  let bytes: u32 = 0
  while (getU16(rest) != 0x0100) {
    const byte = getU8(rest)
    setU8(plain + bytes++, byte)
    rest += byte == 0 ? 2 : 1
  }
  rest += 2
  return bytes
}

/** `\x00ff` */
function putBytes(to: usize): usize {
  const bytes = unescape()
  setU16(to, BACKSLASH | (120 << 8))
  to += 2
  for (let i: u32 = 0; i < bytes; i++) {
    const byte = getU8(plain + i)
    setU16(to, hex(byte >> 4) | (hex(byte) << 8))
    to += 2
  }
  return to
}

function putBoolean(to: usize): usize {
  const yes = getU8(rest++) == 1
  setU64(to, yes ? 0x65757274 : 0x65736c6166) // true, false
  return to + (yes ? 4 : 5)
}

/** Eight bytes, the first one highest. */
function bigEndian(p: usize): u64 {
  return bswap<u64>(getU64(p))
}

function putInteger(to: usize): usize {
  const value = bigEndian(rest) ^ SIGN
  rest += 8
  const negative = (value & SIGN) != 0
  if (negative) setU8(to++, DASH)
  const count = putDigits(negative ? 0 - value : value, 0)
  for (let i = count; i > 0; i--) setU8(to++, getU8(digits + i - 1))
  return to
}

/** Puts the digits of a number of 128 bits into `digits`, the last one first; gives how many, at least one. */
function putDigits(low: u64, high: u64): u32 {
  const limbs = digits + 48
  setU64(limbs, low)
  setU64(limbs + 8, high)
  let count: u32 = 0
  do setU8(digits + count++, ZERO + tenth(limbs))
  while ((getU64(limbs) | getU64(limbs + 8)) != 0)
  return count
}

/** Divides a number of 128 bits by ten; gives what is left. */
function tenth(p: usize): u32 {
  const high = getU64(p + 8)
  const low = getU64(p)
  const middle = ((high % 10) << 32) | (low >> 32)
  const last = ((middle % 10) << 32) | (low & 0xffffffff)
  setU64(p + 8, high / 10)
  setU64(p, ((middle / 10) << 32) | (last / 10))
  return (last % 10) as u32
}

/** The digits before the point, then those behind it without zeros at their end. */
function putDecimal(to: usize, scale: u32): usize {
  let high = bigEndian(rest) ^ SIGN
  let low = bigEndian(rest + 8)
  rest += 16
  if ((high & SIGN) != 0) {
    setU8(to++, DASH)
    low = 0 - low
    high = ~high + (low == 0 ? 1 : 0)
  }
  let count = putDigits(low, high)
  while (count <= scale) setU8(digits + count++, ZERO)
  for (let i = count; i > scale; i--) setU8(to++, getU8(digits + i - 1))
  let zeros: u32 = 0
  while (zeros < scale && getU8(digits + zeros) == ZERO) zeros++
  if (zeros == scale) return to
  setU8(to++, DOT)
  for (let i = scale; i > zeros; i--) setU8(to++, getU8(digits + i - 1))
  return to
}

/** Without zeros at the end of its fraction. */
function putTimestamp(to: usize): usize {
  let bytes = TIMESTAMP_BYTES
  while (bytes > SECOND_BYTES + 1 && getU8(rest + bytes - 1) == ZERO) bytes--
  if (bytes == SECOND_BYTES + 1) bytes = SECOND_BYTES
  copyBytes(to, rest, bytes)
  rest += TIMESTAMP_BYTES
  setU8(to + bytes, CAPITAL_Z)
  return to + bytes + 1
}

/* Bytes of a script, and what they are. Eight at a time a word of text has its first byte lowest. */

export const LF: u32 = 10
export const CR: u32 = 13
export const SPACE: u32 = 32
export const QUOTE: u32 = 34
export const HASH: u32 = 35
export const OPEN: u32 = 40
export const CLOSE: u32 = 41
export const COMMA: u32 = 44
export const DASH: u32 = 45
export const DOT: u32 = 46
export const ZERO: u32 = 48
export const COLON: u32 = 58
export const EQUALS: u32 = 61
export const AT: u32 = 64
export const CAPITAL_Z: u32 = 90
const UNDERSCORE: u32 = 95
export const BACKSLASH: u32 = 92
export const OPEN_BRACE: u32 = 123
export const CLOSE_BRACE: u32 = 125

/** `\N` */
const NULL_TEXT: u32 = 0x4e5c
/** `none` */
const NONE: u32 = 0x656e6f6e

const EACH: u64 = 0x0101010101010101
const LOW_BITS: u64 = EACH * 0x7f
const HIGH_BITS: u64 = EACH * 0x80
/** Makes ASCII letters small, and leaves digits as they are; `_` becomes a byte that no name has. */
export const SMALL: u64 = EACH * 0x20

export function isDigit(byte: u32): bool {
  return byte - ZERO < 10
}

export function isNameStart(byte: u32): bool {
  return (byte | 32) - 97 < 26 || byte == UNDERSCORE
}

export function isNameByte(byte: u32): bool {
  return isNameStart(byte) || isDigit(byte)
}

/** Whether a text is `\N`. (One test: how long short texts are can't be foreseen.) */
export function isNullText(word: u64, bytes: u32): bool {
  return ((bytes ^ 2) | (((word as u32) & 0xffff) ^ NULL_TEXT)) == 0
}

/** Whether a text is `none` in any case. */
export function isNone(word: u64, bytes: u32): bool {
  return ((bytes ^ 4) | (((word as u32) | (SMALL as u32)) ^ NONE)) == 0
}

/** Of a word its first bytes; the others become zero. */
export function firstBytes(word: u64, bytes: u32): u64 {
  return bytes >= 8 ? word : word & (((1 as u64) << (bytes * 8)) - 1)
}

/** High bits where bytes aren't zero, of bytes without high bits. */
function nonZero(word: u64): u64 {
  return word + LOW_BITS
}

/**
 * High bits where bytes end bare text or are none: `, ( ) { } " #`, controls, and all that isn't ASCII (the classes STOP
 * and UNPLAIN of the parser).
 */
export function stopsIn(word: u64): u64 {
  const low = word & LOW_BITS
  const printable = low + EACH * 0x60
  const noQuoteOrHash = nonZero((low & (EACH * 0xfe)) ^ (EACH * 0x22))
  const noParenthesis = nonZero((low & (EACH * 0xfe)) ^ (EACH * 0x28))
  const noComma = nonZero(low ^ (EACH * 0x2c))
  // From the brace on all but the bar and the tilde.
  const beyond = (low + EACH * 5) & nonZero((low & (EACH * 0xfd)) ^ (EACH * 0x7c))
  return (word | beyond | ~(printable & noQuoteOrHash & noParenthesis & noComma)) & HIGH_BITS
}

/** High bits where bytes are colons; exact up to the first one. */
export function colonsIn(word: u64): u64 {
  const others = word ^ (EACH * COLON)
  return (others - EACH) & ~others & HIGH_BITS
}

/** High bits where bytes are no digits; exact up to the first one. */
export function noDigitsIn(word: u64): u64 {
  const digits = word ^ (EACH * 0x30)
  return ((digits + EACH * 0x76) | digits) & HIGH_BITS
}

/** The number that eight digits write. */
export function eightDigits(word: u64): u32 {
  const digits = word & (EACH * 0x0f)
  const pairs = digits * 10 + (digits >> 8)
  const low = (pairs & 0x000000ff000000ff) * 0x000f424000000064
  const high = ((pairs >> 16) & 0x000000ff000000ff) * 0x0000271000000001
  return ((low + high) >> 32) as u32
}

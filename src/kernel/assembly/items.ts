import { copyBytes, getU64, getU8, setU16, setU32, setU64, setU8 } from './memory'
import { BACKSLASH, firstBytes, isNone, isNullText, QUOTE, SPACE, stopsIn, ZERO } from './characters'

/*
 * The one spelling of a text in a line: bare where bare text reads back the same and shows what it is, else a JSON
 * string. The same rule as in `src/script/text.ts`.
 */

const LOWER_U: u32 = 117
/** `"\u001f"` is the longest that one byte becomes, with its quotes. */
const MOST_PER_BYTE: u32 = 6
const QUOTES: u32 = 2
/** Texts up to here are reckoned with the most that they could become; longer ones are looked at. */
const LOOKED_AT: u32 = 8192

/** Bytes that the spelling of a text takes at the most. */
export function roomForItem(p: usize, bytes: u32): u32 {
  if (bytes <= LOOKED_AT || !isShown(p, bytes)) return bytes * MOST_PER_BYTE + QUOTES
  return bytes + QUOTES
}

/** Writes a text in its one spelling; gives where it ends. Both sides have eight bytes behind them. */
export function putItem(to: usize, p: usize, bytes: u32): usize {
  let i: u32 = 0
  for (; i + 8 <= bytes; i += 8) {
    const word = getU64(p + i)
    if (stopsIn(word) != 0) return putUnusual(to, p, bytes)
    setU64(to + i, word)
  }
  if (i < bytes) {
    const word = firstBytes(getU64(p + i), bytes - i)
    // The bytes behind the text are zero now, which is a control.
    if (firstBytes(stopsIn(word), bytes - i) != 0) return putUnusual(to, p, bytes)
    setU64(to + i, word)
  }
  return isAmbiguous(p, bytes) ? putQuoted(to, p, bytes) : to + bytes
}

/** Whether bare text of these printable characters would be read as something else: blanks at its ends, `\N`, `none`. */
function isAmbiguous(p: usize, bytes: u32): bool {
  if (bytes == 0 || getU8(p) == SPACE || getU8(p + bytes - 1) == SPACE) return true
  return bytes <= 4 && (isNullText(getU64(p), bytes) || isNone(getU64(p), bytes))
}

/** A text with bytes that aren't plain ASCII: quoted where characters need it. */
function putUnusual(to: usize, p: usize, bytes: u32): usize {
  if (isAmbiguous(p, bytes) || !isShown(p, bytes)) return putQuoted(to, p, bytes)
  copyBytes(to, p, bytes)
  return to + bytes
}

/** Whether no character of a text has to be quoted. */
function isShown(p: usize, bytes: u32): bool {
  const end = p + bytes
  while (p < end) {
    const byte = getU8(p)
    if (byte < 0x80) {
      if ((stopsIn(byte as u64) & 0x80) != 0) return false
      p++
    } else {
      if (isEscaped(codeAt(p))) return false
      p += lengthOf(byte)
    }
  }
  return true
}

/** Bytes of the character that begins with this one. */
function lengthOf(first: u32): u32 {
  return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
}

/** The code of the character at `p`, which isn't ASCII; texts are whole UTF-8. */
function codeAt(p: usize): u32 {
  const first = getU8(p)
  const second = getU8(p + 1) & 0x3f
  if (first < 0xe0) return ((first & 0x1f) << 6) | second
  const third = getU8(p + 2) & 0x3f
  if (first < 0xf0) return ((first & 0x0f) << 12) | (second << 6) | third
  return ((first & 0x07) << 18) | (second << 12) | (third << 6) | (getU8(p + 3) & 0x3f)
}

/** Characters that are written as escapes: controls, separators, invisible marks, marks of direction, non-characters. */
function isEscaped(code: u32): bool {
  if (code < 0x7f) return code < 0x20
  if (code <= 0x9f || code == 0xad || code == 0x61c || code == 0x180e || code == 0xfeff) return true
  if (code >= 0x200b && code <= 0x200f) return code != 0x200d
  if (code >= 0x2028 && code <= 0x202e) return true
  if (code >= 0x2060 && code <= 0x206f) return true
  if (code >= 0xfff9 && code <= 0xfffb) return true
  if (code >= 0xfdd0 && code <= 0xfdef) return true
  return (code & 0xfffe) == 0xfffe || (code >= 0xe0000 && code <= 0xe007f)
}

/** A JSON string with everything escaped that isn't plainly seen. */
function putQuoted(to: usize, p: usize, bytes: u32): usize {
  const end = p + bytes
  setU8(to++, QUOTE)
  while (p < end) {
    const byte = getU8(p)
    if (byte < 0x7f) {
      to = putAscii(to, byte)
      p++
      continue
    }
    const length = lengthOf(byte)
    const code = byte < 0x80 ? byte : codeAt(p)
    if (isEscaped(code)) to = putEscape(to, code)
    else {
      for (let i: u32 = 0; i < length; i++) setU8(to + i, getU8(p + i))
      to += length
    }
    p += length
  }
  setU8(to, QUOTE)
  return to + 1
}

/** The letter of a control that JSON has a short escape for; 0 for others. */
function shortEscape(byte: u32): u32 {
  if (byte == 8) return 98
  if (byte == 9) return 116
  if (byte == 10) return 110
  if (byte == 12) return 102
  return byte == 13 ? 114 : 0
}

function putAscii(to: usize, byte: u32): usize {
  if (byte >= 0x20) {
    if (byte == QUOTE || byte == BACKSLASH) setU8(to++, BACKSLASH)
    setU8(to, byte)
    return to + 1
  }
  const letter = shortEscape(byte)
  if (letter == 0) return putUnit(to, byte)
  setU16(to, BACKSLASH | (letter << 8))
  return to + 2
}

/** One or two UTF-16 units as escapes. */
function putEscape(to: usize, code: u32): usize {
  if (code < 0x10000) return putUnit(to, code)
  const beyond = code - 0x10000
  return putUnit(putUnit(to, 0xd800 | (beyond >> 10)), 0xdc00 | (beyond & 0x3ff))
}

/** `\u200b` */
function putUnit(to: usize, unit: u32): usize {
  setU16(to, BACKSLASH | (LOWER_U << 8))
  setU32(to + 2, hex(unit >> 12) | (hex(unit >> 8) << 8) | (hex(unit >> 4) << 16) | (hex(unit) << 24))
  return to + 6
}

/** The lower-case hexadecimal digit of the lowest four bits. */
export function hex(value: u32): u32 {
  const digit = value & 15
  return digit + (digit < 10 ? ZERO : 87)
}

/** What each byte may be in a line: bits of `CLASS`. */
export const DIGIT = 1
export const NAME_START = 2
export const NAME = 4
/** A blank or a tab. */
export const BLANK = 8
/** Ends bare text: `, ( ) { } " #` and line ends. */
export const STOP = 16
/** Not printable ASCII: in a log line such text is quoted, or at least looked at as characters. */
export const UNPLAIN = 32

export const TAB = 9
export const LF = 10
export const CR = 13
export const SPACE = 32
export const QUOTE = 34
export const HASH = 35
export const OPEN = 40
export const CLOSE = 41
export const COMMA = 44
export const DASH = 45
export const DOT = 46
export const ZERO = 48
export const COLON = 58
export const EQUALS = 61
export const AT = 64
export const CAPITAL_N = 78
export const CAPITAL_Z = 90
export const BACKSLASH = 92
export const OPEN_BRACE = 123
export const CLOSE_BRACE = 125

function classOf(byte: number): number {
  const letter = (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122) || byte === 95
  const digit = byte >= 48 && byte <= 57
  let bits = 0
  if (digit) bits |= DIGIT | NAME
  if (letter) bits |= NAME_START | NAME
  if (byte === SPACE || byte === TAB) bits |= BLANK
  if ([COMMA, OPEN, CLOSE, OPEN_BRACE, CLOSE_BRACE, QUOTE, HASH, CR, LF].includes(byte)) bits |= STOP
  if (byte < SPACE || byte > 126) bits |= UNPLAIN
  return bits
}

export const CLASS: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => classOf(byte))

/** ASCII letters in lower case, other bytes as they are. */
export const FOLD: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 65 && byte <= 90 ? byte + 32 : byte,
)

/** Whether the bytes are exactly `\N`, the spelling of null. */
export function isNull(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start === 2 && bytes[start] === BACKSLASH && bytes[start + 1] === CAPITAL_N
}

/** Whether the bytes are `none` in any case, which an expectation reads as "no such row". */
export function isNone(bytes: Uint8Array, start: number, end: number): boolean {
  return (
    end - start === 4 &&
    FOLD[bytes[start]!] === 110 &&
    FOLD[bytes[start + 1]!] === 111 &&
    FOLD[bytes[start + 2]!] === 110 &&
    FOLD[bytes[start + 3]!] === 101
  )
}

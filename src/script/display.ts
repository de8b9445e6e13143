/*
 * Text of unknown origin on a terminal: one character for one, so that columns stay, and nothing that moves the
 * cursor, changes colours or the direction of writing.
 */

/** Characters that are shown as something else: controls, line and paragraph separators, marks of direction. */
function hidden(code: number): boolean {
  if (code < 0x20) return code !== 9
  if (code < 0x7f) return false
  if (code <= 0x9f || code === 0x61c || code === 0xfeff) return true
  return (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069)
}

/** The text with each such character replaced: controls by their pictures, others by U+FFFD. Tabs stay. */
export function displayText(text: string): string {
  let out = ''
  for (const character of text) {
    const code = character.codePointAt(0)!
    if (!hidden(code)) out += character
    else if (code < 0x20) out += String.fromCharCode(0x2400 + code)
    else out += code === 0x7f ? '\u2421' : '\ufffd'
  }
  return out
}

/** Ranges of characters that fill two columns of a terminal: East Asian scripts and pictographs. */
const WIDE = [
  [0x1100, 0x115f],
  [0x231a, 0x231b],
  [0x23e9, 0x23ec],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x17000, 0x18cff],
  [0x1b000, 0x1b2ff],
  [0x1f300, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f900, 0x1faff],
  [0x20000, 0x3fffd],
] as const

const NO_WIDTH = /^(?:\p{Mn}|\p{Me}|[\u200b-\u200d\u2060\ufe00-\ufe0f])$/u

/** Columns that a character fills on a terminal: 0, 1 or 2. */
function width(character: string): number {
  const code = character.codePointAt(0)!
  if (code < 0x300) return 1
  if (NO_WIDTH.test(character)) return 0
  return WIDE.some(([first, last]) => code >= first && code <= last) ? 2 : 1
}

/** Blanks that are as wide on a terminal as the first `characters` of a text, its tabs kept. */
export function blanksLike(text: string, characters: number): string {
  let out = ''
  let seen = 0
  for (const character of text) {
    if (seen++ === characters) return out
    out += character === '\t' ? '\t' : ' '.repeat(width(character))
  }
  return out + ' '.repeat(Math.max(0, characters - seen))
}

import { isNone, isNull, CLASS, SPACE, STOP, UNPLAIN } from './characters.ts'
import type { ByteBuffer } from './byte-buffer.ts'

/*
 * The one spelling of a text in a line: bare where bare text reads back the same and shows what it is, else a JSON
 * string. The rule is fixed here and depends on no version of Unicode, so that a key's bytes in old logs and new ones
 * are the same.
 */

/** Characters that are written as escapes: controls, separators, invisible marks, marks of direction, non-characters. */
function escaped(code: number): boolean {
  if (code < 0x7f) return code < 0x20
  if (code <= 0x9f || code === 0xad || code === 0x61c || code === 0x180e || code === 0xfeff) return true
  if (code >= 0x200b && code <= 0x200f) return code !== 0x200d // joins emoji and letters of many scripts
  if (code >= 0x2028 && code <= 0x202e) return true
  if (code >= 0x2060 && code <= 0x206f) return true
  if (code >= 0xfff9 && code <= 0xfffb) return true
  if (code >= 0xfdd0 && code <= 0xfdef) return true
  return (code & 0xfffe) === 0xfffe || (code >= 0xe0000 && code <= 0xe007f)
}

/** Characters of bare text that aren't ASCII: all but those written as escapes. */
function needsQuotes(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 128) {
      if ((CLASS[unit]! & (STOP | UNPLAIN)) !== 0) return true
    } else {
      const code = text.codePointAt(i)!
      if (escaped(code)) return true
      if (code > 0xffff) i++
    }
  }
  return false
}

/** A text of a key or a value in its one spelling. */
export function itemText(text: string): string {
  const bare = text !== '' && !text.startsWith(' ') && !text.endsWith(' ') && text !== '\\N' && !needsQuotes(text)
  return bare && text.toLowerCase() !== 'none' ? text : quoted(text)
}

/** A JSON string with everything escaped that isn't plainly seen. */
function quoted(text: string): string {
  let out = ''
  let from = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.codePointAt(i)!
    const units = code > 0xffff ? 2 : 1
    if (code >= 0x7f && escaped(code)) {
      out += JSON.stringify(text.slice(from, i)).slice(1, -1)
      for (let u = i; u < i + units; u++) out += `\\u${text.charCodeAt(u).toString(16).padStart(4, '0')}`
      from = i + units
    }
    i += units - 1
  }
  return `"${out}${JSON.stringify(text.slice(from)).slice(1)}`
}

/** A value: its text in its one spelling, `\N` for null. */
export function valueText(text: string | null): string {
  return text === null ? '\\N' : itemText(text)
}

/** Appends the spelling of UTF-8 text, without making a string of it where it is bare ASCII. */
export function appendItem(out: ByteBuffer, bytes: Uint8Array, start: number, end: number): void {
  const at = out.length
  out.reserve(end - start)
  const target = out.bytes
  let to = at
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!
    if ((CLASS[byte]! & (STOP | UNPLAIN)) !== 0) break
    target[to++] = byte
  }
  const bare = to - at === end - start && end > start && bytes[start] !== SPACE && bytes[end - 1] !== SPACE
  if (bare && !isNull(bytes, start, end) && !isNone(bytes, start, end)) {
    out.length = to
    return
  }
  out.appendText(itemText(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8', start, end)))
}

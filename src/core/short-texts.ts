const SLOTS = 1024
const LONGEST = 24

/**
 * Texts of values that come again and again (grades, states, flags), so that each of them is one string: decoding it
 * anew would cost more than all else that is done with it.
 */
export class ShortTexts {
  readonly #texts: string[] = new Array<string>(SLOTS).fill('')

  /** The UTF-8 text of `bytes[start .. end)`. */
  text(bytes: Buffer, start: number, end: number): string {
    if (end - start > LONGEST) return bytes.toString('utf8', start, end)
    let sum = end - start
    for (let i = start; i < end; i++) sum = Math.imul(sum ^ bytes[i]!, 0x01000193)
    const slot = (sum ^ (sum >>> 16)) & (SLOTS - 1)
    const known = this.#texts[slot]!
    if (sameBytes(known, bytes, start, end)) return known
    const text = bytes.toString('utf8', start, end)
    // As many units as bytes: ASCII, or bytes that aren't UTF-8, which never compare equal.
    if (text.length === end - start) this.#texts[slot] = text
    return text
  }
}

function sameBytes(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (text.length !== end - start) return false
  for (let i = start; i < end; i++) if (text.charCodeAt(i - start) !== bytes[i]) return false
  return true
}

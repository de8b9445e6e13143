/** Compares strings by their UTF-8 bytes, which `<` on strings (UTF-16 units) does not. */
export function utf8Compare(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x === y) continue
    // Surrogates stand for code points above all other units: lift them over U+E000 to U+FFFF.
    const lift = (unit: number) => (unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit)
    return lift(x) - lift(y)
  }
  return a.length - b.length
}

const shared = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Decodes UTF-8; undefined where the bytes are no UTF-8. */
export function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return shared.decode(bytes)
  } catch {
    return undefined
  }
}

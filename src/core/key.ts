import type { ColumnType } from './types.ts'

/*
 * Canonical key bytes: a tuple encoding whose order by bytes is the order of the columns, strings by UTF-8 bytes and
 * other types by value. Texts and bytes end with 00 01, a zero byte in them becomes 00 FF (the idea of FoundationDB's
 * tuple layer); all else has a fixed width: int64 eight bytes big-endian with the sign flipped, decimals sixteen of
 * their scaled integer likewise, booleans one, dates and timestamps their padded text.
 */

const SIGN64 = 2n ** 63n
const SIGN128 = 2n ** 127n
const TIMESTAMP_WIDTH = 29 // YYYY-MM-DD HH:MM:SS.nnnnnnnnn

function escaped(bytes: Buffer): Buffer {
  let zeros = 0
  for (const byte of bytes) if (byte === 0) zeros++
  const out = Buffer.allocUnsafe(bytes.length + zeros + 2)
  let at = 0
  for (const byte of bytes) {
    out[at++] = byte
    if (byte === 0) out[at++] = 0xff
  }
  out[at++] = 0
  out[at] = 1
  return out
}

/** Where an escaped run that starts at `start` ends: the index of its terminator. */
function terminator(bytes: Uint8Array, start: number): number {
  for (let i = start; i + 1 < bytes.length; i++) {
    if (bytes[i] !== 0) continue
    if (bytes[i + 1] === 1) return i
    i++
  }
  throw new RangeError('key bytes without their terminator')
}

function unescaped(bytes: Uint8Array, start: number, end: number): Buffer {
  const out = Buffer.allocUnsafe(end - start)
  let length = 0
  for (let i = start; i < end; i++) {
    out[length++] = bytes[i]!
    if (bytes[i] === 0) i++
  }
  return out.subarray(0, length)
}

function scaled(text: string, scale: number): bigint {
  const [whole, fraction = ''] = text.split('.') as [string, string?]
  return BigInt(whole.replace('-', '') + fraction.padEnd(scale, '0')) * (text.startsWith('-') ? -1n : 1n)
}

function decimalText(value: bigint, scale: number): string {
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0')
  const whole = digits.slice(0, digits.length - scale)
  const fraction = digits.slice(digits.length - scale).replace(/0+$/, '')
  return (value < 0n ? '-' : '') + whole + (fraction === '' ? '' : `.${fraction}`)
}

function encodeItem(type: ColumnType, text: string): Buffer {
  switch (type.name) {
    case 'int64': {
      const out = Buffer.allocUnsafe(8)
      out.writeBigUInt64BE(BigInt(text) + SIGN64)
      return out
    }
    case 'decimal': {
      const value = scaled(text, type.scale ?? 18) + SIGN128
      const out = Buffer.allocUnsafe(16)
      out.writeBigUInt64BE(value >> 64n, 0)
      out.writeBigUInt64BE(value & (2n ** 64n - 1n), 8)
      return out
    }
    case 'boolean':
      return Buffer.from([text === 'true' ? 1 : 0])
    case 'date':
      return Buffer.from(text, 'latin1')
    case 'timestamp': {
      const body = text.slice(0, -1)
      return Buffer.from((body.length === 19 ? `${body}.` : body).padEnd(TIMESTAMP_WIDTH, '0'), 'latin1')
    }
    case 'bytes':
      return escaped(Buffer.from(text.slice(2), 'hex'))
    default:
      return escaped(Buffer.from(text, 'utf8'))
  }
}

/** Encodes the canonical texts of a key's columns. */
export function encodeKey(types: readonly ColumnType[], texts: readonly string[]): Buffer {
  const parts = types.map((type, i) => encodeItem(type, texts[i]!))
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
}

/** Decodes key bytes into the canonical texts of the columns. Throws RangeError where they are no key. */
export function decodeKey(types: readonly ColumnType[], bytes: Uint8Array): string[] {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = 0
  const texts = types.map((type) => {
    const start = at
    switch (type.name) {
      case 'int64':
        at += 8
        return String(view.readBigUInt64BE(start) - SIGN64)
      case 'decimal':
        at += 16
        return decimalText(
          (view.readBigUInt64BE(start) << 64n) + view.readBigUInt64BE(start + 8) - SIGN128,
          type.scale ?? 18,
        )
      case 'boolean':
        at += 1
        return view[start] === 1 ? 'true' : 'false'
      case 'date':
        at += 10
        return view.toString('latin1', start, at)
      case 'timestamp': {
        at += TIMESTAMP_WIDTH
        const fraction = view.toString('latin1', start + 20, at).replace(/0+$/, '')
        return `${view.toString('latin1', start, start + 19)}${fraction === '' ? '' : `.${fraction}`}Z`
      }
      default: {
        const end = terminator(view, start)
        at = end + 2
        const raw = unescaped(view, start, end)
        return type.name === 'bytes' ? `\\x${raw.toString('hex')}` : raw.toString('utf8')
      }
    }
  })
  if (at !== view.length) throw new RangeError('key bytes of another length than their types have')
  return texts
}

import type { Row } from '../row.ts'
import type { Stamp } from '../stamp.ts'
import type { Digest } from '../state.ts'

/*
 * The run's digest of a table: the sum, lane by lane modulo 2^32, of a 64-bit hash of each register and tombstone, so
 * that neither the order of rows nor who holds them matters. A register's hash runs over key, column name, value and
 * stamp in two lanes of 32 bits, mixed as MurmurHash3 does (Austin Appleby, public domain): good against accident, not
 * against an adversary.
 */

interface Lanes {
  a: number
  b: number
}

function word(lanes: Lanes, k: number): void {
  const x = Math.imul((Math.imul(k, 0xcc9e2d51) << 15) | (Math.imul(k, 0xcc9e2d51) >>> 17), 0x1b873593)
  const y = Math.imul((Math.imul(k, 0x239b961b) << 17) | (Math.imul(k, 0x239b961b) >>> 15), 0xab0e9789)
  const a = lanes.a ^ x
  lanes.a = (Math.imul((a << 13) | (a >>> 19), 5) + 0xe6546b64) | 0
  const b = lanes.b ^ y ^ lanes.a
  lanes.b = (Math.imul((b << 16) | (b >>> 16), 5) + 0x38b34ae5) | 0
}

function avalanche(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/** Four bytes a word, little-endian, then the length. `text` holds one byte per unit. */
function binary(lanes: Lanes, text: string): void {
  let i = 0
  for (; i + 4 <= text.length; i += 4) {
    word(
      lanes,
      text.charCodeAt(i) |
        (text.charCodeAt(i + 1) << 8) |
        (text.charCodeAt(i + 2) << 16) |
        (text.charCodeAt(i + 3) << 24),
    )
  }
  let rest = 0
  for (let shift = 0; i < text.length; i++, shift += 8) rest |= text.charCodeAt(i) << shift
  word(lanes, rest)
  word(lanes, text.length)
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false
  return true
}

function utf8(lanes: Lanes, text: string | null): void {
  if (text === null) word(lanes, -1)
  else binary(lanes, isAscii(text) ? text : Buffer.from(text, 'utf8').toString('latin1'))
}

function stamp(lanes: Lanes, { time, origin }: Stamp): void {
  word(lanes, Number(BigInt.asIntN(32, time)))
  word(lanes, Number(time >> 32n))
  binary(lanes, origin)
}

/** What one row adds to a digest. */
export interface RowHash {
  readonly row: Row
  readonly a: number
  readonly b: number
  readonly exists: boolean
}

/** The hash of a row in normal form. `key` holds the canonical key bytes, one per unit. */
export function rowHash(key: string, columns: readonly string[], row: Row): RowHash {
  const prefix: Lanes = { a: 0, b: 0 }
  binary(prefix, key)
  const sum: Lanes = { a: 0, b: 0 }
  let exists = false
  for (let c = 0; c < columns.length; c++) {
    const register = row.registers[c]
    if (register === undefined) continue
    exists = true
    const lanes = { ...prefix }
    binary(lanes, columns[c]!)
    utf8(lanes, register.value)
    stamp(lanes, register.stamp)
    finish(sum, lanes)
  }
  if (row.tombstone !== undefined) {
    const lanes = { ...prefix }
    word(lanes, -2)
    stamp(lanes, row.tombstone)
    finish(sum, lanes)
  }
  return { row, a: sum.a, b: sum.b, exists }
}

function finish(sum: Lanes, lanes: Lanes): void {
  sum.a = (sum.a + avalanche(lanes.a ^ lanes.b)) | 0
  sum.b = (sum.b + avalanche(Math.imul(lanes.b, 31) + lanes.a)) | 0
}

export class DigestSum {
  #a = 0
  #b = 0
  #rows = 0

  add({ a, b, exists }: RowHash): void {
    this.#a = (this.#a + a) | 0
    this.#b = (this.#b + b) | 0
    if (exists) this.#rows++
  }

  result(): Digest {
    const hex = (lane: number) => (lane >>> 0).toString(16).padStart(8, '0')
    return { hash: hex(this.#a) + hex(this.#b), rows: this.#rows }
  }
}

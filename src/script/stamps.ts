import { parseTime, timeText, TIME_TEXT_LENGTH } from '../core/stamp.ts'
import { AT, CAPITAL_Z, CLASS, DIGIT, FOLD, NAME, NAME_START, ZERO } from './characters.ts'
import type { ByteBuffer } from './byte-buffer.ts'
import type { Catalog } from './catalog.ts'

/** Length of `2026-11-22 15:11:21.` */
const SECOND_LENGTH = 20
const NANOS = 1_000_000_000

/** Reads stamps from bytes. Neighbouring lines are mostly of one second, so the last second read is kept. */
export class StampReader {
  readonly #second = new Uint8Array(SECOND_LENGTH)
  #base = -1n

  /** The time whose text is exactly at `start`; undefined where there is none. */
  time(bytes: Buffer, start: number, end: number): bigint | undefined {
    if (start + TIME_TEXT_LENGTH > end) return undefined
    if (this.#base < 0n || !this.#isSecond(bytes, start)) return this.#newSecond(bytes, start)
    let nanos = 0
    for (let i = start + SECOND_LENGTH; i < start + TIME_TEXT_LENGTH - 1; i++) {
      if ((CLASS[bytes[i]!]! & DIGIT) === 0) return undefined
      nanos = nanos * 10 + bytes[i]! - ZERO
    }
    if (bytes[start + TIME_TEXT_LENGTH - 1] !== CAPITAL_Z) return undefined
    return this.#base + BigInt(nanos)
  }

  #isSecond(bytes: Buffer, start: number): boolean {
    for (let i = 0; i < SECOND_LENGTH; i++) if (bytes[start + i] !== this.#second[i]) return false
    return true
  }

  #newSecond(bytes: Buffer, start: number): bigint | undefined {
    const text = bytes.toString('latin1', start, start + TIME_TEXT_LENGTH)
    const time = parseTime(text)
    if (time === undefined) return undefined
    // The last second of all is cut short: it is never kept, so that each time in it is checked.
    if (parseTime(`${text.slice(0, SECOND_LENGTH)}999999999Z`) !== undefined) {
      this.#second.set(bytes.subarray(start, start + SECOND_LENGTH))
      this.#base = time - (time % BigInt(NANOS))
    }
    return time
  }
}

/** Where the `@ORIGIN` at `start` ends: `start` where there is none, -1 where there is no name behind the `@`. */
export function originEnd(bytes: Buffer, start: number, end: number): number {
  if (start >= end || bytes[start] !== AT) return start
  let at = start + 1
  if (at === end || (CLASS[bytes[at]!]! & NAME_START) === 0) return -1
  while (at < end && (CLASS[bytes[at]!]! & NAME) !== 0) at++
  return at
}

/** An origin's name in capitals, mostly a replica's own string. Aliases are no origins. */
export function originName(catalog: Catalog, bytes: Buffer, start: number, end: number): string {
  const replica = catalog.replicaAt(bytes, start, end)
  const name = replica === -1 ? '' : catalog.replicas[replica]!
  if (name.length === end - start) {
    let i = 0
    while (i < name.length && FOLD[name.charCodeAt(i)] === FOLD[bytes[start + i]!]) i++
    if (i === name.length) return name
  }
  return bytes.toString('latin1', start, end).toUpperCase()
}

/** Two digits each, `00` to `99`. */
const PAIRS = Buffer.from(Array.from({ length: 100 }, (_, i) => String(i).padStart(2, '0')).join(''), 'latin1')

/** Writes times as bytes, the last second kept. */
export class TimeWriter {
  readonly #second = Buffer.alloc(SECOND_LENGTH)
  #base = -1n

  /** Appends the 30 bytes of `2026-11-22 15:11:21.956711651Z`. */
  append(out: ByteBuffer, time: bigint): void {
    let nanos = this.#base < 0n ? -1 : Number(time - this.#base)
    if (nanos < 0 || nanos >= NANOS) nanos = this.#newSecond(time)
    out.reserve(TIME_TEXT_LENGTH)
    const { bytes } = out
    const at = out.length
    for (let i = 0; i < SECOND_LENGTH; i++) bytes[at + i] = this.#second[i]!
    const high = (nanos / 10_000) | 0
    const low = nanos - high * 10_000
    const first = (high / 10_000) | 0
    const middle = high - first * 10_000
    bytes[at + 20] = ZERO + first
    pair(bytes, at + 21, (middle / 100) | 0)
    pair(bytes, at + 23, middle % 100)
    pair(bytes, at + 25, (low / 100) | 0)
    pair(bytes, at + 27, low % 100)
    bytes[at + 29] = CAPITAL_Z
    out.length = at + TIME_TEXT_LENGTH
  }

  #newSecond(time: bigint): number {
    this.#second.write(timeText(time), 0, SECOND_LENGTH, 'latin1')
    const nanos = time % BigInt(NANOS)
    this.#base = time - nanos
    return Number(nanos)
  }
}

function pair(bytes: Buffer, at: number, value: number): void {
  bytes[at] = PAIRS[value * 2]!
  bytes[at + 1] = PAIRS[value * 2 + 1]!
}

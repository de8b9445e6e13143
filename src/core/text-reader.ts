import type { TextColumn } from './batch.ts'

/** A column of texts to be read row by row without making strings of them. */
export class TextReader {
  readonly bytes: Buffer
  readonly #ends: Uint32Array
  readonly #nulls: Uint8Array | undefined

  constructor(column: TextColumn) {
    this.bytes = Buffer.from(column.bytes.buffer, column.bytes.byteOffset, column.bytes.length)
    this.#ends = column.ends
    this.#nulls = column.nulls
  }

  isNull(row: number): boolean {
    return this.#nulls !== undefined && this.#nulls[row] === 1
  }

  start(row: number): number {
    return row === 0 ? 0 : this.#ends[row - 1]!
  }

  end(row: number): number {
    return this.#ends[row]!
  }

  text(row: number): string {
    return this.bytes.toString('utf8', this.start(row), this.end(row))
  }
}

/** Compares two runs of bytes. */
export function compareBytes(a: Buffer, aStart: number, aEnd: number, b: Buffer, bStart: number, bEnd: number): number {
  const length = Math.min(aEnd - aStart, bEnd - bStart)
  for (let i = 0; i < length; i++) {
    const difference = a[aStart + i]! - b[bStart + i]!
    if (difference !== 0) return difference
  }
  return aEnd - aStart - (bEnd - bStart)
}

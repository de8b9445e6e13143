import { canonicalText, isCanonical } from './canonical.ts'
import type { RowBatch, TextColumn } from '../../core/batch.ts'
import type { TableSchema } from '../../core/table.ts'
import type { ColumnType } from '../../core/types.ts'

/** Below this a loop beats a call of `copy`. */
const SHORT = 64

/** A column that takes UTF-8 bytes as they come from the database. */
class BytesColumn {
  #bytes = Buffer.allocUnsafeSlow(4096)
  #ends = new Uint32Array(256)
  #nulls: Uint8Array | undefined
  #rows = 0
  #used = 0

  push(source: Buffer, start: number, length: number): void {
    if (this.#rows === this.#ends.length) this.#growRows()
    if (length < 0) {
      this.#nulls ??= new Uint8Array(this.#ends.length)
      this.#nulls[this.#rows] = 1
    } else {
      if (this.#used + length > this.#bytes.length) this.#growBytes(length)
      const bytes = this.#bytes
      const used = this.#used
      if (length > SHORT) source.copy(bytes, used, start, start + length)
      else for (let i = 0; i < length; i++) bytes[used + i] = source[start + i]!
      this.#used += length
    }
    this.#ends[this.#rows++] = this.#used
  }

  build(): TextColumn {
    const bytes = new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset, this.#used).slice()
    const column = { bytes, ends: this.#ends.slice(0, this.#rows) }
    return this.#nulls === undefined ? column : { ...column, nulls: this.#nulls.slice(0, this.#rows) }
  }

  #growRows(): void {
    const ends = new Uint32Array(this.#ends.length * 2)
    ends.set(this.#ends)
    this.#ends = ends
    if (this.#nulls === undefined) return
    const nulls = new Uint8Array(ends.length)
    nulls.set(this.#nulls)
    this.#nulls = nulls
  }

  #growBytes(more: number): void {
    const bytes = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#used + more))
    this.#bytes.copy(bytes, 0, 0, this.#used)
    this.#bytes = bytes
  }
}

const EMPTY = Buffer.alloc(0)

/** Gathers rows as the database gives them (keys, each value with its stamp, tombstone) into a batch. */
export class RowColumns {
  readonly #keys: number
  readonly #columns: readonly BytesColumn[]
  /** The type of each column whose text needs to be made canonical. */
  readonly #types: readonly (ColumnType | undefined)[]
  rows = 0
  /** Bytes taken in so far. */
  bytes = 0

  constructor(schema: TableSchema) {
    const typeOf = (type: ColumnType): ColumnType | undefined => (isCanonical(type) ? undefined : type)
    this.#keys = schema.key.length
    this.#types = [
      ...schema.key.map(({ type }) => typeOf(type)),
      ...schema.values.flatMap(({ type }) => [typeOf(type), undefined]),
      undefined,
    ]
    this.#columns = this.#types.map(() => new BytesColumn())
  }

  /** A row of a binary COPY, behind its field count. */
  pushBinary(data: Buffer, at: number): void {
    for (let c = 0; c < this.#columns.length; c++) {
      const length = data.readInt32BE(at)
      at += 4
      const type = this.#types[c]
      if (length < 0 || type === undefined) {
        this.#columns[c]!.push(data, at, length)
      } else {
        this.#pushText(c, canonicalText(type, data.toString('utf8', at, at + length)))
      }
      if (length > 0) at += length
      this.bytes += 4 + Math.max(0, length)
    }
    this.rows++
  }

  /** A row of a query whose columns are read as texts. */
  pushTexts(texts: readonly (string | null)[]): void {
    for (let c = 0; c < this.#columns.length; c++) {
      const text = texts[c] ?? null
      const type = this.#types[c]
      if (text === null) this.#columns[c]!.push(EMPTY, 0, -1)
      else this.#pushText(c, type === undefined ? text : canonicalText(type, text))
    }
    this.rows++
  }

  #pushText(column: number, text: string): void {
    const bytes = Buffer.from(text)
    this.#columns[column]!.push(bytes, 0, bytes.length)
  }

  build(): RowBatch {
    const all = this.#columns.map((column) => column.build())
    const cells = all.slice(this.#keys, -1)
    return {
      rows: this.rows,
      keys: all.slice(0, this.#keys),
      values: cells.filter((_, c) => c % 2 === 0),
      stamps: cells.filter((_, c) => c % 2 === 1),
      deleted: all.at(-1)!,
    }
  }
}

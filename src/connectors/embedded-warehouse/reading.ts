import type { DuckDBDataChunk, DuckDBDoubleVector, DuckDBIntegerVector, DuckDBVector } from '@duckdb/node-api'
import type { RowBatch, TextColumn } from '../../core/batch.ts'
import type { TableSchema } from '../../core/table.ts'
import { floatText } from '../../core/types.ts'

const SHORT = 24

/** What the vector of the texts has beside. */
interface Blobs {
  getItemBytes(row: number): Uint8Array | null
}

/** Gathers texts that are bytes already. */
class BytesColumn {
  #bytes = Buffer.allocUnsafeSlow(1024)
  #ends = new Uint32Array(256)
  #nulls: Uint8Array | undefined
  #rows = 0
  #used = 0

  push(source: Uint8Array, start: number, length: number): void {
    if (this.#used + length > this.#bytes.length) {
      const bytes = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#used + length))
      this.#bytes.copy(bytes, 0, 0, this.#used)
      this.#bytes = bytes
    }
    const bytes = this.#bytes
    if (length <= SHORT) for (let i = 0; i < length; i++) bytes[this.#used + i] = source[start + i]!
    else bytes.set(source.subarray(start, start + length), this.#used)
    this.#used += length
    this.#next()
  }

  pushNull(): void {
    if (this.#nulls === undefined || this.#rows >= this.#nulls.length) {
      const nulls = new Uint8Array(this.#ends.length * 2)
      if (this.#nulls !== undefined) nulls.set(this.#nulls)
      this.#nulls = nulls
    }
    this.#nulls[this.#rows] = 1
    this.#next()
  }

  build(): TextColumn {
    const bytes = new Uint8Array(this.#used)
    bytes.set(this.#bytes.subarray(0, this.#used))
    const column = { bytes, ends: this.#ends.slice(0, this.#rows) }
    if (this.#nulls === undefined) return column
    const nulls = new Uint8Array(this.#rows)
    nulls.set(this.#nulls.subarray(0, this.#rows))
    return { ...column, nulls }
  }

  #next(): void {
    if (this.#rows === this.#ends.length) {
      const ends = new Uint32Array(this.#ends.length * 2)
      ends.set(this.#ends)
      this.#ends = ends
    }
    this.#ends[this.#rows++] = this.#used
  }
}

/** Gathers the rows of `readStatement` into batches of the neutral form. */
export class RowGatherer {
  readonly #keys: number
  readonly #values: number
  readonly #floats: readonly boolean[]
  #columns: BytesColumn[]
  rows = 0
  /** Of all texts so far. */
  bytes = 0

  constructor(table: TableSchema) {
    this.#keys = table.key.length
    this.#values = table.values.length
    this.#floats = [
      ...table.key.map(() => false),
      ...table.values.map(({ type }) => type.name === 'float64'),
      ...table.values.map(() => false),
      false,
    ]
    this.#columns = this.#floats.map(() => new BytesColumn())
  }

  /** Adds row `i` and those after it until `bytes` reaches `limit`; gives the first row that isn't in. */
  add(chunk: DuckDBDataChunk, i: number, limit = Infinity): number {
    const count = this.#floats.length
    // The statement's column types decide the classes of the vectors.
    const vectors = this.#floats.map((_, c) => chunk.getColumnVector(c) as DuckDBIntegerVector | DuckDBDoubleVector)
    const texts = chunk.getColumnVector(count) as DuckDBVector & Blobs
    for (; i < chunk.rowCount && this.bytes < limit; i++) {
      const text = texts.getItemBytes(i)!
      let at = 0
      for (let c = 0; c < count; c++) {
        const column = this.#columns[c]!
        const item = vectors[c]!.getItem(i)
        if (this.#floats[c]!) {
          if (item === null) column.pushNull()
          else {
            const bytes = Buffer.from(floatText(item), 'latin1')
            column.push(bytes, 0, bytes.length)
          }
        } else if (item! < 0) column.pushNull()
        else {
          column.push(text, at, item!)
          at += item!
        }
      }
      this.bytes += text.length
      this.rows++
    }
    return i
  }

  /** The rows so far; then starts anew. */
  take(): RowBatch {
    const built = this.#columns.map((column) => column.build())
    const batch = {
      rows: this.rows,
      keys: built.slice(0, this.#keys),
      values: built.slice(this.#keys, this.#keys + this.#values),
      stamps: built.slice(this.#keys + this.#values, -1),
      deleted: built.at(-1)!,
    }
    this.#columns = this.#floats.map(() => new BytesColumn())
    this.rows = 0
    this.bytes = 0
    return batch
  }
}

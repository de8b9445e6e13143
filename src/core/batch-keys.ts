import type { KeyBatch } from './batch.ts'
import { encodeKey } from './key.ts'
import type { Column, TableSchema } from './table.ts'
import { compareBytes, TextReader } from './text-reader.ts'

/** Key bytes as a text: a character for each byte. */
export function keyName(key: Buffer, length = key.length): string {
  return key.toString('latin1', 0, length)
}

/**
 * The canonical key bytes (`core/key.ts`) of a batch's rows: keys of an embedded database, whose order is that of scans.
 * Strings go from bytes to bytes.
 */
export class BatchKeys {
  readonly #columns: readonly { readonly column: Column; readonly texts: TextReader }[]
  readonly #bytes: Buffer
  readonly #ends: Uint32Array

  constructor(schema: TableSchema, batch: KeyBatch) {
    this.#columns = schema.key.map((column, c) => ({ column, texts: new TextReader(batch.keys[c]!) }))
    let most = 0
    for (const { texts } of this.#columns) most += 2 * texts.bytes.length + 32 * batch.rows
    this.#bytes = Buffer.allocUnsafe(most)
    this.#ends = new Uint32Array(batch.rows)
    let at = 0
    for (let row = 0; row < batch.rows; row++) {
      for (const { column, texts } of this.#columns) at = this.#item(column, texts, row, at)
      this.#ends[row] = at
    }
  }

  /** The key of a row. */
  at(row: number): Buffer {
    return this.#bytes.subarray(this.#start(row), this.#ends[row])
  }

  /** The key of a row as a text of its bytes, for look-ups; `keyName` gives the same. */
  name(row: number): string {
    return this.#bytes.toString('latin1', this.#start(row), this.#ends[row])
  }

  length(row: number): number {
    return this.#ends[row]! - this.#start(row)
  }

  /** The rows in key order: a database page is visited once then. */
  order(): Uint32Array {
    const bytes = this.#bytes
    const starts = this.#ends.map((_, row) => this.#start(row))
    const order = Uint32Array.from(starts.keys())
    return order.sort((a, b) => compareBytes(bytes, starts[a]!, this.#ends[a]!, bytes, starts[b]!, this.#ends[b]!))
  }

  #start(row: number): number {
    return row === 0 ? 0 : this.#ends[row - 1]!
  }

  #item(column: Column, texts: TextReader, row: number, at: number): number {
    const out = this.#bytes
    if (column.type.name !== 'string') return at + encodeKey([column.type], [texts.text(row)]).copy(out, at)
    const source = texts.bytes
    const end = texts.end(row)
    for (let i = texts.start(row); i < end; i++) {
      const byte = source[i]!
      out[at++] = byte
      if (byte === 0) out[at++] = 0xff
    }
    out[at++] = 0
    out[at++] = 1
    return at
  }
}

import { canonicalText, isCanonical } from './canonical.ts'
import { TextColumnBuilder, type RowBatch, type TextColumn } from '../../core/batch.ts'
import type { TableSchema } from '../../core/table.ts'
import type { ColumnType } from '../../core/types.ts'

/** Gathers rows as the database gives them (keys, each value with its stamp, tombstone) into a batch. */
export class RowColumns {
  readonly #keys: number
  readonly #columns: readonly TextColumnBuilder[]
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
    this.#columns = this.#types.map(() => new TextColumnBuilder(256))
  }

  /** A row of a binary COPY, behind its field count; gives where it ends. */
  pushBinary(data: Buffer, start: number): number {
    const columns = this.#columns
    const types = this.#types
    let at = start
    for (let c = 0; c < columns.length; c++) {
      const length = (data[at]! << 24) | (data[at + 1]! << 16) | (data[at + 2]! << 8) | data[at + 3]!
      at += 4
      const column = columns[c]!
      if (length < 0) {
        column.push(null)
        continue
      }
      const type = types[c]
      if (type === undefined) column.pushBytes(data, at, at + length)
      else column.push(canonicalText(type, data.toString('utf8', at, at + length)))
      at += length
    }
    this.bytes += at - start
    this.rows++
    return at
  }

  /** A row of a query whose columns are read as texts. */
  pushTexts(texts: readonly (string | null)[]): void {
    for (let c = 0; c < this.#columns.length; c++) {
      const text = texts[c] ?? null
      const type = this.#types[c]
      this.#columns[c]!.push(text === null || type === undefined ? text : canonicalText(type, text))
    }
    this.rows++
  }

  build(): RowBatch {
    return this.#batch(this.#columns.map((column) => column.build()))
  }

  /** What `build` gives; then it is empty. */
  take(): RowBatch {
    const batch = this.#batch(this.#columns.map((column) => column.take()))
    this.rows = this.bytes = 0
    return batch
  }

  #batch(all: readonly TextColumn[]): RowBatch {
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

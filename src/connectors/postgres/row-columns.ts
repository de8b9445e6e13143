import { canonicalText, isCanonical } from './canonical.ts'
import { TextColumnBuilder, type RowBatch } from '../../core/batch.ts'
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

  /** A row of a binary COPY, behind its field count. */
  pushBinary(data: Buffer, at: number): void {
    for (let c = 0; c < this.#columns.length; c++) {
      const length = data.readInt32BE(at)
      at += 4
      const type = this.#types[c]
      const column = this.#columns[c]!
      if (length < 0) column.push(null)
      else if (type === undefined) column.pushBytes(data, at, at + length)
      else column.push(canonicalText(type, data.toString('utf8', at, at + length)))
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
      this.#columns[c]!.push(text === null || type === undefined ? text : canonicalText(type, text))
    }
    this.rows++
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

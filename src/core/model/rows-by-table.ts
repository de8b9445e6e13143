import { RowBatchBuilder, type RowBatch } from '../batch.ts'
import type { Row } from '../row.ts'
import type { TableId, TableRows } from '../state.ts'
import type { Keys } from './keys.ts'

/** Rows of one table; made into a batch when somebody asks for that. Rows never change, so that may be later. */
class TablePart implements TableRows {
  readonly table: TableId
  readonly #keys: Keys
  readonly #numbers: number[] = []
  readonly #rows: Row[] = []
  #batch: RowBatch | undefined

  constructor(table: TableId, keys: Keys) {
    this.table = table
    this.#keys = keys
  }

  push(number: number, row: Row): void {
    this.#numbers.push(number)
    this.#rows.push(row)
  }

  get batch(): RowBatch {
    return (this.#batch ??= this.#build())
  }

  #build(): RowBatch {
    const builder = new RowBatchBuilder(this.#keys.tables[this.table]!.schema, this.#rows.length)
    this.#rows.forEach((row, i) => {
      builder.pushRow(this.#keys.textsOf(this.#numbers[i]!), row)
    })
    return builder.build()
  }
}

/** Gathers rows by their tables. */
export class RowsByTable {
  readonly #keys: Keys
  readonly #parts: (TablePart | undefined)[] = []
  rows = 0

  constructor(keys: Keys) {
    this.#keys = keys
  }

  push(table: TableId, number: number, row: Row): void {
    const part = (this.#parts[table] ??= new TablePart(table, this.#keys))
    part.push(number, row)
    this.rows++
  }

  /** By table; their batches are built when they are first read. */
  get parts(): readonly TableRows[] {
    return this.#parts.filter((part) => part !== undefined)
  }
}

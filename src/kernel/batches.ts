import { RowBatchBuilder, TextColumnBuilder, type KeyBatch, type RowBatch, type TextColumn } from '../core/batch.ts'
import { decodeKey } from '../core/key.ts'
import type { TableId, TableKeys, TableRows } from '../core/state.ts'
import type { Column, TableSchema } from '../core/table.ts'
import type { Kernel } from './kernel.ts'
import { BATCH_COLUMN, ESCAPED_WIDTH, TEXT_WIDTH } from './layout.ts'
import type { RowReader } from './row-reader.ts'

/** The width of a key column's part of the key bytes, as the kernel is told. */
export function keyWidth({ type }: Column): number {
  switch (type.name) {
    case 'int64':
      return 8
    case 'decimal':
      return 16
    case 'boolean':
      return 1
    case 'date':
      return 10
    case 'timestamp':
      return 29
    case 'bytes':
      return ESCAPED_WIDTH
    default:
      return TEXT_WIDTH
  }
}

/** Turns the rows that the kernel picked into batches. */
export class Batches {
  readonly #kernel: Kernel
  readonly #tables: readonly TableSchema[]
  readonly #reader: RowReader

  constructor(kernel: Kernel, tables: readonly TableSchema[], reader: RowReader) {
    this.#kernel = kernel
    this.#tables = tables
    this.#reader = reader
  }

  /**
   * The picked rows by table. Lent ones are views of the kernel's memory, which cross threads without being copied,
   * until they are released; where the memory isn't shared, and else, they are copies.
   */
  rows(replica: number, lent: boolean): TableRows[] {
    return this.#picked().map(({ table, schema }) => {
      if (this.#kernel.call['buildBatch']!(replica, table, 0) === 0)
        return { table, batch: this.#copied(replica, table) }
      const lend = lent && this.#kernel.shared
      const columns = this.#columns(schema.key.length + schema.values.length * 2 + 1, lend)
      const keys = schema.key.map((column, i) => decoded(column, columns[i]!))
      const values = schema.values.map((_, i) => columns[schema.key.length + i]!)
      const stamps = schema.values.map((_, i) => columns[schema.key.length + schema.values.length + i]!)
      const batch = { rows: this.#kernel.call['batchRows']!(), keys, values, stamps, deleted: columns.at(-1)! }
      return { table, batch: this.#owned(batch, lend) }
    })
  }

  /** The keys of the picked rows by table: copies. */
  keys(replica: number): TableKeys[] {
    return this.#picked().map(({ table, schema }) => {
      if (this.#kernel.call['buildBatch']!(replica, table, 1) === 0)
        return { table, keys: this.#copied(replica, table) }
      const columns = this.#columns(schema.key.length, false)
      const keys: KeyBatch = {
        rows: this.#kernel.call['batchRows']!(),
        keys: schema.key.map((column, i) => decoded(column, columns[i]!)),
      }
      this.#give()
      return { table, keys }
    })
  }

  /** The tables of picked rows. */
  #picked(): { readonly table: TableId; readonly schema: TableSchema }[] {
    const { call } = this.#kernel
    if (call['pickCount']!() === 0) return []
    return [...this.#tables.entries()].flatMap(([table, schema]) =>
      call['pickedIn']!(table) === 0 ? [] : [{ table, schema }],
    )
  }

  /** The same row by row, where the kernel's memory has no room for a batch: reading needs none. */
  #copied(replica: number, table: TableId): RowBatch {
    const { call } = this.#kernel
    const builder = new RowBatchBuilder(this.#tables[table]!)
    call['firstPick']!()
    for (let entry = call['nextPick']!() >>> 0; entry !== 0; entry = call['nextPick']!() >>> 0) {
      const row = this.#kernel.view.getUint32(entry, true)
      if (call['tableOf']!(row) !== table) continue
      const part = this.#kernel.view.getUint32(entry + 4, true)
      const held = part === 0 ? this.#reader.row(replica, row, table) : this.#reader.at(part, table)
      builder.pushRow(this.#reader.key(row, table), held ?? { registers: [], tombstone: undefined })
    }
    return builder.build()
  }

  #columns(count: number, lent: boolean): TextColumn[] {
    const { call, view, memory } = this.#kernel
    const rows = call['batchRows']!()
    const first = call['batchColumns']!() >>> 0
    const part = (start: number, length: number) => {
      const bytes = new Uint8Array(memory.buffer, start, length)
      return lent ? bytes : bytes.slice()
    }
    return Array.from({ length: count }, (_, i) => {
      const at = first + i * BATCH_COLUMN
      const start = view.getUint32(at + 4, true)
      const ends = new Uint32Array(memory.buffer, view.getUint32(at + 8, true), rows)
      const nulls = view.getUint32(at + 12, true)
      const used = rows === 0 ? 0 : ends[rows - 1]!
      const column = { bytes: part(start, used), ends: lent ? ends : ends.slice() }
      return nulls === 0 ? column : { ...column, nulls: part(nulls, rows) }
    })
  }

  /** The batch with the run of pages that it stands in; a copy's is given back at once. */
  #owned(batch: RowBatch, lent: boolean): RowBatch {
    if (!lent) {
      this.#give()
      return batch
    }
    const { call } = this.#kernel
    const run = call['batchRun']!()
    const pages = call['batchPages']!()
    return {
      ...batch,
      release: () => {
        call['giveBatch']!(run, pages)
      },
    }
  }

  #give(): void {
    const { call } = this.#kernel
    call['giveBatch']!(call['batchRun']!(), call['batchPages']!())
  }
}

/** A key column's canonical texts; one that isn't text comes as its part of the key bytes. */
function decoded(column: Column, encoded: TextColumn): TextColumn {
  if (keyWidth(column) === TEXT_WIDTH) return encoded
  const builder = new TextColumnBuilder(encoded.ends.length)
  let start = 0
  for (const end of encoded.ends) {
    builder.push(decodeKey([column.type], encoded.bytes.subarray(start, end))[0]!)
    start = end
  }
  return builder.build()
}

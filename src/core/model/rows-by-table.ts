import { RowBatchBuilder } from '../batch.ts'
import type { Row } from '../row.ts'
import type { Stamp } from '../stamp.ts'
import { stampedOfRow } from '../stamped.ts'
import type { TableId, TableRows } from '../state.ts'
import type { TableSchema } from '../table.ts'

/** Gathers rows into one batch per table. */
export class RowsByTable {
  readonly #tables: readonly { readonly schema: TableSchema }[]
  readonly #builders = new Map<TableId, RowBatchBuilder>()
  rows = 0

  constructor(tables: readonly { readonly schema: TableSchema }[]) {
    this.#tables = tables
  }

  push(table: TableId, key: readonly string[], registers: Row['registers'], tombstone: Stamp | undefined): void {
    let builder = this.#builders.get(table)
    if (builder === undefined) this.#builders.set(table, (builder = new RowBatchBuilder(this.#tables[table]!.schema)))
    builder.push(stampedOfRow(key, { registers, tombstone }))
    this.rows++
  }

  build(): TableRows[] {
    return [...this.#builders].map(([table, builder]) => ({ table, batch: builder.build() }))
  }
}

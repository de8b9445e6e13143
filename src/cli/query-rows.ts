import { rowAt, RowBatchBuilder, type RowBatch } from '../core/batch.ts'
import { MerganserError } from '../core/errors.ts'
import type { TableSchema } from '../core/table.ts'
import type { ReplicaStore } from '../connectors/connector.ts'
import { keyAsked, meets, type Where } from './query-where.ts'

export interface RowsAsked {
  readonly wheres: readonly Where[]
  readonly limit: number
  /** Whether deleted rows are asked for too. */
  readonly deleted: boolean
  readonly signal: AbortSignal
}

/** Rows of a batch by number, in their order; never none. */
export interface ChosenRows {
  readonly batch: RowBatch
  readonly rows: readonly number[]
}

/** The rows asked for, in key order. Throws INTERRUPTED. */
export async function* chosenRows(
  store: ReplicaStore,
  table: TableSchema,
  { wheres, limit, deleted, signal }: RowsAsked,
): AsyncGenerator<ChosenRows, void, undefined> {
  let left = limit
  if (left === 0) return
  for await (const batch of batches(store, table, wheres)) {
    if (signal.aborted) throw new MerganserError('INTERRUPTED', 'the query was interrupted')
    const rows: number[] = []
    for (let row = 0; row < batch.rows && rows.length < left; row++) {
      if ((deleted || exists(batch, row)) && meets(wheres, batch, row)) rows.push(row)
    }
    if (rows.length > 0) yield { batch, rows }
    left -= rows.length
    if (left === 0) return
  }
}

/** One look-up where the conditions leave one key, else a scan. */
async function* batches(
  store: ReplicaStore,
  table: TableSchema,
  wheres: readonly Where[],
): AsyncGenerator<RowBatch, void, undefined> {
  const key = keyAsked(table, wheres)
  if (key === undefined) yield* store.scanRows(table)
  else yield await store.readRows(table, key)
}

/** Whether a row has a register. */
function exists({ stamps }: RowBatch, row: number): boolean {
  return stamps.some(({ nulls }) => nulls?.[row] !== 1)
}

/** The chosen rows as batches of their own. */
export async function* asBatches(
  table: TableSchema,
  chosen: AsyncIterable<ChosenRows>,
  count: (rows: number) => void,
): AsyncGenerator<RowBatch, void, undefined> {
  for await (const { batch, rows } of chosen) {
    count(rows.length)
    if (rows.length === batch.rows) {
      yield batch
      continue
    }
    const builder = new RowBatchBuilder(table, rows.length)
    for (const row of rows) builder.push(rowAt(batch, row))
    yield builder.build()
  }
}

import { keyAt, keysOf, rowAt, batchOf, type RowBatch } from '../../../src/core/batch.ts'
import { ModelState, type ModelLimits } from '../../../src/core/model/model-state.ts'
import type {
  Bounds,
  ChangeResult,
  MergeResult,
  ReplicaId,
  TableId,
  TableKeys,
  TableRows,
} from '../../../src/core/state.ts'
import type { TableSchema } from '../../../src/core/table.ts'

/** A model that uses what the interface leaves open: other steps, other orders. The machine must find nothing in it. */
export class FreeState extends ModelState {
  readonly #schemas: TableSchema[] = []

  override addTable(schema: TableSchema): TableId {
    this.#schemas.push(schema)
    return super.addTable(schema)
  }

  override merge(into: ReplicaId, from: ReplicaId, position: number, bounds: Bounds, list: number): MergeResult {
    const result = super.merge(into, from, position, fewer(bounds), list)
    return { ...result, took: this.#turned(result.took), listed: result.listed.toReversed() }
  }

  override changes(replica: ReplicaId, from: number, bounds: Bounds): ChangeResult {
    const result = super.changes(replica, from, fewer(bounds))
    return { ...result, changed: this.#turned(result.changed), lookups: this.#turnedKeys(result.lookups) }
  }

  override unresolved(replica: ReplicaId, limit: number): readonly TableKeys[] {
    return this.#turnedKeys(super.unresolved(replica, limit))
  }

  #turned(parts: readonly TableRows[]): TableRows[] {
    return parts
      .map(({ table, batch }) => ({ table, batch: batchOf(this.#schemas[table]!, rowsOf(batch).reverse()) }))
      .reverse()
  }

  #turnedKeys(parts: readonly TableKeys[]): TableKeys[] {
    return parts
      .map(({ table, keys }) => {
        const texts = Array.from({ length: keys.rows }, (_, i) => keyAt(keys, i))
        return { table, keys: keysOf(this.#schemas[table]!, texts.reverse()) }
      })
      .reverse()
  }
}

const rowsOf = (batch: RowBatch) => Array.from({ length: batch.rows }, (_, i) => rowAt(batch, i))

/** Steps of other sizes; all stays all, for a merge in one step. */
function fewer({ rows, bytes }: Bounds): Bounds {
  return { rows: rows === Infinity ? rows : Math.ceil(rows / 2), bytes }
}

export const free = (limits: ModelLimits): FreeState => new FreeState(limits)

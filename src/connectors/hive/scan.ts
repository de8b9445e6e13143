import type { RowBatch } from '../../core/batch.ts'
import { batchBytes, concatBatches } from '../../core/concat.ts'
import type { TableSchema } from '../../core/table.ts'
import { batchOfBlock, picked, sorted } from './read.ts'
import type { Session } from './session.ts'
import { boundCondition, scanStatement } from './statements.ts'

/** Up to here rows are fetched in no order, of which Hive makes no job, and put in order here. */
const FEW_ROWS = 5_000
const FEW_BYTES = 8 * 1024 * 1024
const BATCH_ROWS = 2_500

/** All rows where they are few; undefined where there are more. */
export async function scanFew(
  session: Session,
  table: TableSchema,
  conditions: readonly string[],
): Promise<RowBatch[] | undefined> {
  const batches: RowBatch[] = []
  let rows = 0
  let bytes = 0
  for await (const block of session.query(scanStatement(table, conditions, FEW_ROWS + 1))) {
    if (block.rows === 0) continue
    const batch = batchOfBlock(table, block)
    rows += batch.rows
    bytes += batchBytes(batch)
    if (rows > FEW_ROWS || bytes > FEW_BYTES) return undefined
    batches.push(batch)
  }
  if (rows === 0) return []
  const all = sorted(table, concatBatches(batches))
  if (rows <= BATCH_ROWS) return [all]
  const order = Array.from({ length: rows }, (_, row) => row)
  return [picked(all, order.slice(0, BATCH_ROWS)), picked(all, order.slice(BATCH_ROWS))]
}

/** All rows in key order, sorted by Hive. */
export async function* scanMany(
  session: Session,
  table: TableSchema,
  conditions: readonly string[],
): AsyncGenerator<RowBatch> {
  for await (const block of session.query(scanStatement(table, conditions, 'ordered'))) {
    if (block.rows > 0) yield batchOfBlock(table, block)
  }
}

export function conditionsOf(
  table: TableSchema,
  afterKey: readonly string[] | undefined,
  upToKey: readonly string[] | undefined,
): string[] {
  return [
    ...(afterKey === undefined ? [] : [boundCondition(table, 'after', afterKey)]),
    ...(upToKey === undefined ? [] : [boundCondition(table, 'upTo', upToKey)]),
  ]
}

import { keyAt, textAt, type RowBatch, type TextColumn } from '../../core/batch.ts'
import { keyBytes, type Column, type TableSchema } from '../../core/table.ts'
import { misfit, type WriteResult } from '../connector.ts'
import { capabilities } from './capabilities.ts'
import { hasNanoseconds } from './types.ts'

/** Bytes that a fixed-width item of a key has at most, and what the encoding of a text adds to it. */
const ITEM_BYTES = 32

/** The rows that the warehouse can't hold, with the reason, in the order of the batch. */
export function rejectedRows(table: TableSchema, batch: RowBatch): WriteResult['rejected'] {
  const reasons = new Map<number, string>()
  checkKeys(table, batch, reasons)
  table.key.forEach((column, c) => {
    checkColumn(column, batch.keys[c]!, batch.rows, reasons)
  })
  table.values.forEach((column, c) => {
    checkColumn(column, batch.values[c]!, batch.rows, reasons)
  })
  return [...reasons].sort(([a], [b]) => a - b).map(([row, reason]) => ({ row, reason }))
}

function checkColumn(column: Column, texts: TextColumn, rows: number, reasons: Map<number, string>): void {
  // Only these can fail: whole batches of other columns pass without being looked at.
  if (texts.bytes.length <= capabilities.valueBytes && !hasNanoseconds(column.type)) return
  for (let row = 0; row < rows; row++) {
    if (!hasNanoseconds(column.type) && length(texts, row) <= capabilities.valueBytes) continue
    const text = textAt(texts, row)
    const reason = text === null ? undefined : misfit(capabilities, column.type, text)
    if (reason !== undefined) reasons.set(row, `${column.name}: ${reason}`)
  }
}

function checkKeys(table: TableSchema, batch: RowBatch, reasons: Map<number, string>): void {
  for (let row = 0; row < batch.rows; row++) {
    let most = 0
    for (const texts of batch.keys) most += ITEM_BYTES + 2 * length(texts, row)
    if (most <= capabilities.keyBytes) continue
    if (keyBytes(table, keyAt(batch, row)).length > capabilities.keyBytes) {
      reasons.set(row, `its key is longer than ${String(capabilities.keyBytes)} bytes`)
    }
  }
}

function length(texts: TextColumn, row: number): number {
  return texts.ends[row]! - (row === 0 ? 0 : texts.ends[row - 1]!)
}

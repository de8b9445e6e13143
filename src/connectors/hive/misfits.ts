import { keyAt, textAt, type RowBatch, type TextColumn } from '../../core/batch.ts'
import { keyBytes, type Column, type TableSchema } from '../../core/table.ts'
import { misfit } from '../connector.ts'
import { hiveCapabilities } from './capabilities.ts'
import { bytesOf } from './read.ts'

/** Bytes that a fixed-width item of a key has at most, and what the encoding of a text adds to it. */
const ITEM_BYTES = 32

/** The rows that Hive can't hold, by number, with the first reason of each. */
export function misfits(table: TableSchema, batch: RowBatch): Map<number, string> {
  const found = new Map<number, string>()
  checkKeys(table, batch, found)
  const columns = [...table.key, ...table.values]
  const texts = [...batch.keys, ...batch.values]
  columns.forEach((column, c) => {
    checkColumn(column, texts[c]!, batch.rows, found)
  })
  return found
}

/** Only timestamps, and what is long, can fail: whole batches of other columns pass without being looked at. */
function checkColumn({ name, type }: Column, column: TextColumn, rows: number, found: Map<number, string>): void {
  const timed = type.name === 'timestamp'
  if (!timed && column.bytes.length <= hiveCapabilities.valueBytes) return
  for (let row = 0; row < rows; row++) {
    if (!timed && bytesOf([column], row) <= hiveCapabilities.valueBytes) continue
    const text = textAt(column, row)
    const reason = text === null ? undefined : misfit(hiveCapabilities, type, text)
    if (reason !== undefined && !found.has(row)) found.set(row, `${name}: ${reason}`)
  }
}

function checkKeys(table: TableSchema, batch: RowBatch, found: Map<number, string>): void {
  for (let row = 0; row < batch.rows; row++) {
    if (batch.keys.length * ITEM_BYTES + 2 * bytesOf(batch.keys, row) <= hiveCapabilities.keyBytes) continue
    if (keyBytes(table, keyAt(batch, row)).length > hiveCapabilities.keyBytes) {
      found.set(row, `its key is longer than ${String(hiveCapabilities.keyBytes)} bytes`)
    }
  }
}

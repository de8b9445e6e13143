import { isUtf8 } from 'node:buffer'
import { keyAt, TextColumnBuilder, type KeyBatch, type RowBatch, type TextColumn } from '../../core/batch.ts'
import { concatBatches } from '../../core/concat.ts'
import { keyBytes, type TableSchema } from '../../core/table.ts'
import type { HiveBlock, HiveColumn } from './client/connection.ts'
import { packedQuery, packRows } from './literals.ts'
import type { Session } from './session.ts'
import { fewKeysStatement, manyKeysStatement, rowColumns, type Source } from './statements.ts'
import { canonicalText } from './types.ts'

/** Up to here the keys stand in the condition, of which Hive makes no job. */
const FEW_KEYS = 150
const FEW_BYTES = 64 * 1024
/** Keys of one statement. */
const MANY_KEYS = 20_000
const MANY_BYTES = 2 * 1024 * 1024

/** A block of a result with the columns of a batch. */
export function batchOfBlock(table: TableSchema, block: HiveBlock): RowBatch {
  const types = rowColumns(table).map(({ type }) => type)
  const columns = types.map((type, c): TextColumn => {
    const column = block.columns[c]!
    const copied = type.name === 'string' || type.name === 'json' ? copiedTexts(column, block.rows) : undefined
    if (copied !== undefined) return copied
    const { nulls, values } = column
    const builder = new TextColumnBuilder(block.rows)
    for (let i = 0; i < block.rows; i++) builder.push(nulls[i] === 1 ? null : canonicalText(type, values[i]))
    return builder.build()
  })
  const keys = table.key.length
  const values = table.values.length
  return {
    rows: block.rows,
    keys: columns.slice(0, keys),
    values: columns.slice(keys, keys + values),
    stamps: columns.slice(keys + values, -1),
    deleted: columns.at(-1)!,
  }
}

/** A column of texts as it came; undefined where it holds bytes that are no UTF-8, or no texts. */
function copiedTexts({ nulls, texts }: HiveColumn, rows: number): TextColumn | undefined {
  if (texts === undefined || rows === 0) return undefined
  const { bytes, places } = texts
  const builder = new TextColumnBuilder(rows, Math.ceil((places.at(-1)! - places[0]!) / rows))
  for (let i = 0; i < rows; i++) {
    const start = places[2 * i]!
    const end = places[2 * i + 1]!
    if (nulls[i] === 1) builder.push(null)
    // A text that begins in the middle of a character would be made whole by the one before it.
    else if (end > start && (bytes[start]! & 0xc0) === 0x80) return undefined
    else builder.pushBytes(bytes, start, end)
  }
  const column = builder.build()
  return isUtf8(column.bytes) ? column : undefined
}

export function emptyBatch(table: TableSchema): RowBatch {
  const column = (): TextColumn => new TextColumnBuilder(1).build()
  return {
    rows: 0,
    keys: table.key.map(column),
    values: table.values.map(column),
    stamps: table.values.map(column),
    deleted: column(),
  }
}

export async function queryBatch(session: Session, table: TableSchema, statement: string): Promise<RowBatch> {
  const batches: RowBatch[] = []
  for await (const block of session.query(statement)) {
    if (block.rows > 0) batches.push(batchOfBlock(table, block))
  }
  return batches.length === 0 ? emptyBatch(table) : concatBatches(batches)
}

/** Packed texts as a source. */
export function packedSource(columns: readonly TextColumn[], rows: Iterable<number>): Source {
  return { from: `(${packedQuery(packRows(columns, rows))}) p`, field: (c) => `f${String(c)}` }
}

/** The rows of those keys that are there. */
export async function readKeys(
  session: Session,
  table: TableSchema,
  keys: KeyBatch,
  only?: Iterable<number>,
): Promise<RowBatch> {
  const batches: RowBatch[] = []
  for (const part of parts(keys.keys, only ?? Array.from({ length: keys.rows }, (_, i) => i), MANY_KEYS, MANY_BYTES)) {
    const few = part.rows.length <= FEW_KEYS && part.bytes <= FEW_BYTES
    const statement = few
      ? fewKeysStatement(
          table,
          part.rows.map((row) => keyAt(keys, row)),
        )
      : manyKeysStatement(table, packedSource(keys.keys, part.rows))
    batches.push(await queryBatch(session, table, statement))
  }
  return batches.length === 0 ? emptyBatch(table) : concatBatches(batches)
}

/** Cuts rows of columns into parts of so many rows and bytes, at least one row each. */
export function* parts(
  columns: readonly TextColumn[],
  rows: Iterable<number>,
  mostRows: number,
  mostBytes: number,
): Generator<{ readonly rows: number[]; readonly bytes: number }> {
  let part: number[] = []
  let bytes = 0
  for (const row of rows) {
    const length = bytesOf(columns, row)
    if (part.length > 0 && (part.length >= mostRows || bytes + length > mostBytes)) {
      yield { rows: part, bytes }
      part = []
      bytes = 0
    }
    part.push(row)
    bytes += length
  }
  if (part.length > 0) yield { rows: part, bytes }
}

/** Bytes of a row's texts. */
export function bytesOf(columns: readonly TextColumn[], row: number): number {
  let sum = 0
  for (const { ends } of columns) sum += ends[row]! - (row === 0 ? 0 : ends[row - 1]!)
  return sum
}

/** Rows `order` of a batch, in that order. */
export function picked(batch: RowBatch, order: readonly number[]): RowBatch {
  const column = (source: TextColumn): TextColumn => {
    const builder = new TextColumnBuilder(order.length)
    const bytes = Buffer.from(source.bytes.buffer, source.bytes.byteOffset, source.bytes.byteLength)
    for (const row of order) {
      if (source.nulls?.[row] === 1) builder.push(null)
      else builder.pushBytes(bytes, row === 0 ? 0 : source.ends[row - 1]!, source.ends[row]!)
    }
    return builder.build()
  }
  return {
    rows: order.length,
    keys: batch.keys.map(column),
    values: batch.values.map(column),
    stamps: batch.stamps.map(column),
    deleted: column(batch.deleted),
  }
}

/** A batch in key order. */
export function sorted(table: TableSchema, batch: RowBatch): RowBatch {
  const keys = Array.from({ length: batch.rows }, (_, row) => ({ row, bytes: keyBytes(table, keyAt(batch, row)) }))
  keys.sort((a, b) => Buffer.compare(a.bytes, b.bytes))
  return picked(
    batch,
    keys.map(({ row }) => row),
  )
}

import { isAscii } from 'node:buffer'
import type { DuckDBAppender, DuckDBConnection } from '@duckdb/node-api'
import { textAt, type KeyBatch, type RowBatch, type TextColumn } from '../../core/batch.ts'
import type { TableSchema } from '../../core/table.ts'
import { createStage } from './statements.ts'
import { hasNanoseconds, searchableText } from './types.ts'

/** The text of a row of one column. ASCII columns are decoded at once and cut, which is several times faster. */
export function textReader(column: TextColumn): (row: number) => string | null {
  const { bytes, ends, nulls } = column
  if (!isAscii(bytes)) return (row) => textAt(column, row)
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  return (row) => {
    if (nulls !== undefined && nulls[row] === 1) return null
    return all.slice(row === 0 ? 0 : ends[row - 1], ends[row])
  }
}

/** Fills the connection's temporary table `stage` with a batch, but for rows in `without`. The last batch is dropped. */
export async function fillStage(
  connection: DuckDBConnection,
  stage: string,
  table: TableSchema,
  batch: KeyBatch | RowBatch,
  without?: ReadonlySet<number>,
): Promise<void> {
  if ('deleted' in batch) {
    await connection.run(createStage(stage, table, 'rows'))
    await appendStage(connection, stage, batch, without)
    return
  }
  await connection.run(createStage(stage, table, 'keys'))
  const readers = batch.keys.map((column, c) => {
    const type = table.key[c]!.type
    const reader = textReader(column)
    return hasNanoseconds(type) ? (row: number) => searchableText(type, reader(row)!) : reader
  })
  await appendTexts(connection, stage, readers, batch.rows)
}

/** Adds rows to a stage that is there. */
export async function appendStage(
  connection: DuckDBConnection,
  stage: string,
  batch: RowBatch,
  without?: ReadonlySet<number>,
): Promise<void> {
  const columns = [...batch.keys, ...batch.values, ...batch.stamps, batch.deleted]
  await appendTexts(connection, stage, columns.map(textReader), batch.rows, without)
}

async function appendTexts(
  connection: DuckDBConnection,
  stage: string,
  readers: readonly ((row: number) => string | null)[],
  rows: number,
  without?: ReadonlySet<number>,
): Promise<void> {
  const appender = await connection.createAppender(stage, 'main', 'temp')
  try {
    append(appender, readers, rows, without)
  } finally {
    appender.closeSync()
  }
}

function append(
  appender: DuckDBAppender,
  readers: readonly ((row: number) => string | null)[],
  rows: number,
  without: ReadonlySet<number> | undefined,
): void {
  for (let row = 0; row < rows; row++) {
    if (without?.has(row) === true) continue
    appender.appendInteger(row)
    for (const reader of readers) {
      const text = reader(row)
      if (text === null) appender.appendNull()
      else appender.appendVarchar(text)
    }
    appender.endRow()
  }
}

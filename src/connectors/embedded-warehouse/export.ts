import { mkdir, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import type { RowBatch } from '../../core/batch.ts'
import { MerganserError } from '../../core/errors.ts'
import { checkSchema, type Column, type TableSchema } from '../../core/table.ts'
import { temporaryDirectory } from './database.ts'
import { isDuckDBError, translated } from './errors.ts'
import { appendStage } from './staging.ts'
import { createStage, STAGE } from './statements.ts'
import {
  FIRST_NANOSECOND_YEAR,
  fromText,
  hasNanoseconds,
  LAST_NANOSECOND_YEAR,
  literal,
  MICROSECOND_DIGITS,
  quoted,
} from './types.ts'

/** Hive's name of the first file of a table. */
const FILE = '000000_0.parquet'
/** Of a canonical timestamp with all the digits that TIMESTAMP keeps. */
const MICROSECOND_LENGTH = 'YYYY-MM-DD HH:MM:SS.Z'.length + MICROSECOND_DIGITS
const MEMORY = '1GB'

export interface ExportOptions {
  /** Deleted rows too, and each value's stamp beside it, as in the database; otherwise the rows that exist. */
  readonly stamps?: boolean
}

export interface Exported {
  readonly file: string
  readonly rows: number
}

/**
 * Writes rows of any connector as `<directory>/<table>/000000_0.parquet`, which Hive reads as an external table at
 * `<directory>/<table>`: string, bigint, double, decimal(p,s), boolean, binary, date, timestamp; json is a string.
 * Timestamps have microseconds, or nanoseconds in a column that has a value which needs them. Replaces a file of an
 * earlier export once it is whole and on disk.
 *
 * Throws VALUE_REFUSED where a column has a value that needs nanoseconds and another outside the years 1678 to 2261,
 * BAD_OUTPUT_FILE where the file can't be written.
 */
export async function exportParquet(
  rows: AsyncIterable<RowBatch>,
  table: TableSchema,
  directory: string,
  options: ExportOptions = {},
): Promise<Exported> {
  checkSchema(table)
  const temporary = await temporaryDirectory()
  try {
    return await exported(rows, table, directory, { ...options, temporary })
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

async function exported(
  rows: AsyncIterable<RowBatch>,
  table: TableSchema,
  directory: string,
  options: ExportOptions & { readonly temporary: string },
): Promise<Exported> {
  const { DuckDBInstance } = await import('@duckdb/node-api')
  const instance = await DuckDBInstance.create(':memory:', {
    threads: '2',
    memory_limit: MEMORY,
    temp_directory: options.temporary,
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  })
  let connection
  try {
    connection = await instance.connect()
    await connection.run(createStage(STAGE, table, 'rows'))
    for await (const batch of rows) await appendStage(connection, STAGE, batch)
    return await write(connection, table, join(directory, table.name), options.stamps ?? false)
  } catch (error) {
    throw outputError(error, directory, table)
  } finally {
    connection?.disconnectSync()
    instance.closeSync()
  }
}

async function write(
  connection: DuckDBConnection,
  table: TableSchema,
  folder: string,
  stamps: boolean,
): Promise<Exported> {
  const columns = await exportedColumns(connection, table, stamps)
  const exists = table.values.map((_, c) => `s${String(c)} IS NOT NULL`).join(' OR ')
  const select = `SELECT ${columns.join(', ')} FROM temp.${quoted(STAGE)} ${stamps ? '' : `WHERE ${exists}`}`
  await mkdir(folder, { recursive: true })
  // Hive leaves files out whose names begin with a point.
  const temporary = join(folder, `.${FILE}.${String(process.pid)}.temporary`)
  const file = join(folder, FILE)
  try {
    const result = await connection.run(
      `COPY (${select}) TO ${literal(temporary)} (FORMAT parquet, COMPRESSION snappy)`,
    )
    await synced(temporary)
    await rename(temporary, file)
    await synced(folder)
    return { file, rows: result.rowsChanged }
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

async function exportedColumns(connection: DuckDBConnection, table: TableSchema, stamps: boolean): Promise<string[]> {
  const typed = async (column: Column, text: string): Promise<string> => {
    const type = hasNanoseconds(column.type) ? await timestampType(connection, column, text) : column.type
    return `${fromText(type, text)} AS ${quoted(column.name)}`
  }
  const columns: string[] = []
  for (const [c, column] of table.key.entries()) columns.push(await typed(column, `k${String(c)}`))
  for (const [c, column] of table.values.entries()) {
    columns.push(await typed(column, `v${String(c)}`))
    if (stamps) columns.push(`s${String(c)} AS ${quoted(`${column.name}_stamp`)}`)
  }
  if (stamps) columns.push('d AS deleted_stamp')
  return columns
}

/** Microseconds, which have all years, unless a value needs more. */
async function timestampType(connection: DuckDBConnection, column: Column, text: string): Promise<Column['type']> {
  const first = String(FIRST_NANOSECOND_YEAR)
  const last = String(LAST_NANOSECOND_YEAR)
  const reader = await connection.runAndReadAll(
    `SELECT coalesce(bool_or(strlen(${text}) > ${String(MICROSECOND_LENGTH)}), false),
            coalesce(bool_or(${text}[1:4] < '${first}' OR ${text}[1:4] > '${last}'), false) FROM temp.${quoted(STAGE)}`,
  )
  const [fine, far] = reader.getRows()[0]!
  if (fine === true && far === true) {
    const message = `column ${column.name}: Parquet holds its nanoseconds only from year ${first} to ${last}`
    throw new MerganserError('VALUE_REFUSED', message, {
      advice: 'declare the column as timestamp(6), or choose another format',
    })
  }
  return fine === true ? column.type : { name: 'timestamp', scale: MICROSECOND_DIGITS }
}

async function synced(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function outputError(error: unknown, directory: string, table: TableSchema): unknown {
  if (error instanceof MerganserError) return error
  const text = error instanceof Error ? error.message : String(error)
  if (text.startsWith('IO Error') || (error instanceof Error && 'syscall' in error)) {
    const place = { file: directory, table: table.name }
    return new MerganserError('BAD_OUTPUT_FILE', `the Parquet file can't be written: ${text.slice(0, 300)}`, {
      place,
      cause: error,
    })
  }
  return isDuckDBError(error) ? translated(error, 'the export') : error
}

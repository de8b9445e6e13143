import type { DuckDBConnection } from '@duckdb/node-api'
import { MerganserError } from '../../core/errors.ts'
import type { TableSchema } from '../../core/table.ts'
import { createTable, createView, storedColumns } from './statements.ts'

const NOT_NULL = ' not null'

/** Whether the table is there. Throws SCHEMA_MISMATCH where it has another shape. */
export async function hasTable(connection: DuckDBConnection, table: TableSchema): Promise<boolean> {
  const reader = await connection.runAndReadAll(
    `SELECT column_name, data_type, is_nullable FROM duckdb_columns()
     WHERE lower(table_name) = lower($1) AND schema_name = 'main' AND database_name = current_database()
     ORDER BY column_index`,
    [table.name],
  )
  if (reader.currentRowCount === 0) return false
  const found = reader
    .getRows()
    .map(([name, type, nullable]) => columnText(String(name), String(type), nullable !== true))
  const expected = storedColumns(table).map(({ name, type, required }) => columnText(name, type, required))
  const missing = expected.filter((column) => !found.includes(column))
  const unknown = found.filter((column) => !expected.includes(column))
  if (missing.length === 0 && unknown.length === 0) {
    const keys = (columns: readonly string[]) => columns.filter((column) => column.endsWith(NOT_NULL)).join()
    if (keys(found) === keys(expected)) return true
    throw mismatch(table, 'has its key in another order')
  }
  const parts = [
    ...(missing.length === 0 ? [] : [`lacks ${missing.join(', ')}`]),
    ...(unknown.length === 0 ? [] : [`has ${unknown.join(', ')}`]),
  ]
  throw mismatch(table, parts.join(' and '))
}

function mismatch(table: TableSchema, what: string): MerganserError {
  return new MerganserError('SCHEMA_MISMATCH', `the table ${table.name} in the warehouse ${what}`, {
    place: { table: table.name },
    advice: 'give the table another name, or change the configuration to what is there',
  })
}

function columnText(name: string, type: string, required: boolean): string {
  return `${name.toLowerCase()} ${type}${required ? NOT_NULL : ''}`
}

/** Both or none. */
export async function createTableAndView(connection: DuckDBConnection, table: TableSchema): Promise<void> {
  const view = `${table.name}_live`
  const taken = await connection.runAndReadAll(
    `SELECT 1 FROM duckdb_columns() WHERE lower(table_name) = lower($1) AND schema_name = 'main'
     AND database_name = current_database() LIMIT 1`,
    [view],
  )
  if (taken.currentRowCount > 0) {
    throw new MerganserError('SCHEMA_MISMATCH', `the view ${view} can't be made: the name is taken in the warehouse`, {
      place: { table: table.name },
    })
  }
  await connection.run('BEGIN TRANSACTION')
  try {
    await connection.run(createTable(table))
    await connection.run(createView(table))
    await connection.run('COMMIT')
  } catch (error) {
    await connection.run('ROLLBACK').catch(() => undefined)
    throw error
  }
}

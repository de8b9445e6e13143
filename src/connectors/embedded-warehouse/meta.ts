import type { DuckDBConnection } from '@duckdb/node-api'
import { MerganserError } from '../../core/errors.ts'
import type { Owner, StoreMeta } from '../connector.ts'

/** Of the tables' layout; a greater number in a database comes from a newer Merganser. */
const LAYOUT = 1

const CREATE = `CREATE TABLE IF NOT EXISTS merganser_meta (
  layout INTEGER NOT NULL, owner VARCHAR NOT NULL, log_id VARCHAR NOT NULL, in_use BOOLEAN NOT NULL,
  high_water VARCHAR NOT NULL, position BIGINT NOT NULL)`

/** What the database knows of its log; undefined where it knows none. */
export async function readMeta(connection: DuckDBConnection, replica: string): Promise<StoreMeta | undefined> {
  const there = await connection.runAndReadAll(
    "SELECT 1 FROM duckdb_tables() WHERE table_name = 'merganser_meta' AND NOT temporary",
  )
  if (there.currentRowCount === 0) return undefined
  const reader = await connection.runAndReadAll(
    'SELECT layout, log_id, in_use, high_water, position FROM merganser_meta',
  )
  const row = reader.getRowsJS()[0]
  if (row === undefined) return undefined
  // The statement's columns, by their types in CREATE.
  const [layout, logId, inUse, highWater, position] = row as [number, string, boolean, string, bigint]
  if (layout > LAYOUT) {
    const message = `the warehouse of ${replica} is of layout ${String(layout)}, newer than ${String(LAYOUT)}`
    throw new MerganserError('STATE_FORMAT', message, { place: { replica }, advice: 'use the Merganser that wrote it' })
  }
  return { logId, inUse, highWater, position: Number(position) }
}

/** Marks the database as in use by a log; of another log nothing is in it yet. */
export async function takeMeta(
  connection: DuckDBConnection,
  owner: Owner,
  known: StoreMeta | undefined,
): Promise<void> {
  const values = [owner.name, owner.logId]
  await connection.run(CREATE)
  if (known === undefined) {
    await connection.run(`INSERT INTO merganser_meta VALUES (${String(LAYOUT)}, $1, $2, true, '', 0)`, values)
  } else {
    const position = known.logId === owner.logId ? 'position' : '0'
    await connection.run(
      `UPDATE merganser_meta SET owner = $1, log_id = $2, in_use = true, position = ${position}`,
      values,
    )
  }
}

export async function updateMeta(connection: DuckDBConnection, meta: Omit<StoreMeta, 'logId'>): Promise<void> {
  await connection.run('UPDATE merganser_meta SET in_use = $1, high_water = $2, position = $3', [
    meta.inUse,
    meta.highWater,
    BigInt(meta.position),
  ])
}

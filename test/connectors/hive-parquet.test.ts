import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, expect, it } from 'vitest'
import { parquetFile } from '../../src/connectors/hive/parquet.ts'
import { batchOf, rowAt, type RowBatch } from '../../src/core/batch.ts'
import type { TableSchema } from '../../src/core/table.ts'

const string = { name: 'string' } as const
const schema: TableSchema = {
  name: 't',
  key: [{ name: 'k', type: string }],
  values: [
    { name: 'v', type: string },
    { name: 'w', type: string },
  ],
}
const directory = await mkdtemp(join(tmpdir(), 'merganser-parquet-'))
afterAll(() => rm(directory, { recursive: true, force: true }))

/** What DuckDB reads: row number, then the texts. */
async function readBack(batch: RowBatch, rows: readonly number[], groupRows?: number): Promise<unknown[][]> {
  const path = join(directory, `${String(rows.length)}.parquet`)
  await writeFile(path, Buffer.concat([...parquetFile(batch, rows, groupRows)]))
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    return (await connection.runAndReadAll(`SELECT * FROM '${path}'`)).getRows()
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

const textsOf = (batch: RowBatch, row: number): unknown[] => {
  const { key, cells, deleted } = rowAt(batch, row)
  return [
    row,
    ...key,
    ...cells.map((cell) => cell?.value ?? null),
    ...cells.map((cell) => cell?.stamp ?? null),
    deleted,
  ]
}

it('a staging file gives every text back as it was: null, empty, NUL, long, of any language', async () => {
  const nasty = ['', '\0', 'a\nb\r\n"\'\\,\x01', '\\N', 'NULL', 'ü€😀', 'x'.repeat(300_000), null]
  const batch = batchOf(
    schema,
    nasty.map((value, i) => ({
      key: [`key ${String(i)} ${value?.slice(0, 50) ?? ''}`],
      cells: [{ value, stamp: `s${String(i)}` }, i % 3 === 0 ? null : { value: 'w', stamp: 't' }],
      deleted: i % 2 === 0 ? null : 'd',
    })),
  )
  const all = nasty.map((_, i) => i)
  expect(await readBack(batch, all)).toEqual(all.map((row) => textsOf(batch, row)))
  expect(await readBack(batch, [1, 4, 7])).toEqual([1, 4, 7].map((row) => textsOf(batch, row)))
  expect(await readBack(batch, [])).toEqual([])
})

it('a staging file of several pages and groups of rows', async () => {
  const rows = Array.from({ length: 2_500 }, (_, i) => ({
    key: [`key ${String(i)}`],
    cells: [{ value: String(i).padEnd(1_500), stamp: '2026-11-22 15:11:21.956711651Z@HIVE' }, null],
    deleted: i % 7 === 0 ? 'd' : null,
  }))
  const batch = batchOf(schema, rows)
  const all = rows.map((_, i) => i)
  expect(await readBack(batch, all, 1_000)).toEqual(all.map((row) => textsOf(batch, row)))
})

import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exportParquet, type ExportOptions } from '../../src/connectors/embedded-warehouse/export.ts'
import { batchOf, type RowBatch, type StampedRow } from '../../src/core/batch.ts'
import { DEFAULT_TABLE, type TableSchema } from '../../src/core/table.ts'
import { parseType } from '../../src/core/types.ts'

const STAMP = '2026-11-22 15:11:21.956711651Z@HIVE'

let root: string

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "merganser-export '-"))
})

afterAll(async () => {
  await rm(root, { recursive: true, force: true })
})

function column(name: string, spelling: string): TableSchema['key'][number] {
  return { name, type: parseType(spelling)! }
}

async function* batches(table: TableSchema, rows: readonly StampedRow[]): AsyncGenerator<RowBatch> {
  for (let i = 0; i < rows.length; i += 2) yield await Promise.resolve(batchOf(table, rows.slice(i, i + 2)))
}

async function exported(table: TableSchema, rows: readonly StampedRow[], options: ExportOptions = {}) {
  const directory = await mkdtemp(join(root, 'to-'))
  const result = await exportParquet(batches(table, rows), table, directory, options)
  expect(result.file).toBe(join(directory, table.name, '000000_0.parquet'))
  expect(await readdir(join(directory, table.name))).toEqual(['000000_0.parquet'])
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const from = `FROM read_parquet('${result.file.replaceAll("'", "''")}')`
  const types = (await connection.runAndReadAll(`DESCRIBE ${from}`))
    .getRows()
    .map((row) => `${String(row[0])} ${String(row[1])}`)
  const found = (await connection.runAndReadAll(`SELECT COLUMNS(*)::VARCHAR ${from}`)).getRows()
  connection.disconnectSync()
  instance.closeSync()
  return { rows: result.rows, types, found }
}

function row(key: string, values: readonly (string | null)[]): StampedRow {
  return { key: [key], cells: values.map((value) => ({ value, stamp: STAMP })), deleted: null }
}

describe('export to Parquet', () => {
  it('writes the types that Hive reads, every value exact', async () => {
    const types = [
      'int64',
      'float64',
      'decimal(38,10)',
      'decimal(2,2)',
      'boolean',
      'bytes',
      'date',
      'timestamp(6)',
      'json',
      'string',
    ]
    const table = {
      name: 'everything',
      key: [column('k', 'string')],
      values: types.map((type, i) => column(`c${String(i)}`, type)),
    }
    const values = [
      '9223372036854775807',
      '-0',
      '-1234567890123456789012345678.0123456789',
      '-0.5',
      'true',
      '\\x00ff',
      '0001-01-01',
    ]
    const rows = [
      row('a', [...values, '9999-12-31 23:59:59.999999Z', '{"a":[1]}', 'x\ny\0z']),
      row(
        'b',
        types.map(() => null),
      ),
      row(
        'c',
        types.map((_, i) => (i === 9 ? '' : null)),
      ),
    ]
    const { types: found, found: read } = await exported(table, rows)
    expect(found.map((text) => text.split(' ')[1])).toEqual([
      ...[
        'VARCHAR',
        'BIGINT',
        'DOUBLE',
        'DECIMAL(38,10)',
        'DECIMAL(2,2)',
        'BOOLEAN',
        'BLOB',
        'DATE',
        'TIMESTAMP',
        'VARCHAR',
        'VARCHAR',
      ],
    ])
    const printed = ['9223372036854775807', '-0.0', values[2], '-.50', 'true', '\\x00\\xFF', '0001-01-01']
    const nulls = types.map(() => null)
    expect(read).toEqual([
      ['a', ...printed, '9999-12-31 23:59:59.999999', '{"a":[1]}', 'x\ny\0z'],
      ['b', ...nulls],
      ['c', ...nulls.with(9, '' as never)],
    ])
  })

  it('leaves deleted rows out, and has them with stamps where asked', async () => {
    const live = { key: ['SID1', 'CSE1'], cells: [{ value: 'A', stamp: STAMP }], deleted: null }
    const dead = { key: ['SID2', 'CSE1'], cells: [null], deleted: STAMP }
    const plain = await exported(DEFAULT_TABLE, [live, dead])
    expect(plain).toMatchObject({ rows: 1, found: [['SID1', 'CSE1', 'A']] })
    const stamped = await exported(DEFAULT_TABLE, [live, dead], { stamps: true })
    expect(stamped.types.map((text) => text.split(' ')[0])).toEqual([
      'student_id',
      'course_id',
      'grade',
      'grade_stamp',
      'deleted_stamp',
    ])
    expect(stamped.found).toEqual([
      ['SID1', 'CSE1', 'A', STAMP, null],
      ['SID2', 'CSE1', null, null, STAMP],
    ])
    expect((await exported(DEFAULT_TABLE, [])).rows).toBe(0)
  })

  it('takes nanoseconds where a value needs them, and refuses them beside far years', async () => {
    const table = { name: 'times', key: [column('k', 'string')], values: [column('t', 'timestamp')] }
    const far = row('far', ['0001-01-01 00:00:00.5Z'])
    const fine = row('fine', ['2026-11-22 15:11:21.956711651Z'])
    expect((await exported(table, [far])).found).toEqual([['far', '0001-01-01 00:00:00.5']])
    const nanoseconds = await exported(table, [fine])
    expect(nanoseconds.types).toEqual(['k VARCHAR', 't TIMESTAMP_NS'])
    expect(nanoseconds.found).toEqual([['fine', '2026-11-22 15:11:21.956711651']])
    await expect(exported(table, [far, fine])).rejects.toMatchObject({ code: 'VALUE_REFUSED' })
  })

  it('replaces an earlier export, and leaves it where the new one fails', async () => {
    const directory = join(root, 'again')
    const first = { key: ['SID1', 'CSE1'], cells: [{ value: 'A', stamp: STAMP }], deleted: null }
    await exportParquet(batches(DEFAULT_TABLE, [first]), DEFAULT_TABLE, directory)
    const failing = async function* (): AsyncGenerator<RowBatch> {
      yield* batches(DEFAULT_TABLE, [first])
      throw new Error('the source is gone')
    }
    await expect(exportParquet(failing(), DEFAULT_TABLE, directory)).rejects.toThrow('the source is gone')
    expect(await readdir(join(directory, DEFAULT_TABLE.name))).toEqual(['000000_0.parquet'])
    expect((await exportParquet(batches(DEFAULT_TABLE, [first, first]), DEFAULT_TABLE, directory)).rows).toBe(2)
    expect(await readdir(join(directory, DEFAULT_TABLE.name))).toEqual(['000000_0.parquet'])
    const blocked = join(root, 'blocked')
    await mkdir(blocked)
    await writeFile(join(blocked, DEFAULT_TABLE.name), 'a file where the folder should be')
    await expect(exportParquet(batches(DEFAULT_TABLE, [first]), DEFAULT_TABLE, blocked)).rejects.toMatchObject({
      code: 'BAD_OUTPUT_FILE',
    })
  })
})

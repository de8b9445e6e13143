import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, describe, expect, it, test } from 'vitest'
import { loadConnector } from '../../src/connectors/registry.ts'
import { renamed } from '../../src/connectors/renamed.ts'
import type { Connector } from '../../src/connectors/connector.ts'
import { batchOf } from '../../src/core/batch.ts'
import { MerganserError } from '../../src/core/errors.ts'
import type { Renames } from '../../src/core/renames.ts'
import { DEFAULT_TABLE, type TableSchema } from '../../src/core/table.ts'
import { connectorConformance } from '../../src/testkit/index.ts'

const root = await mkdtemp(join(tmpdir(), 'merganser-renamed-'))
let directories = 0
const directory = () => join(root, String(++directories))

afterAll(async () => {
  await rm(root, { recursive: true, force: true })
})

/** Every table of the kit, and each of its columns, under a name that only this database has. */
function kitRenames(): Renames {
  const columns = Object.fromEntries(
    'k k1 k2 k3 v v1 v2 v3 a b c d'
      .split(' ')
      .map((name) => [name, `${name}"; the %s column of ${name.toUpperCase()}`]),
  )
  return Object.fromEntries(
    Array.from({ length: 200 }, (_, i) => [`kit_${String(i)}`, { name: `The "Kit" 'No' ${String(i)}`, columns }]),
  )
}

const warehouse = (await loadConnector('embedded-warehouse'))!

connectorConformance({ describe, it, afterAll }, { connector: warehouse, directory, options: { tables: kitRenames() } })

const RENAMES: Renames = {
  STUDENT_course_grades: { name: 'app.Grades', columns: { student_id: 'sid', Grade: 'the mark' } },
}

async function opened(connector: Connector, place: string, tables: Renames = RENAMES) {
  const options = connector.options({ tables })
  const owner = { logId: 'log', name: 'a test' }
  return await connector.open(options, { access: 'write', directory: place, replica: 'HIVE', owner })
}

test('rows stand in the database under its own names, as its own tools show', async () => {
  const place = directory()
  const store = await opened(warehouse, place)
  await store.ensureTable(DEFAULT_TABLE)
  const cell = { value: 'A', stamp: '2026-11-22 15:11:21.956711651Z@HIVE' }
  const row = { key: ['S1', 'C1'], cells: [cell], deleted: null }
  expect(await store.writeRows(DEFAULT_TABLE, batchOf(DEFAULT_TABLE, [row]))).toMatchObject({ written: 1 })
  expect(await store.greatestStamp([DEFAULT_TABLE])).toBe(cell.stamp)
  await store.close()
  const instance = await DuckDBInstance.create(join(place, 'warehouse.duckdb'), { access_mode: 'READ_ONLY' })
  const connection = await instance.connect()
  const reader = await connection.runAndReadAll('SELECT sid, course_id, "the mark", "the mark_stamp" FROM "app.Grades"')
  expect(reader.getRows()).toEqual([['S1', 'C1', 'A', cell.stamp]])
  expect((await connection.runAndReadAll('SELECT * FROM "app.Grades_live"')).getRows()).toEqual([['S1', 'C1', 'A']])
  connection.disconnectSync()
  instance.closeSync()
})

test("an error's place names the table as it is configured, its message the name in the database", async () => {
  const store = await opened(warehouse, directory())
  await store.ensureTable(DEFAULT_TABLE)
  const other: TableSchema = { ...DEFAULT_TABLE, values: [{ name: 'grade', type: { name: 'int64' } }] }
  const error = await store.ensureTable(other).catch((thrown: unknown) => thrown)
  await store.close()
  expect(error).toBeInstanceOf(MerganserError)
  const { code, place, message } = error as MerganserError
  expect({ code, place }).toMatchObject({ code: 'SCHEMA_MISMATCH', place: { table: 'student_course_grades' } })
  expect(message).toContain('app.Grades')
})

test('documents refuse a field whose name their language could not speak of', async () => {
  const documents = (await loadConnector('embedded-documents'))!
  for (const name of ['a.b', '$set', 'größe']) {
    const store = await opened(documents, directory(), { student_course_grades: { columns: { grade: name } } })
    const thrown = await store.ensureTable(DEFAULT_TABLE).catch((error: unknown) => error)
    await store.close()
    expect(thrown, name).toMatchObject({ code: 'BAD_SCHEMA', place: { table: 'student_course_grades' } })
  }
})

test('a connector without the option is the connector itself, with the methods that it has', () => {
  const { type, capabilities } = warehouse
  const least: Connector = {
    type,
    capabilities,
    options: (raw) => raw,
    open: (options, context) => warehouse.open(options, context),
  }
  expect(warehouse).toHaveProperty('absent')
  expect(warehouse).not.toHaveProperty('settled')
  expect(Object.keys(renamed(least)).sort()).toEqual(Object.keys(least).sort())
  expect(warehouse.options({})).not.toHaveProperty('tables')
  expect(() => warehouse.options({ tables: { t: { nam: 'x' } } })).toThrow(/unknown key/)
})

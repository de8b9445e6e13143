import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { batchOf, type StampedRow } from '../../src/core/batch.ts'
import { DEFAULT_TABLE, type TableSchema } from '../../src/core/table.ts'
import { parseType } from '../../src/core/types.ts'
import { loadConnector } from '../../src/connectors/registry.ts'
import { Directories, DOCUMENTS, log, PAIRS, run, stored, WAREHOUSE, type Options } from './support.ts'

const directories = new Directories()
afterAll(() => directories.remove())

// Documents hold a wider range of years than the warehouse.
const WIDE: TableSchema = {
  name: 'wide',
  key: [{ name: 'k', type: parseType('string')! }],
  values: [
    { name: 'at', type: parseType('timestamp(9)')! },
    { name: 'note', type: parseType('string')! },
  ],
}
const MIXED: Options = { replicas: { A: DOCUMENTS, W: WAREHOUSE }, tables: [WIDE] }
const OLD = '0001-01-01 00:00:00.123456789Z'

/** Changes a value behind Merganser's back, its stamp as it is. */
async function tamper(
  directory: string,
  key: readonly string[],
  change: (row: StampedRow) => StampedRow,
  table = DEFAULT_TABLE,
) {
  const connector = (await loadConnector(DOCUMENTS))!
  const place = join(directory, 'databases', 'a')
  const { open } = await import('lmdb')
  const { dataFile } = await import('../../src/connectors/embedded-documents/files.ts')
  const reader = await connector.open({}, { access: 'read', directory: place, replica: 'A' })
  const { keysOf, rowAt } = await import('../../src/core/batch.ts')
  const row = rowAt(await reader.readRows(table, keysOf(table, [key])), 0)
  await reader.close()
  const file = open({ path: dataFile(place), noSubdir: true, maxDbs: 1001, encoding: 'binary', keyEncoding: 'binary' })
  const documents = file.openDB<Buffer, Buffer>({ name: table.name, encoding: 'binary', keyEncoding: 'binary' })
  const { keyBytes } = await import('../../src/core/table.ts')
  documents.removeSync(keyBytes(table, key))
  await file.flushed
  await file.close()
  const known = await connector.open({}, { access: 'read', directory: place, replica: 'A' })
  const owner = { logId: known.meta!.logId, name: 'somebody' }
  const meta = known.meta!
  await known.close()
  const writer = await connector.open({}, { access: 'write', owner, directory: place, replica: 'A' })
  await writer.writeRows(table, batchOf(table, [change(row)]))
  await writer.writeMeta({ inUse: false, highWater: meta.highWater, position: meta.position })
  await writer.close()
}

const first =
  (value: string) =>
  (row: StampedRow): StampedRow => ({
    ...row,
    cells: row.cells.map((cell, c) => (c === 0 ? { ...cell!, value } : cell)),
  })

test('I8: a value that a database cannot hold is refused there before it is acknowledged', async () => {
  const directory = await directories.make()
  const { error, report } = await run(directory, `A.SET(k, {at: "${OLD}"})\nW.SET(k, {at: "${OLD}"})`, MIXED)
  expect(error).toMatchObject({ code: 'VALUE_REFUSED', exitStatus: 2, place: { replica: 'W', line: 2 } })
  expect(report.statements.set).toBe(1)
  expect(await log(directory, 'W')).toEqual([])
})

test('I8: one that arrives by merge stays in cache and oplog, quarantined until a later value fits, over restarts', async () => {
  const directory = await directories.make()
  const first = await run(
    directory,
    `A.SET(k, {at: "${OLD}", note: n})\nA.SET(x, {note: fine})\nFULL_SYNC\nW.GET(k)`,
    MIXED,
  )
  expect(first.lines).toEqual([`W.GET((k)) = {at: ${OLD}, note: n}`])
  expect(first.report).toMatchObject({ converged: false, exitStatus: 1 })
  expect(first.report.replicas[1]!.quarantined).toMatchObject([{ table: 'wide', key: '(k)' }])
  expect(await stored(directory, 'W', WAREHOUSE, WIDE)).toEqual({ x: '- fine' })
  // Still there in another session, whatever else is written; the replica still shows what it took.
  const second = await run(directory, 'W.GET(k)\nW.SET(k, {note: m})\nW.SYNC\nW.GET(k)\nFULL_SYNC', MIXED)
  expect(second.lines).toEqual([`W.GET((k)) = {at: ${OLD}, note: n}`, `W.GET((k)) = {at: ${OLD}, note: m}`])
  expect(second.report).toMatchObject({ converged: false, exitStatus: 1 })
  expect((await run(directory, '', MIXED)).report).toMatchObject({ converged: false, exitStatus: 0 })
  const third = await run(directory, 'A.SET(k, {at: "2026-01-01 00:00:00Z"})\nFULL_SYNC', MIXED)
  expect(third.report).toMatchObject({ converged: true, exitStatus: 0 })
  expect(third.report.replicas[1]!.quarantined).toEqual([])
  expect(await stored(directory, 'W', WAREHOUSE, WIDE)).toEqual({ k: '2026-01-01 00:00:00Z m', x: '- fine' })
  expect((await run(directory, 'FULL_SYNC', MIXED)).report).toMatchObject({ converged: true, exitStatus: 0 })
})

test('I15: a value that changed in the database under its stamp is reported and not overwritten; a later SET replaces it', async () => {
  const directory = await directories.make()
  const options = { tables: [PAIRS] }
  await run(directory, 'A.SET(k, {a: 1, b: 2})\nA.SET(j, {a: 1, b: 2})\nB.MERGE(A)', options)
  await tamper(directory, ['k'], first('mine'), PAIRS)
  // The cache holds the same stamp with another value, by the merge: seen when the row is read, and when it is flushed.
  const { report, told } = await run(directory, 'A.SET(k, {b: 3})\nA.MERGE(B)\nA.GET(k)\nA.SYNC', options)
  expect(await stored(directory, 'A', undefined, PAIRS)).toEqual({ k: 'mine 3', j: '1 2' })
  expect(report.replicas[0]!.foreign).toBeGreaterThanOrEqual(0)
  expect(told.messages.join('\n')).not.toContain('BUG')
  await run(directory, 'A.SET(k, {a: later})', options)
  expect(await stored(directory, 'A', undefined, PAIRS)).toEqual({ k: 'later 3', j: '1 2' })
})

test('I15: a foreign value met by a GET of a row that the cache holds is reported, and stays', async () => {
  const directory = await directories.make()
  const options = { tables: [PAIRS] }
  await run(directory, 'A.SET(k, {a: 1})\nA.SYNC', options)
  await tamper(directory, ['k'], first('mine'), PAIRS)
  // B's log brings the original back to A: with its stamp, so that the database keeps the foreign value.
  const setup = await run(directory, 'B.GET(k)', options)
  expect(setup.report.exitStatus).toBe(0)
  const { told, report } = await run(directory, 'A.GET(k)\nA.SET(k, {b: 2})\nA.SYNC', { ...options })
  expect(report.exitStatus).toBe(0)
  expect(await stored(directory, 'A', undefined, PAIRS)).toEqual({ k: 'mine 2' })
  expect(told.problems).toEqual([])
})

test('a flush that meets an equal stamp with another value reports it once and leaves it', async () => {
  const directory = await directories.make()
  const options = { tables: [PAIRS] }
  await run(directory, 'A.SET(k, {a: 1})\nB.MERGE(A)\nA.SYNC', options)
  await tamper(directory, ['k'], first('mine'), PAIRS)
  // The backup of the state directory's positions is lost: everything is flushed again.
  const { unlink } = await import('node:fs/promises')
  await unlink(join(directory, 'positions'))
  const { told, report } = await run(directory, 'A.GET(k)\nA.SET(k, {b: 2})\nA.SYNC', options)
  expect(told.messages.filter((text) => text.includes('was changed in the database under its stamp'))).toHaveLength(1)
  expect(report.replicas[0]!.foreign).toBe(1)
  expect(await stored(directory, 'A', undefined, PAIRS)).toEqual({ k: 'mine 2' })
})

test('rows that need a look-up before they are flushed keep their before-images for ROLLBACK', async () => {
  const directory = await directories.make()
  const options = { tables: [PAIRS] }
  await run(directory, 'A.SET(k, {a: 1, b: 1})\nA.SET(j, {a: 1})\nA.SYNC', options)
  const { lines } = await run(
    directory,
    `A.SET(k, {a: 2})
     A.SET(n, {a: 2})
     A.SYNC
     A.DELETE(k)
     A.SYNC
     B.SET(j, {b: 9})
     A.MERGE(B)
     A.SYNC
     ROLLBACK
     A.GET(k)
     A.GET(j)
     A.GET(n)
     B.GET(j)`,
    options,
  )
  expect(lines).toEqual([
    'A.GET((k)) = {a: 1, b: 1}',
    'A.GET((j)) = {a: 1, b: \\N}',
    'A.GET((n)) = none',
    'B.GET((j)) = none',
  ])
  expect(await stored(directory, 'A', undefined, PAIRS)).toMatchObject({ k: '1 1', n: '- - deleted' })
})

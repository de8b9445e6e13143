import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { Binary, BSON, Decimal128, deserialize, Double, Long } from 'bson'
import { open as openLmdb } from 'lmdb'
import { afterAll, expect, it } from 'vitest'
import { embeddedDocuments } from '../../src/connectors/embedded-documents/connector.ts'
import { batchOf, keysOf, rowAt, type StampedRow } from '../../src/core/batch.ts'
import { DEFAULT_TABLE, keyBytes, type TableSchema } from '../../src/core/table.ts'
import { parseType } from '../../src/core/types.ts'
import type { ReplicaStore } from '../../src/connectors/connector.ts'
import { compile } from '../environment/compiled.ts'

const root = await mkdtemp(join(tmpdir(), 'merganser-documents-'))
const compiled = await compile([
  'core',
  'environment',
  'connectors',
  'connectors/documents',
  'connectors/embedded-documents',
])
await symlink(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(compiled, 'node_modules'))
afterAll(async () => {
  await rm(root, { recursive: true, force: true })
  await rm(compiled, { recursive: true, force: true })
})

let directories = 0
const fresh = () => join(root, String(++directories))
const OWNER = { logId: 'log', name: 'test' }
const open = (directory: string, access: 'write' | 'read' = 'write') =>
  embeddedDocuments.open({}, { access, directory, replica: 'MONGODB', ...(access === 'write' ? { owner: OWNER } : {}) })

/** A program beside the compiled sources. */
async function script(name: string, body: string): Promise<string> {
  const path = join(compiled, name)
  const prelude = `
    import { parentPort, workerData } from 'node:worker_threads'
    import { embeddedDocuments } from './connectors/embedded-documents/connector.js'
    import { batchOf } from './core/batch.js'
    import { DEFAULT_TABLE } from './core/table.js'
    const openStore = (directory, access) => embeddedDocuments.open({}, {
      access, directory, replica: 'MONGODB', ...(access === 'write' ? { owner: { logId: 'log', name: 'child' } } : {}),
    })`
  await writeFile(path, prelude + body)
  return path
}

async function message(child: ChildProcess): Promise<unknown> {
  const [first] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => Promise.reject(new Error('the child ended'))),
  ])) as [unknown]
  return first
}

const STAMP = '2026-11-22 15:11:21.956711651Z@MONGODB'

const grade = (n: number, value: string, at = STAMP): StampedRow => ({
  key: [`student ${String(n)}`, 'course'],
  cells: [{ value, stamp: at }],
  deleted: null,
})

async function scanned(store: ReplicaStore, table: TableSchema): Promise<StampedRow[]> {
  const rows = []
  for await (const batch of store.scanRows(table)) for (let i = 0; i < batch.rows; i++) rows.push(rowAt(batch, i))
  return rows
}

/** The bytes of a document, read by LMDB alone. */
async function storedBytes(directory: string, table: TableSchema, key: string[]): Promise<Buffer> {
  const environment = openLmdb(join(directory, 'documents.mdb'), { readOnly: true, noSubdir: true, pageSize: 8192 })
  const documents = environment.openDB<Buffer, Buffer>({ name: table.name, encoding: 'binary', keyEncoding: 'binary' })
  const bytes = documents.getBinary(keyBytes(table, key))
  await environment.close()
  return bytes!
}

it("a row is a document in the shape of MongoDB's connector, byte for byte as the driver's encoder writes it", async () => {
  const directory = fresh()
  const store = await open(directory)
  const spellings = ['string', 'int64', 'float64', 'decimal(38,18)', 'boolean', 'bytes', 'date', 'timestamp(3)', 'json']
  const values = [...spellings, 'timestamp', 'string', 'string', 'json'].map((spelling, c) => ({
    name: `v${String(c)}`,
    type: parseType(spelling)!,
  }))
  const table: TableSchema = {
    name: 'shapes',
    key: [{ name: 'n', type: { name: 'int64' } }, ...DEFAULT_TABLE.key],
    values,
  }
  const texts = [
    ...['é', '-1', '1.5', '12.5', 'true', '\\x00ff', '0001-01-01', '2026-11-22 15:11:21.95Z', '{"$ref":1,"a":[1,2.5]}'],
    ...['2026-11-22 15:11:21.5Z', null, undefined, null],
  ]
  await store.ensureTable(table)
  const cells = texts.map((value) => (value === undefined ? null : { value, stamp: STAMP }))
  await store.writeRows(table, batchOf(table, [{ key: ['7', 'S1', 'C1'], cells, deleted: STAMP.replace('26', '25') }]))
  await store.close()

  const id = { n: Long.fromNumber(7), student_id: 'S1', course_id: 'C1' }
  const stamped = texts.flatMap((value, c) => (value === undefined ? [] : [[`v${String(c)}`, STAMP] as const]))
  const document = {
    ...{ _id: id, ...id, v0: 'é', v1: Long.fromNumber(-1), v2: new Double(1.5), v3: Decimal128.fromString('12.5') },
    ...{ v4: true, v5: new Binary(Uint8Array.of(0, 255)), v6: new Date('0001-01-01T00:00:00Z') },
    ...{ v7: new Date('2026-11-22T15:11:21.950Z'), v8: { $ref: 1, a: [1, 2.5] }, v9: '2026-11-22 15:11:21.500000000Z' },
    ...{ v10: null, stamps: { ...Object.fromEntries(stamped), deleted: STAMP.replace('26', '25') } },
  }
  const bytes = await storedBytes(directory, table, ['7', 'S1', 'C1'])
  expect(bytes.toString('hex')).toBe(Buffer.from(BSON.serialize(document)).toString('hex'))
  expect(deserialize(bytes)['stamps']).toEqual(document.stamps)
})

it('its files are for their owner only, and a database that was opened is not absent', async () => {
  const directory = fresh()
  expect(await embeddedDocuments.absent?.({}, directory)).toBe(true)
  await (await open(directory, 'read')).close()
  expect(existsSync(directory)).toBe(false)
  const store = await open(directory)
  const names = await readdir(directory)
  expect(names.sort()).toEqual(['documents.mdb', 'documents.mdb-lock', 'owner.lock'])
  for (const name of names) expect((await stat(join(directory, name))).mode & 0o777, name).toBe(0o600)
  expect((await stat(directory)).mode & 0o777).toBe(0o700)
  await store.close()
  expect(await readdir(directory)).not.toContain('owner.lock')
  expect(await embeddedDocuments.absent?.({}, directory)).toBe(false)
})

it('files that are damaged, of a later format, or a directory that is a file are refused with a code', async () => {
  const code = async (directory: string) => {
    try {
      await (await open(directory)).close()
      return 'opened'
    } catch (error) {
      return (error as { code?: unknown }).code
    }
  }
  const damaged = fresh()
  await mkdir(damaged)
  await writeFile(join(damaged, 'documents.mdb'), Buffer.alloc(65_536, 'x'))
  expect(await code(damaged)).toBe('DATABASE_REFUSED')
  expect(await readdir(damaged)).not.toContain('owner.lock')

  for (const cut of [100, 8192, 16_384, 40_000]) {
    const short = fresh()
    const store = await open(short)
    await store.ensureTable(DEFAULT_TABLE)
    const rows = Array.from({ length: 5_000 }, (_, i) => grade(i, 'v'))
    await store.writeRows(DEFAULT_TABLE, batchOf(DEFAULT_TABLE, rows))
    await store.close()
    await truncate(join(short, 'documents.mdb'), cut)
    const readable = async (access: 'write' | 'read') => {
      const opened = await open(short, access)
      try {
        return await scanned(opened, DEFAULT_TABLE)
      } finally {
        await opened.close()
      }
    }
    await expect(readable('read')).rejects.toMatchObject({ code: 'DATABASE_REFUSED' })
    await expect(readable('write')).rejects.toMatchObject({ code: 'DATABASE_REFUSED' })
  }

  const instead = fresh()
  await mkdir(join(instead, 'documents.mdb'), { recursive: true })
  expect(await code(instead)).toBe('STATE_UNUSABLE')
  const lockInstead = fresh()
  await mkdir(join(lockInstead, 'documents.mdb-lock'), { recursive: true })
  expect(await code(lockInstead)).toBe('STATE_UNUSABLE')

  const later = fresh()
  await (await open(later)).close()
  const environment = openLmdb(join(later, 'documents.mdb'), { noSubdir: true, pageSize: 8192 })
  const meta = environment.openDB<Buffer, Buffer>({ name: 'merganser_meta', encoding: 'binary', keyEncoding: 'binary' })
  await meta.put(Buffer.from('format'), Buffer.from(BSON.serialize({ format: 2 })))
  await environment.close()
  expect(await code(later)).toBe('STATE_FORMAT')

  const file = fresh()
  await writeFile(file, 'a file')
  expect(await code(file)).toBe('STATE_UNUSABLE')
  const inFile = join(file, 'below')
  expect(await code(inFile)).toBe('STATE_UNUSABLE')
  await chmod(file, 0o600)
})

it('it opens and closes repeatedly in one process and in a worker thread, and a store grows past many megabytes', async () => {
  const directory = fresh()
  for (let time = 0; time < 20; time++) {
    const store = await open(directory)
    await store.ensureTable(DEFAULT_TABLE)
    await store.writeRows(DEFAULT_TABLE, batchOf(DEFAULT_TABLE, [grade(time, 'v'.repeat(time === 10 ? 500_000 : 10))]))
    await store.close()
  }
  const big = Array.from({ length: 200 }, (_, i) => grade(100 + i, String(i).padEnd(500_000)))
  const store = await open(directory)
  expect((await store.writeRows(DEFAULT_TABLE, batchOf(DEFAULT_TABLE, big))).written).toBe(200)
  await store.close()

  const body = `
    let rows = 0
    for (let time = 0; time < 3; time++) {
      const store = await openStore(workerData, 'write')
      for await (const batch of store.scanRows(DEFAULT_TABLE)) rows += batch.rows
      await store.close()
    }
    parentPort.postMessage(rows)`
  const worker = new Worker(await script('worker.mjs', body), { workerData: directory })
  const [rows] = (await once(worker, 'message')) as [number]
  await once(worker, 'exit')
  expect(rows).toBe(3 * 220)
  const again = await open(directory)
  expect(await scanned(again, DEFAULT_TABLE)).toHaveLength(220)
  await again.close()
})

it('I4: what a write returned for is there after kill -9, the lock is taken over, and the rest is whole', async () => {
  const body = `
    const store = await openStore(process.argv[2], 'write')
    await store.ensureTable(DEFAULT_TABLE)
    for (let n = 1; ; n++) {
      const stamp = '2026-11-22 15:11:21.' + String(n).padStart(9, '0') + 'Z@MONGODB'
      const row = (i) => ({ key: ['student ' + i, 'course'], cells: [{ value: 'v' + n, stamp }], deleted: null })
      await store.writeRows(DEFAULT_TABLE, batchOf(DEFAULT_TABLE, Array.from({ length: 500 }, (_, i) => row(i))))
      await new Promise((resolve) => process.send(n, resolve))
    }`
  const path = await script('writer.mjs', body)
  const directory = fresh()
  for (let time = 0; time < 3; time++) {
    const child = fork(path, [directory])
    child.setMaxListeners(0)
    let acknowledged = 0
    child.on('message', (n) => {
      acknowledged = n as number
    })
    while (acknowledged < 20) await message(child)
    await expect(open(directory)).rejects.toMatchObject({ code: 'DATABASE_LOCKED' })
    child.kill('SIGKILL')
    await once(child, 'exit')
    const store = await open(directory)
    expect(store.meta).toMatchObject({ logId: 'log', inUse: true })
    const rows = await scanned(store, DEFAULT_TABLE)
    expect(rows).toHaveLength(500)
    const seen = new Set(rows.map((row) => row.cells[0]!.value))
    expect(seen.size, 'a batch is there whole').toBe(1)
    expect(Number([...seen][0]!.slice(1))).toBeGreaterThanOrEqual(acknowledged)
    const newer = rows.map((row) => ({
      ...row,
      cells: [{ value: 'v', stamp: `2026-11-22 15:11:20.00000000${String(time)}Z@A` }],
    }))
    expect((await store.writeRows(DEFAULT_TABLE, batchOf(DEFAULT_TABLE, newer))).stale).toBe(500)
    await store.close()
    await rm(directory, { recursive: true })
  }
})

it('another process reads what is committed while this one writes, and takes no lock', async () => {
  const body = `
    const store = await openStore(process.argv[2], 'read')
    process.on('message', async () => {
      let rows = 0
      for await (const batch of store.scanRows(DEFAULT_TABLE)) rows += batch.rows
      process.send(rows)
    })
    process.on('disconnect', () => store.close())
    process.send('ready')`
  const directory = fresh()
  const store = await open(directory)
  const child = fork(await script('reader.mjs', body), [directory])
  child.setMaxListeners(0)
  expect(await message(child)).toBe('ready')
  const asked = async () => {
    const answer = message(child)
    child.send('?')
    return await answer
  }
  expect(await asked(), 'the table is not there yet').toBe(0)
  await store.ensureTable(DEFAULT_TABLE)
  for (let n = 1; n <= 3; n++) {
    const rows = Array.from({ length: 3_000 }, (_, i) => grade(n * 10_000 + i, 'v'))
    await store.writeRows(DEFAULT_TABLE, batchOf(DEFAULT_TABLE, rows))
    expect(await asked()).toBe(n * 3_000)
  }
  const key = keysOf(DEFAULT_TABLE, [['student 10000', 'course']])
  expect((await store.readRows(DEFAULT_TABLE, key)).rows).toBe(1)
  const ended = once(child, 'exit')
  child.disconnect()
  expect((await ended)[0]).toBe(0)
  await store.close()
})

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { embeddedWarehouse } from '../../src/connectors/embedded-warehouse/connector.ts'
import type { OpenContext, ReplicaStore } from '../../src/connectors/connector.ts'
import { batchOf, keysOf, rowAt, type StampedRow } from '../../src/core/batch.ts'
import { DEFAULT_TABLE, type TableSchema } from '../../src/core/table.ts'
import { compile } from '../environment/compiled.ts'

const OWNER = { logId: 'log-1', name: 'pid 1 on test' }
const FILE = 'warehouse.duckdb'

let root: string
let compiled: string
let directories = 0

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'merganser-warehouse-'))
  compiled = await compile(['core', 'environment', 'connectors', 'connectors/embedded-warehouse'])
  await symlink(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(compiled, 'node_modules'))
})

afterAll(async () => {
  await rm(root, { recursive: true, force: true })
  await rm(compiled, { recursive: true, force: true })
})

const fresh = () => join(root, String(++directories))

function stamp(n: number): string {
  return `2026-11-22 15:11:21.${String(n).padStart(9, '0')}Z@HIVE`
}

function row(i: number, value: string | null, n: number): StampedRow {
  return { key: [`SID${String(i)}`, 'CSE1'], cells: [{ value, stamp: stamp(n) }], deleted: null }
}

async function opened(
  directory: string,
  access: OpenContext['access'] = 'write',
  replica = 'HIVE',
): Promise<ReplicaStore> {
  return await embeddedWarehouse.open(embeddedWarehouse.options({}), { access, owner: OWNER, directory, replica })
}

async function all(store: ReplicaStore, table: TableSchema = DEFAULT_TABLE): Promise<StampedRow[]> {
  const rows: StampedRow[] = []
  for await (const batch of store.scanRows(table)) for (let i = 0; i < batch.rows; i++) rows.push(rowAt(batch, i))
  return rows
}

/** Runs a program on the compiled connector; `open`, `row` and `write` are there. Lines of its output, as they come. */
async function child(
  directory: string,
  program: string,
): Promise<{ process: ChildProcess; line: () => Promise<string> }> {
  const file = join(compiled, `child-${String(++directories)}.js`)
  await writeFile(
    file,
    `import { embeddedWarehouse } from './connectors/embedded-warehouse/connector.js'
     import { batchOf } from './core/batch.js'
     import { DEFAULT_TABLE as table } from './core/table.js'
     import { writeSync } from 'node:fs'
     const directory = ${JSON.stringify(directory)}
     const open = (access) => embeddedWarehouse.open({}, { access, owner: { logId: 'log-2', name: 'child' }, directory, replica: 'HIVE' })
     const stamp = ${stamp.toString()}
     const row = ${row.toString()}
     const say = (text) => writeSync(1, text + '\\n')
     ${program}`,
  )
  const started = spawn(process.execPath, [file], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface(started.stdout)[Symbol.asyncIterator]()
  return { process: started, line: async () => String((await lines.next()).value) }
}

describe('the embedded warehouse between processes', () => {
  it('I4: what writeRows returned for is there after kill -9', async () => {
    const directory = fresh()
    const killed = await child(
      directory,
      `const store = await open('write')
       await store.ensureTable(table)
       for (let n = 1; ; n++) {
         const rows = Array.from({ length: 300 }, (_, i) => row(i, 'v' + n, n))
         await store.writeRows(table, batchOf(table, rows))
         say(String(n))
       }`,
    )
    let acknowledged = 0
    while (acknowledged < 5) acknowledged = Number(await killed.line())
    const exit = once(killed.process, 'exit')
    killed.process.kill('SIGKILL')
    await exit

    const reader = await opened(directory, 'read')
    const read = await all(reader)
    await reader.close()
    const store = await opened(directory)
    expect(store.meta).toEqual({ logId: 'log-2', inUse: true, highWater: '', position: 0 })
    const rows = await all(store)
    expect(rows).toHaveLength(300)
    expect(read, 'read before it is repaired').toEqual(rows)
    const seen = new Set(rows.map((one) => one.cells[0]!.value))
    expect(seen.size, 'a batch is there whole or not at all').toBe(1)
    expect(Number([...seen][0]!.slice(1))).toBeGreaterThanOrEqual(acknowledged)
    await store.close()
  })

  it('I9: while another process writes, a second owner and a reader are refused with its name', async () => {
    const directory = fresh()
    const other = await child(
      directory,
      `const store = await open('write')
       await store.ensureTable(table)
       say('open')
       process.stdin.on('end', () => void store.close())
       process.stdin.resume()`,
    )
    expect(await other.line()).toBe('open')
    const messages: string[] = []
    const write = embeddedWarehouse.open(
      {},
      { access: 'write', owner: OWNER, directory, replica: 'HIVE', progress: (message) => messages.push(message) },
    )
    const named = expect.stringContaining(`pid ${String(other.process.pid)}`) as string
    await expect(write).rejects.toMatchObject({ code: 'DATABASE_LOCKED', message: named })
    expect(messages).toHaveLength(1)
    await expect(opened(directory, 'read')).rejects.toMatchObject({ code: 'DATABASE_LOCKED', message: named })

    const exit = once(other.process, 'exit')
    const waiting = opened(directory)
    other.process.stdin!.end()
    const store = await waiting
    await exit
    expect(await all(store)).toEqual([])
    await store.close()
  })

  it('opens, writes and closes again and again in a worker thread, while this thread is kept away', async () => {
    const directory = fresh()
    const file = join(compiled, 'worker.js')
    await writeFile(
      file,
      `import { embeddedWarehouse } from './connectors/embedded-warehouse/connector.js'
       import { batchOf } from './core/batch.js'
       import { DEFAULT_TABLE as table } from './core/table.js'
       import { parentPort, workerData } from 'node:worker_threads'
       const stamp = ${stamp.toString()}
       const row = ${row.toString()}
       for (let n = 1; n <= 6; n++) {
         const store = await embeddedWarehouse.open({}, { access: 'write', owner: workerData.owner, directory: workerData.directory, replica: 'HIVE' })
         await store.ensureTable(table)
         await store.writeRows(table, batchOf(table, [row(1, 'v' + n, n)]))
         if (n === 6) {
           parentPort.postMessage('open')
           await new Promise((resolve) => parentPort.once('message', resolve))
         }
         await store.close()
       }
       parentPort.close()`,
    )
    const worker = new Worker(file, { workerData: { directory, owner: OWNER } })
    const exit = once(worker, 'exit')
    await once(worker, 'message')
    await expect(opened(directory, 'read')).rejects.toMatchObject({ code: 'DATABASE_LOCKED' })
    await expect(opened(directory)).rejects.toMatchObject({ code: 'DATABASE_LOCKED' })
    worker.postMessage('close')
    await exit
    const store = await opened(directory, 'read')
    expect(await all(store)).toEqual([row(1, 'v6', 6)])
    await store.close()
  })
})

describe('the embedded warehouse in one thread', () => {
  it('readers share the file with the writer, see what it commits, and outlive it', async () => {
    const directory = fresh()
    const writer = await opened(directory)
    await writer.ensureTable(DEFAULT_TABLE)
    const readers = await Promise.all([opened(directory, 'read'), opened(directory, 'read')])
    await writer.writeRows(DEFAULT_TABLE, batchOf(DEFAULT_TABLE, [row(1, 'A', 1)]))
    for (const reader of readers) expect(await all(reader)).toEqual([row(1, 'A', 1)])
    await expect(opened(directory)).rejects.toMatchObject({ code: 'DATABASE_LOCKED', message: /pid 1 on test/ })
    await writer.close()
    expect(await all(readers[0])).toEqual([row(1, 'A', 1)])
    const again = await opened(directory)
    await again.writeRows(DEFAULT_TABLE, batchOf(DEFAULT_TABLE, [row(1, 'B', 2)]))
    expect(await all(readers[1])).toEqual([row(1, 'B', 2)])
    await Promise.all([again.close(), ...readers.map((reader) => reader.close())])
    expect(await readdir(directory)).toEqual([FILE])
  })

  it('a scan that is left early, and one that is never ended, keep no file open', async () => {
    const directory = fresh()
    const store = await opened(directory)
    await store.ensureTable(DEFAULT_TABLE)
    const rows = Array.from({ length: 30_000 }, (_, i) => row(i, 'A', 1))
    await store.writeRows(DEFAULT_TABLE, batchOf(DEFAULT_TABLE, rows))
    for await (const batch of store.scanRows(DEFAULT_TABLE)) {
      expect(batch.rows).toBeGreaterThan(0)
      break
    }
    const iterator = store.scanRows(DEFAULT_TABLE)[Symbol.asyncIterator]()
    await iterator.next()
    await store.close()
    await expect(iterator.next()).rejects.toMatchObject({ code: 'STORE_CLOSED' })
    // DuckDB writes its log into the file and removes it only when the last one that uses it is gone.
    expect(await readdir(directory)).toEqual([FILE])
    const other = await child(directory, `await (await open('write')).close(); say('opened')`)
    expect(await other.line()).toBe('opened')
  })

  it('the write-ahead log does not grow without bound', async () => {
    const directory = fresh()
    const store = await opened(directory)
    await store.ensureTable(DEFAULT_TABLE)
    let most = 0
    for (let n = 1; n <= 12; n++) {
      const rows = Array.from({ length: 20_000 }, (_, i) => row(i, 'A'.repeat(400) + String(n), n))
      expect((await store.writeRows(DEFAULT_TABLE, batchOf(DEFAULT_TABLE, rows))).written).toBe(20_000)
      const size = await stat(join(directory, `${FILE}.wal`)).then(
        (found) => found.size,
        () => 0,
      )
      most = Math.max(most, size)
    }
    expect(most).toBeLessThan(90e6)
    await store.close()
  })

  it('has the shape of Hive: stamps beside values, a view of the rows that exist, one row of merganser_meta', async () => {
    const directory = fresh()
    const store = await opened(directory)
    await store.ensureTable(DEFAULT_TABLE)
    const dead = { key: ['SID2', 'CSE1'], cells: [null], deleted: stamp(2) }
    await store.writeRows(DEFAULT_TABLE, batchOf(DEFAULT_TABLE, [row(1, 'A', 1), dead, row(3, null, 1)]))
    await store.close()
    const instance = await DuckDBInstance.create(join(directory, FILE), { access_mode: 'READ_ONLY' })
    const connection = await instance.connect()
    const query = async (sql: string) => (await connection.runAndReadAll(sql)).getRowObjectsJS()
    expect(await query('FROM student_course_grades_live ORDER BY ALL')).toEqual([
      { student_id: 'SID1', course_id: 'CSE1', grade: 'A' },
      { student_id: 'SID3', course_id: 'CSE1', grade: null },
    ])
    expect(await query("FROM student_course_grades WHERE student_id = 'SID1'")).toEqual([
      { student_id: 'SID1', course_id: 'CSE1', grade: 'A', grade_stamp: stamp(1), deleted_stamp: null },
    ])
    expect(await query('SELECT owner, log_id FROM merganser_meta')).toEqual([
      { owner: OWNER.name, log_id: OWNER.logId },
    ])
    connection.disconnectSync()
    instance.closeSync()
  })

  it('refuses a file that is no database, and options that it does not have', async () => {
    const directory = fresh()
    const store = await opened(directory)
    await store.close()
    await writeFile(join(directory, FILE), 'no database '.repeat(5000))
    await expect(opened(directory)).rejects.toMatchObject({ code: 'DATABASE_REFUSED' })
    expect(await readdir(directory), 'the lock is given back').toEqual([FILE])
    for (const options of [{ memmory: '1GB' }, { memory: 'much' }, { memory: 7 }, { threads: 0 }, { threads: '2' }]) {
      expect(() => embeddedWarehouse.options(options)).toThrow(expect.objectContaining({ code: 'BAD_CONFIG' }) as Error)
    }
    expect(embeddedWarehouse.options({ memory: '2GB' })).toEqual({ memory: '2000MB', threads: 2 })
  })

  it('tells 0 from -0 under one stamp, and reads nanoseconds and far years exactly in columns of their own', async () => {
    const directory = fresh()
    const store = await opened(directory)
    const table: TableSchema = {
      name: 'edges',
      key: [{ name: 'k', type: { name: 'timestamp', scale: 9 } }],
      values: [
        { name: 'f', type: { name: 'float64' } },
        { name: 't', type: { name: 'timestamp', scale: 6 } },
      ],
    }
    const of = (key: string, f: string, t: string): StampedRow => ({
      key: [key],
      cells: [f, t].map((value) => ({ value, stamp: stamp(1) })),
      deleted: null,
    })
    await store.ensureTable(table)
    const good = of('2026-11-22 15:11:21.956711651Z', '0', '9999-12-31 23:59:59.999999Z')
    const result = await store.writeRows(
      table,
      batchOf(table, [of('9999-01-01 00:00:00Z', '1', '0001-01-01 00:00:00Z'), good]),
    )
    expect(result).toMatchObject({ written: 1, stale: 0, foreign: [] })
    expect(result.rejected).toEqual([{ row: 0, reason: expect.stringContaining('1678 to 2261') as string }])
    const negative = of(good.key[0]!, '-0', '9999-12-31 23:59:59.999999Z')
    expect((await store.writeRows(table, batchOf(table, [negative]))).foreign).toEqual([{ row: 0, column: 0 }])
    expect(await all(store, table)).toEqual([good])
    const found = await store.readRows(
      table,
      keysOf(table, [['9999-01-01 00:00:00Z'], ['0001-01-01 00:00:00Z'], [...good.key]]),
    )
    expect(found.rows).toBe(1)
    await store.close()
  })
})

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, expect, test } from 'vitest'
import type * as Library from '../../src/index.ts'
import { Directories } from '../engine/support.ts'

/** The library as programs import it: its threads start from what was built. */
const built: unknown = await import(new URL('../../lib/index.js', import.meta.url).href)
const { copy, diff, doctor, newTally, openSession, repair } = built as typeof Library

const directories = new Directories()
afterAll(() => directories.remove())

const TABLES = {
  grades: { key: { student: 'string' }, values: { grade: 'string' } },
  rooms: { key: { name: 'string' }, values: { seats: 'int64' } },
} as const

async function setup() {
  const state = await directories.make()
  const options = {
    tables: TABLES,
    replicas: { A: { type: 'embedded-warehouse' }, B: { type: 'embedded-documents' } },
    state,
  }
  return { state, options }
}

async function differences(
  options: Awaited<ReturnType<typeof setup>>['options'],
  table: keyof typeof TABLES = 'grades',
) {
  const found: string[] = []
  for await (const { key, kind } of diff(options, 'A', 'B', table, { settle: 0 })) found.push(`${kind} ${key.join()}`)
  return found
}

test('I2: repair brings each replica what it lacks, writes a plan or only counts, and keeps what takes it back', async () => {
  const { state, options } = await setup()
  const session = await openSession(options)
  await session.set('A', 'grades', { student: 's1' }, { grade: 'A' })
  await session.set('B', 'grades', { student: 's2' }, { grade: 'B' })
  await session.set('B', 'rooms', { name: 'hall' }, { seats: 200n })
  await session.close()
  const only = { tables: ['grades'], settle: 0 } as const
  const counts = { rows: 2, settled: 2, open: 0, different: 0 }
  expect(await repair(options, 'a', 'B', { ...only, dryRun: true })).toMatchObject({ ...counts, files: undefined })
  const plan = join(state, 'plan.in')
  const planned = await repair(options, 'A', 'B', { ...only, plan })
  expect(planned).toMatchObject({ ...counts, lines: 2, files: { plan, undo: join(state, 'undo.in') } })
  expect(await readFile(plan, 'utf8')).toMatch(/Z@A, B\.SET\(\(?s1\)?, A\)/)
  expect(await differences(options)).toEqual(['left-only s1', 'right-only s2'])
  const { files, ...done } = await repair(options, 'A', 'B', only)
  expect(done).toMatchObject(counts)
  expect(await readFile(files!.undo, 'utf8')).toContain('DELETE')
  expect(await differences(options)).toEqual([])
  expect(await differences(options, 'rooms')).toEqual(['right-only hall'])
  expect(await repair(options, 'A', 'B', { settle: 0 })).toMatchObject({ rows: 1, different: 0 })
  expect(await repair(options, 'A', 'B', { settle: 0 })).toMatchObject({ rows: 0, different: 0, files: undefined })
})

test('I15: repair leaves what stamps do not settle, and tells of it, but for a replica whose values are preferred', async () => {
  const { state, options } = await setup()
  const session = await openSession(options)
  await session.set('A', 'grades', { student: 's1' }, { grade: 'A' })
  await session.fullSync()
  await session.close()
  const database = await DuckDBInstance.create(join(state, 'databases/a/warehouse.duckdb'))
  const connection = await database.connect()
  await connection.run("UPDATE grades SET grade = 'forged'")
  await connection.run('CHECKPOINT')
  connection.closeSync()
  database.closeSync()
  const left: string[] = []
  const kept = await repair(options, 'A', 'B', { settle: 0, onLeft: (what) => left.push(what) })
  expect(kept).toMatchObject({ rows: 1, open: 1, different: 1 })
  expect(left).toEqual([expect.stringContaining('grades (s1): grade')])
  expect(await repair(options, 'A', 'B', { settle: 0, prefer: 'b' })).toMatchObject({ chosen: 1, different: 0 })
  const again = await openSession(options)
  expect(await again.get('A', 'grades', { student: 's1' })).toEqual({ grade: 'A' })
  await again.close()
  await expect(repair(options, 'A', 'B', { prefer: 'C' })).rejects.toMatchObject({ code: 'UNKNOWN_REPLICA' })
  await expect(repair(options, 'A', 'A')).rejects.toMatchObject({ code: 'SAME_REPLICA' })
  const signal = AbortSignal.abort()
  await expect(repair(options, 'A', 'B', { signal })).rejects.toMatchObject({ code: 'INTERRUPTED' })
})

test('copy fills a replica with rows that keep their stamps, table by table, and tells how far it is', async () => {
  const { options } = await setup()
  const session = await openSession(options)
  for (let i = 0; i < 100; i++) await session.set('A', 'grades', { student: `s${String(i)}` }, { grade: 'A' })
  await session.delete('A', 'grades', { student: 's7' })
  await session.close()
  const progress: [string, number][] = []
  const copied = await copy(options, 'A', 'B', { onProgress: (table, rows) => progress.push([table, rows]) })
  expect(copied).toMatchObject([
    { table: 'grades', rows: 100, written: 100, rejected: 0, whole: true },
    { table: 'rooms', rows: 0, whole: true },
  ])
  expect(progress).toEqual([['grades', 100]])
  const tally = newTally()
  for await (const difference of diff(options, 'A', 'B', 'grades', { tally })) expect(difference).toBeUndefined()
  expect(tally.compared).toBe(100)
  expect(await copy(options, 'A', 'B', { tables: ['grades'], restart: true })).toMatchObject([
    { rows: 100, written: 0 },
  ])
  await expect(copy(options, 'A', 'a')).rejects.toMatchObject({ code: 'SAME_REPLICA' })
  await expect(copy(options, 'A', 'X')).rejects.toMatchObject({ code: 'UNKNOWN_REPLICA', advice: 'known: A, B' })
  expect(await copy(options, 'A', 'B', { signal: AbortSignal.abort() })).toEqual([])
})

test('doctor tells of each replica, with what to do and the status that a process would end with', async () => {
  const { options } = await setup()
  const replicas = { ...options.replicas, C: { type: 'postgres', url: 'postgres://me:sesame@127.0.0.1:1/x' } }
  const found = []
  for await (const finding of doctor({ ...options, replicas })) found.push(finding)
  expect(new Set(found.map(({ replica }) => replica))).toEqual(new Set([undefined, 'A', 'B', 'C']))
  expect(found.filter(({ replica, status }) => replica !== 'C' && status !== 0)).toEqual([])
  expect(found.filter(({ replica }) => replica === 'C')).toMatchObject([
    { level: 'problem', check: 'reach', status: 3, advice: expect.stringContaining('port') as string },
  ])
  expect(JSON.stringify(found)).not.toContain('sesame')
  await expect(doctor(options, { replicas: ['X'] }).next()).rejects.toMatchObject({ code: 'UNKNOWN_REPLICA' })
})

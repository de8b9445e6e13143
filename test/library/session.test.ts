import { resolve } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { MerganserError } from '../../src/core/errors.ts'
import { configOf, type SessionOptions, type TableShapes } from '../../src/library/options.ts'
import { openTyped, type TypedSession } from '../../src/library/session.ts'
import { Directories, DOCUMENTS, setupOf, stored, Told, type Options } from '../engine/support.ts'

const directories = new Directories()
afterAll(() => directories.remove())

const TABLES = {
  orders: {
    key: { customer: 'int64', id: 'string' },
    values: { state: 'string', total: 'decimal(12,2)', paid: 'boolean', details: 'json', photo: 'bytes', at: 'date' },
  },
  // Names that every object has.
  odd: { key: { constructor: 'string' }, values: { hasOwnProperty: 'string', x: 'float64' } },
} as const

async function open(directory: string, options: Options = {}): Promise<TypedSession<typeof TABLES>> {
  const { config } = configOf({ tables: TABLES, replicas: { a: { type: DOCUMENTS }, B: { type: DOCUMENTS } } })
  const replicas = Object.fromEntries(config.replicas.map(({ name, type }) => [name, type]))
  return openTyped<typeof TABLES>(await setupOf(directory, new Told(), { ...options, replicas, tables: config.tables }))
}

const code = (call: () => unknown): string => {
  try {
    call()
  } catch (error) {
    if (error instanceof MerganserError) return error.code
    throw error
  }
  return 'nothing'
}

const KEY = { customer: 2n ** 60n, id: 'A1' }

test('the statements of the language are methods, typed by the schema', async () => {
  const directory = await directories.make()
  const session = await open(directory)
  await session.set('A', 'orders', KEY, {
    state: 'open',
    total: '12.50',
    paid: false,
    details: { b: [1, null], a: 'x' },
    photo: new Uint8Array([0, 255]),
    at: '2026-11-22',
  })
  await session.set('b', 'orders', KEY, { paid: true, state: null })
  expect(await session.get('B', 'orders', KEY)).toEqual({
    ...{ state: null, total: null, paid: true, details: null, photo: null, at: null },
  })
  await session.merge('A', 'B')
  expect(await session.get('A', 'orders', KEY)).toEqual({
    ...{ state: null, total: '12.5', paid: true, details: { a: 'x', b: [1, null] }, at: '2026-11-22' },
    photo: new Uint8Array([0, 255]),
  })
  await session.undo('A')
  expect(await session.get('A', 'orders', KEY)).toMatchObject({ state: 'open', paid: false })
  await session.commit()
  await session.delete('A', 'orders', KEY)
  expect(await session.get('A', 'orders', KEY)).toBeUndefined()
  await session.rollback()
  expect(await session.get('A', 'orders', KEY)).toMatchObject({ state: 'open' })
  await session.fullSync()
  await session.sync()
  const report = await session.close()
  expect(report).toMatchObject({ converged: true, exitStatus: 0, statements: { set: 2, merge: 1, undo: 1 } })
  expect(await session.close()).toBe(report)
  expect(
    Object.keys(await stored(directory, 'B', DOCUMENTS, configOf({ tables: TABLES }).config.tables[0])),
  ).toHaveLength(1)
})

test('what does not fit the schema is a type error, and a coded error that changes nothing', async () => {
  const session = await open(await directories.make())
  // @ts-expect-error there is no such table
  expect(code(() => session.set('A', 'nothing', KEY, { state: 'x' }))).toBe('UNKNOWN_TABLE')
  // @ts-expect-error there is no such column
  expect(code(() => session.set('A', 'orders', KEY, { stat: 'x' }))).toBe('UNKNOWN_COLUMN')
  // @ts-expect-error the key lacks a column
  expect(code(() => session.set('A', 'orders', { id: 'x' }, { state: 'x' }))).toBe('WRONG_COUNT')
  // @ts-expect-error a key column of another table
  expect(code(() => session.delete('A', 'orders', { ...KEY, more: 1 }))).toBe('UNKNOWN_COLUMN')
  // @ts-expect-error a number is not a text
  expect(code(() => session.set('A', 'orders', KEY, { state: 7 }))).toBe('BAD_VALUE')
  // @ts-expect-error a null in a key
  expect(code(() => session.set('A', 'orders', { customer: null, id: 'x' }, { state: 'x' }))).toBe('WRONG_COUNT')
  expect(code(() => session.set('A', 'orders', KEY, {}))).toBe('WRONG_COUNT')
  expect(code(() => session.set('A', 'orders', KEY, { total: '1.234' }))).toBe('BAD_VALUE')
  expect(code(() => session.set('A', 'orders', KEY, { state: 'x'.repeat(600_000) }))).toBe('LIMIT')
  expect(code(() => session.set('A', 'orders', { ...KEY, id: 'x'.repeat(3000) }, { state: 'x' }))).toBe('LIMIT')
  expect(code(() => session.set('NOBODY', 'orders', KEY, { state: 'x' }))).toBe('UNKNOWN_REPLICA')
  await expect(session.merge('A', 'a')).rejects.toMatchObject({ code: 'SAME_REPLICA' })
  await expect(session.merge('A', 'NOBODY')).rejects.toMatchObject({ code: 'UNKNOWN_REPLICA' })
  expect(await session.get('A', 'orders', KEY)).toBeUndefined()
  expect(await session.close()).toMatchObject({ statements: { set: 0, delete: 0, get: 1 } })
  expect(code(() => session.set('A', 'orders', KEY, { state: 'x' }))).toBe('USAGE')
  await expect(session.get('A', 'orders', KEY)).rejects.toMatchObject({ code: 'USAGE' })
})

test('columns may be named like what every object has, and an undefined value is none', async () => {
  const session = await open(await directories.make())
  const cells = (x: number) => ({ x }) as { x: number; hasOwnProperty: string }
  await session.set('A', 'odd', { constructor: 'k' }, cells(1.5))
  await session.set('A', 'odd', { constructor: 'i' }, { ...cells(2), hasOwnProperty: undefined as unknown as string })
  expect(await session.get('A', 'odd', { constructor: 'k' })).toEqual({ hasOwnProperty: null, x: 1.5 })
  expect(await session.get('A', 'odd', { constructor: 'i' })).toEqual({ hasOwnProperty: null, x: 2 })
  await session.close()
})

test('many writes, and reads side by side, without waiting for each', async () => {
  const directory = await directories.make()
  const first = await open(directory)
  for (let i = 0; i < 5000; i++) void first.set('A', 'orders', { customer: BigInt(i), id: 'x' }, { state: String(i) })
  await first.fullSync()
  await first.close()
  const session = await open(directory)
  const gets = Array.from({ length: 500 }, (_, i) => session.get('B', 'orders', { customer: BigInt(i * 10), id: 'x' }))
  expect((await Promise.all(gets)).map((row) => row?.state)).toEqual(gets.map((_, i) => String(i * 10)))
  await session[Symbol.asyncDispose]()
})

test('a statement during another one is refused', async () => {
  const session = await open(await directories.make())
  await session.set('A', 'orders', KEY, { state: 'x' })
  const merging = session.merge('B', 'A')
  expect(code(() => session.set('A', 'orders', KEY, { state: 'y' }))).toBe('USAGE')
  await merging
  await session.set('A', 'orders', KEY, { state: 'y' })
  await session.close()
})

test('at the limit of memory a write throws before it does anything, and nothing is unhandled', async () => {
  const directory = await directories.make()
  const session = await open(directory, { limits: { memoryRows: 100 } })
  let done = 0
  const error = await (async () => {
    for (; done < 1000; done++) await session.set('A', 'orders', { customer: BigInt(done), id: 'x' }, { state: 'x' })
    return undefined
  })().catch((problem: unknown) => problem)
  expect(error).toMatchObject({ code: 'MEMORY_LIMIT' })
  expect(await session.close()).toMatchObject({ statements: { set: done }, exitStatus: 0 })
})

test('sync and commit reject where a database stays away; close reports it', async () => {
  const lost = () => Promise.reject(new MerganserError('CONNECTION_LOST', 'away'))
  const hook = (replica: string, call: string) => (replica === 'B' && call === 'writeRows' ? lost() : undefined)
  const session = await open(await directories.make(), { hook, retrySeconds: 0 })
  await session.set('A', 'orders', KEY, { state: 'x' })
  await session.fullSync()
  await session.sync('A')
  await expect(session.sync('B')).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE' })
  await expect(session.sync()).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE' })
  await expect(session.commit()).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE' })
  expect(await session.close()).toMatchObject({ exitStatus: 3, converged: false })
})

test('options that a configuration would refuse are refused', () => {
  const refused = (options: Partial<SessionOptions<TableShapes>>) =>
    code(() => configOf({ tables: { t: { key: { k: 'string' }, values: { v: 'string' } } }, ...options }))
  expect(refused({})).toBe('nothing')
  expect(refused({ tables: {} })).toBe('BAD_SCHEMA')
  expect(refused({ tables: { t: { key: { k: 'text' }, values: { v: 'string' } } } })).toBe('BAD_SCHEMA')
  expect(refused({ tables: { t: { key: {}, values: { v: 'string' } } } })).toBe('BAD_SCHEMA')
  expect(refused({ tables: { t: { key: { k: 'float64' }, values: { v: 'string' } } } })).toBe('BAD_SCHEMA')
  expect(refused({ replicas: {} })).toBe('BAD_CONFIG')
  expect(refused({ replicas: { 'a b': { type: DOCUMENTS } } })).toBe('BAD_CONFIG')
  expect(refused({ replicas: { a: { type: DOCUMENTS }, A: { type: DOCUMENTS } } })).toBe('BAD_CONFIG')
  expect(refused({ replicas: { sync: { type: DOCUMENTS } } })).toBe('BAD_CONFIG')
  expect(refused({ workers: 0 })).toBe('BAD_CONFIG')
  expect(refused({ limits: { futureSeconds: 0.5 } })).toBe('BAD_CONFIG')
  expect(refused({ tables: { t: { key: { k: 'string' }, values: {} } } })).toBe('BAD_SCHEMA')
  const { config, flags } = configOf({ tables: { t: { key: { k: 'string' }, values: { v: 'int64' } } }, state: 'x' })
  expect(config.replicas.map(({ name }) => name)).toEqual(['HIVE', 'POSTGRESQL', 'MONGODB'])
  expect(config.state).toBe(resolve('x'))
  expect(flags).toEqual({ dryRun: false, flush: true, fresh: false, acceptLoss: false })
})

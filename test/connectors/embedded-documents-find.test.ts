import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { embeddedDocuments } from '../../src/connectors/embedded-documents/connector.ts'
import { findDocuments, type DocumentFilter } from '../../src/connectors/embedded-documents/find.ts'
import { batchOf, type StampedRow } from '../../src/core/batch.ts'
import type { TableSchema } from '../../src/core/table.ts'

const directory = await mkdtemp(join(tmpdir(), 'merganser-find-'))
const store = await embeddedDocuments.open(
  {},
  { access: 'write', owner: { logId: 'log', name: 'test' }, directory, replica: 'MONGODB' },
)
afterAll(async () => {
  await store.close()
  await rm(directory, { recursive: true, force: true })
})

const table: TableSchema = {
  name: 'things',
  key: [
    { name: 'n', type: { name: 'int64' } },
    { name: 's', type: { name: 'string' } },
  ],
  values: [
    { name: 'text', type: { name: 'string' } },
    { name: 'amount', type: { name: 'decimal', precision: 38, scale: 18 } },
    { name: 'meta', type: { name: 'json' } },
    { name: 'raw', type: { name: 'bytes' } },
    { name: '__proto__', type: { name: 'string' } },
  ],
}

const STAMP = '2026-11-22 15:11:21.956711651Z@MONGODB'

function rowOf(key: [string, string], values: (string | null | undefined)[]): StampedRow {
  const cells = values.map((value) => (value === undefined ? null : { value, stamp: STAMP }))
  return { key, cells, deleted: null }
}

await store.ensureTable(table)
await store.writeRows(
  table,
  batchOf(table, [
    rowOf(['-5', 'a'], ['A', '1.5', '{"$where":"1","a":[1,2]}', '\\x00ff', 'p']),
    rowOf(['9223372036854775807', 'b'], ['{"$ne":1}', '99999999999999999999.5', 'null', '\\x', null]),
    rowOf(['9223372036854775806', 'b'], ['$where', null, undefined, null, undefined]),
    { key: ['7', 'gone'], cells: [null, null, null, null, null], deleted: STAMP },
  ]),
)

async function found(filter: DocumentFilter): Promise<unknown[]> {
  const keys = []
  for await (const document of findDocuments(store, table, filter)) keys.push(document['n'])
  return keys
}

it('documents are found by key and value columns, each of its own type, in key order and without deleted ones', async () => {
  expect(await found({})).toEqual([-5n, 9223372036854775806n, 9223372036854775807n])
  expect(await found({ n: { $eq: 9223372036854775807n } })).toEqual([9223372036854775807n])
  expect(await found({ '_id.s': { $eq: 'b' }, text: { $eq: '$where' } })).toEqual([9223372036854775806n])
  expect(await found({ amount: { $eq: '1.5' } })).toEqual([-5n])
  expect(await found({ raw: { $eq: Uint8Array.of(0, 255) } })).toEqual([-5n])
  expect(await found({ 'stamps.amount': { $eq: STAMP } })).toHaveLength(3)
  expect(await found({ 'stamps.deleted': { $eq: STAMP } })).toEqual([])
  expect(await found({ meta: { $eq: null } })).toHaveLength(2)
})

it('a document holds plain values under the names of its columns, whatever they are', async () => {
  const documents = []
  for await (const document of findDocuments(store, table, { n: { $eq: -5n } })) documents.push(document)
  const [document] = documents
  expect(Object.keys(document!)).toEqual(['_id', 'n', 's', 'text', 'amount', 'meta', 'raw', '__proto__', 'stamps'])
  expect(document!['_id']).toEqual({ n: -5n, s: 'a' })
  expect(document!['meta']).toEqual({ $where: '1', a: [1, 2] })
  expect(Object.getOwnPropertyDescriptor(document, '__proto__')?.value).toBe('p')
  expect(Object.getPrototypeOf(document)).toBe(Object.prototype)
})

it('I8: a filter is fields of the table and plain values: operators and code are refused', async () => {
  expect(await found({ text: { $eq: '{"$ne":1}' } })).toEqual([9223372036854775807n])
  const code = (filter: unknown) => {
    try {
      findDocuments(store, table, filter as DocumentFilter)
      return 'accepted'
    } catch (error) {
      return (error as { code?: unknown }).code
    }
  }
  for (const value of [
    { $ne: 1 },
    { $gt: '' },
    { $eq: { $ne: 1 } },
    { $eq: [] },
    { $eq: 'A', $ne: 'B' },
    'A',
    null,
    {},
  ]) {
    expect(code({ text: value })).toBe('BAD_VALUE')
  }
  for (const field of ['$where', '$expr', '$or', 'no such', 'meta.$where', '__proto__', 'constructor', 'stamps.n']) {
    expect(code(Object.fromEntries([[field, { $eq: 1 }]]))).toBe('UNKNOWN_COLUMN')
  }
})

import { afterAll, expect, it } from 'vitest'
import { mongodb } from '../../src/connectors/mongodb/connector.ts'
import { batchOf, keysOf, rowAt, type StampedRow } from '../../src/core/batch.ts'
import type { TableSchema } from '../../src/core/table.ts'
import type { Finding, OpenContext, ReplicaStore } from '../../src/connectors/connector.ts'
import { TestDatabases } from '../support/mongodb-databases.ts'
import { describeOn } from '../support/servers.ts'

const STAMP = '2026-11-22 15:11:21.956711651Z@MONGODB'
const LATER = '2026-11-22 15:11:22.956711651Z@MONGODB'

const context = (session?: string): OpenContext => ({
  access: 'write',
  owner: { logId: 'log', name: 'the test', ...(session === undefined ? {} : { session }) },
  directory: 'unused',
  replica: 'MONGODB',
})

const text = { name: 'string' } as const
const table: TableSchema = {
  name: 'things',
  key: [
    { name: '_bsontype', type: text },
    { name: 'constructor', type: { name: 'bytes' } },
  ],
  values: [
    { name: 'deleted', type: text },
    { name: 'toBSON', type: { name: 'json' } },
  ],
}

const rowOf = (key: string, value: string, json: string, stamp: string): StampedRow => ({
  key: [key, '\\x24'],
  cells: [
    { value, stamp },
    { value: json, stamp },
  ],
  deleted: null,
})

async function codeOf(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => 'done',
    (error: unknown) => String((error as { code?: unknown }).code),
  )
}

describeOn(['mongodb'], 'a store of the connector mongodb', (url) => {
  const databases = new TestDatabases(url)
  const stores: ReplicaStore[] = []
  const open = async (at: string, session?: string): Promise<ReplicaStore> => {
    const store = await mongodb.open(mongodb.options({ url: at }), context(session))
    stores.push(store)
    return store
  }
  afterAll(async () => {
    await Promise.all(stores.map((store) => store.close()))
    await databases.drop()
  })

  it('I8: keys, values, names of columns and of JSON members never become operators, paths or types', async () => {
    const store = await open(databases.fresh())
    await store.ensureTable(table)
    const texts = [
      '$where',
      '$deleted',
      '$$ROOT',
      '$$REMOVE',
      '{"$ne":1}',
      'a.b',
      '__proto__',
      '$stamps.deleted',
      '\0',
      '',
    ]
    const json = [
      '{"$literal":1}',
      '{"$cond":[true,1,2]}',
      '{"__proto__":{"a":1},"a.b":{"$set":1}}',
      '["$deleted","$$NOW"]',
      '{"_bsontype":"ObjectId","toBSON":1}',
      '"$$REMOVE"',
      'null',
    ]
    const rows = (stamp: string) =>
      texts.map((one, i) => rowOf(one, texts[(i + 3) % texts.length]!, json[i % json.length]!, stamp))
    const counts = { stale: 0, rejected: [], foreign: [] }
    for (const stamp of [STAMP, LATER]) {
      const result = await store.writeRows(table, batchOf(table, rows(stamp)))
      expect(result).toEqual({ written: texts.length, ...counts })
      const found = await store.readRows(
        table,
        keysOf(
          table,
          texts.map((one) => [one, '\\x24']),
        ),
      )
      const sorted = (all: StampedRow[]) => all.sort((a, b) => (a.key[0]! < b.key[0]! ? -1 : 1))
      expect(sorted(Array.from({ length: found.rows }, (_, i) => rowAt(found, i)))).toEqual(sorted(rows(stamp)))
    }
  })

  it('I15: a row that was changed by hand is read as it stands, and a value of another type is named', async () => {
    const at = databases.fresh()
    const store = await open(at)
    const plain: TableSchema = { name: 'plain', key: [{ name: 'k', type: text }], values: [{ name: 'v', type: text }] }
    await store.ensureTable(plain)
    const row = (value: string): StampedRow => ({ key: ['a'], cells: [{ value, stamp: STAMP }], deleted: null })
    await store.writeRows(plain, batchOf(plain, [row('ours')]))
    const change = (value: unknown) =>
      databases.using(at, (client) =>
        client
          .db()
          .collection('plain')
          .updateOne({ k: 'a' }, { $set: { v: value, more: 1 } }),
      )
    await change('by hand')
    const again = await store.writeRows(plain, batchOf(plain, [row('ours')]))
    expect(again).toEqual({ written: 0, stale: 1, rejected: [], foreign: [{ row: 0, column: 0 }] })
    const read = await store.readRows(plain, keysOf(plain, [['a']]))
    expect(rowAt(read, 0)).toEqual(row('by hand'))
    await change({ $ne: 1 })
    expect(await codeOf(store.readRows(plain, keysOf(plain, [['a']])))).toBe('SCHEMA_MISMATCH')
  })

  it('I9: a store whose lease was taken over fails rather than writes; a thread of the same session may take it over', async () => {
    const at = databases.fresh()
    const first = await open(at, 'one session')
    await first.ensureTable(table)
    const second = await open(at, 'one session')
    expect(await codeOf(first.writeMeta({ inUse: true, highWater: '', position: 1 }))).toBe('DATABASE_LOCKED')
    const batch = batchOf(table, [rowOf('k', 'v', '1', STAMP)])
    expect(await codeOf(first.writeRows(table, batch))).toBe('DATABASE_LOCKED')
    expect((await second.writeRows(table, batch)).written).toBe(1)
  })

  it('I9: the lease of a dead holder is waited for with a message, and taken over when nobody renews it', async () => {
    const at = databases.fresh()
    await (await open(at)).close()
    await databases.using(at, (client) =>
      client
        .db()
        .collection<{ _id: string }>('merganser_meta')
        .updateOne({ _id: 'log' }, { $set: { token: 'dead', owner: 'pid 1 on a host', leaseMilliseconds: 1 } }),
    )
    const messages: string[] = []
    const store = await mongodb.open(mongodb.options({ url: at, leaseSeconds: 1 }), {
      ...context(),
      progress: (message) => messages.push(message),
    })
    stores.push(store)
    expect(messages).toEqual([expect.stringContaining('waiting for pid 1 on a host')])
    await store.writeMeta({ inUse: false, highWater: '', position: 3 })
  })

  it('diagnose tells what there is, and leaves nothing behind', async () => {
    const at = databases.fresh()
    const findings: Finding[] = []
    for await (const one of mongodb.diagnose!(mongodb.options({ url: at }), context())) findings.push(one)
    const checks = findings.map(({ check }) => check)
    expect(checks).toEqual(['reach', 'version', 'replication', 'abilities', 'clock', 'privileges', 'lock'])
    expect(findings.filter(({ level }) => level === 'problem')).toEqual([])
    const left = await databases.using(at, (client) => client.db().listCollections().toArray())
    expect(left).toEqual([])
  })
})

it('a server that is not there is DATABASE_UNREACHABLE within its time limit, and no message holds the password', async () => {
  const url = 'mongodb://user:secret-word@127.0.0.1:9/things?directConnection=true'
  const options = mongodb.options({ url, connectSeconds: 1 })
  const error: unknown = await mongodb.open(options, context()).catch((reason: unknown) => reason)
  expect((error as { code?: unknown }).code).toBe('DATABASE_UNREACHABLE')
  expect(String(error)).not.toContain('secret-word')
  const findings: Finding[] = []
  for await (const one of mongodb.diagnose!(options, context())) findings.push(one)
  expect(findings).toMatchObject([{ level: 'problem', check: 'reach', fault: 'database' }])
})

it('options are refused that name no database, another scheme or nothing that exists, without showing the URL', () => {
  const bad = [
    { url: 'mongodb://user:secret-word@host' },
    { url: 'mongodb://user:secret-word@host/?tls=true' },
    { url: 'mongodb://user:secret-word@host/a.b' },
    { url: 'http://user:secret-word@host/a' },
    { url: 7 },
    {},
    { url: 'mongodb://host/a', connections: 0 },
    { url: 'mongodb://host/a', statementSeconds: 'long' },
    { url: 'mongodb://host/a', other: 1 },
  ]
  for (const raw of bad) {
    const refuse = () => mongodb.options(raw)
    expect(refuse).toThrow(expect.objectContaining({ code: 'BAD_CONFIG' }) as Error)
    expect(refuse).not.toThrow(/secret-word/)
  }
})

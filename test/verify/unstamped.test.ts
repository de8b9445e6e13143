import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { MongoClient } from 'mongodb'
import { afterAll, describe, expect, test } from 'vitest'
import { batchOf, keysOf, rowAt, type RowBatch, type StampedRow } from '../../src/core/batch.ts'
import type { TableSchema } from '../../src/core/table.ts'
import type { Connector, ReplicaStore } from '../../src/connectors/connector.ts'
import { mongodb } from '../../src/connectors/mongodb/connector.ts'
import { postgres } from '../../src/connectors/postgres/connector.ts'
import { classify, normalRow, rowOfSide } from '../../src/verify/classify.ts'
import { isUnstamped, unstamped, type Side } from '../../src/verify/difference.ts'
import { describeOn } from '../support/servers.ts'
import { compared } from './support.ts'

const TABLE: TableSchema = {
  name: `by_hand_${randomBytes(4).toString('hex')}`,
  key: [{ name: 'id', type: { name: 'string' } }],
  values: [
    { name: 'v', type: { name: 'string' } },
    { name: 'w', type: { name: 'int64' } },
  ],
}
const STAMP = '2026-11-20 10:00:00.000000001Z@A'
const row = (id: string, v: string | null, w: string | null): StampedRow => {
  return { key: [id], cells: [v, w].map((value) => ({ value, stamp: STAMP })), deleted: null }
}
const brief = ({ key, kind, columns }: { key: readonly string[]; kind: string; columns: readonly number[] }) =>
  `${key[0]!} ${kind} ${columns.join('')}`.trim()

/** A batch whose stamps are gone. */
function withoutStamps(batch: RowBatch): RowBatch {
  const none = { bytes: new Uint8Array(), ends: new Uint32Array(batch.rows), nulls: new Uint8Array(batch.rows).fill(1) }
  return { ...batch, stamps: batch.stamps.map(() => none) }
}

describe('values without stamps', () => {
  const bare = withoutStamps(batchOf(TABLE, [row('k', 'x', null)]))
  const left = normalRow(rowOfSide(bare, 0, 'A'))!
  const whole = { columns: [0, 1], valuesOnly: false }

  test('are there, stamped at the beginning of time by their replica, null ones too', () => {
    expect(left.cells).toEqual(['x', null].map((value) => ({ value, stamp: unstamped('A') })))
    expect(left.cells.every(isUnstamped)).toBe(true)
    expect(isUnstamped({ value: 'x', stamp: STAMP })).toBe(false)
  })

  test('are a difference of their own kind, against nothing and against a stamped row', () => {
    for (const right of [undefined, row('k', 'x', null), row('k', 'y', '1')]) {
      expect(classify({ left, right }, whole)).toMatchObject({ kind: 'unstamped', unstamped: [0, 1], foreign: [] })
    }
    expect(classify({ left, right: row('k', 'x', '1') }, { ...whole, valuesOnly: true })).toMatchObject({
      ...{ kind: 'different', columns: [1] },
    })
  })

  test('are none where both sides hold the same', () => {
    expect(classify({ left, right: normalRow(rowOfSide(bare, 0, 'B')) }, whole)).toBeUndefined()
  })

  test('are seen beside a tombstone, and beside a column that has a stamp', () => {
    const cells = [{ value: 'x', stamp: unstamped('A') }, null]
    expect(normalRow({ key: ['k'], cells, deleted: STAMP })).toEqual({ key: ['k'], cells, deleted: STAMP })
  })
})

const opened: ReplicaStore[] = []
afterAll(async () => {
  await Promise.all(opened.map((store) => store.close()))
})

async function side(name: string, connector: Connector, url: string): Promise<Side & { store: ReplicaStore }> {
  const owner = { logId: `log-${name}`, name: 'a test' }
  const options = connector.options({ url })
  const store = await connector.open(options, { access: 'write', owner, directory: '', replica: name })
  opened.push(store)
  await store.ensureTable(TABLE)
  return { name, store, capabilities: connector.capabilities }
}

const database = `merganser_by_hand_${randomBytes(4).toString('hex')}`
const inDatabase = (url: string) => url.replace(/(:\/\/[^/]+)\/[^?]*/, `$1/${database}`)

describeOn(['postgres', 'mongodb'], 'rows put in by hand', (postgresUrl, mongodbUrl) => {
  const withServer = async (sql: string, url: string) => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query(sql).finally(() => client.end())
  }
  const client = new MongoClient(mongodbUrl)
  afterAll(async () => {
    await Promise.all(opened.splice(0).map((store) => store.close()))
    await withServer(`DROP DATABASE IF EXISTS ${database}`, postgresUrl)
    await client.db(database).dropDatabase()
    await client.close()
  })

  test('are shown as what they are, in scans and when they are read again', async () => {
    await withServer(`CREATE DATABASE ${database}`, postgresUrl)
    const left = await side('LEFT', postgres, inDatabase(postgresUrl))
    const right = await side('RIGHT', mongodb, inDatabase(mongodbUrl))
    const same = [row('a', 'x', '1'), row('z', null, '2')]
    for (const { store } of [left, right]) await store.writeRows(TABLE, batchOf(TABLE, same))
    await withServer(
      `INSERT INTO ${TABLE.name} (id, v, w) VALUES ('b', 'hand', 7), ('c', 'both', 8), ('e', NULL, NULL)`,
      inDatabase(postgresUrl),
    )
    await client
      .db(database)
      .collection(TABLE.name)
      .insertMany([
        // The shell writes whole numbers as other types.
        { _id: { id: 'c' }, id: 'c', v: 'both', w: 8 },
        { _id: { id: 'd' }, id: 'd', v: 'mine', stamps: { w: STAMP }, w: 9 },
      ] as object[])
    const { found, tally } = await compared(left, right, TABLE)
    expect(found.map(brief)).toEqual(['b unstamped 01', 'd unstamped 01', 'e unstamped 01'])
    expect(found[0]!.left!.cells).toEqual(['hand', '7'].map((value) => ({ value, stamp: unstamped('LEFT') })))
    expect(found[1]!.right!.cells).toEqual([
      { value: 'mine', stamp: unstamped('RIGHT') },
      { value: '9', stamp: STAMP },
    ])
    expect(found[1]!.unstamped).toEqual([0])
    expect(tally).toMatchObject({ compared: 6, found: { unstamped: 3 } })
    expect((await compared(left, right, TABLE, { valuesOnly: true })).found.map(brief)).toEqual([
      ...['b left-only 01', 'd right-only 01', 'e left-only 01'],
    ])
    expect(rowAt(await right.store.readRows(TABLE, keysOf(TABLE, [['a']])), 0)).toEqual(same[0])
  })
})

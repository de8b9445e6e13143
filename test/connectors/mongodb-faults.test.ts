import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { MongoClient } from 'mongodb'
import { mongodb } from '../../src/connectors/mongodb/connector.ts'
import { batchOf, rowAt, type StampedRow } from '../../src/core/batch.ts'
import type { TableSchema } from '../../src/core/table.ts'
import type { ConnectorOptions, ReplicaStore } from '../../src/connectors/connector.ts'
import { laneTo, type TestLane } from '../support/lane.ts'
import { startOwnMongodb, type OwnMongodb } from '../support/own-mongodb.ts'
import { describeOn } from '../support/servers.ts'

const text = { name: 'string' } as const
const table: TableSchema = {
  name: 'things',
  key: [{ name: 'k', type: text }],
  values: [{ name: 'v', type: text }],
}
const stamp = (n: number) => `2026-11-22 15:11:21.00000000${String(n)}Z@R`
/** Enough that a flush takes a while. */
const ROWS = 5_000
const keyOf = (i: number) => `k${String(i).padStart(6, '0')}`
const row = (key: string, n: number): StampedRow => ({
  key: [key],
  cells: [{ value: `v${String(n)}`, stamp: stamp(n) }],
  deleted: null,
})
const rows = (count: number, n: number) => Array.from({ length: count }, (_, i) => row(keyOf(i), n))

describeOn(['mongodb'], 'a MongoDB that fails', () => {
  let server: OwnMongodb
  let client: MongoClient
  let count = 0
  let database = ''
  const opened: { close(): Promise<void> }[] = []
  beforeAll(async () => {
    server = await startOwnMongodb({ failures: true })
    client = new MongoClient(server.url, { serverSelectionTimeoutMS: 30_000 })
  })
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one.close()))
  })
  afterAll(async () => {
    await client.close()
    await server.close()
  })

  const fresh = () => {
    database = `test_${String(++count)}`
  }
  const lane = (limits: ConnectorOptions = {}): TestLane => {
    const made = laneTo(mongodb, { url: server.urlOf({ database }), ...limits }, [table])
    opened.push(made.lane)
    return made
  }
  const store = async (): Promise<ReplicaStore> => {
    const owner = { logId: 'log', name: 'the test', session: 'of the test' }
    const one = await mongodb.open(mongodb.options({ url: server.urlOf({ database }) }), {
      access: 'write',
      owner,
      directory: '',
      replica: 'R',
    })
    opened.push(one)
    return one
  }
  const stored = () => client.db(database).collection(table.name).countDocuments()
  const scanned = async (from: ReplicaStore, after?: readonly string[]): Promise<StampedRow[]> => {
    const found: StampedRow[] = []
    for await (const batch of from.scanRows(table, after)) {
      for (let i = 0; i < batch.rows; i++) found.push(rowAt(batch, i))
    }
    return found
  }
  const said = (messages: readonly string[], pattern: RegExp) =>
    expect.poll(() => messages.filter((one) => pattern.test(one)).length, { timeout: 60_000, interval: 10 })

  it('I5: it is killed during a flush and started again: every row arrives once, and no stamp falls', async () => {
    fresh()
    const { lane: way, messages } = lane({ connectSeconds: 1 })
    await way.writeRows(table, batchOf(table, rows(100, 5)))
    const flush = way.writeRows(table, batchOf(table, rows(ROWS, 3)))
    await expect.poll(stored, { timeout: 60_000, interval: 5 }).toBeGreaterThan(100)
    await server.kill()
    await said(messages, /trying again/).toBeGreaterThan(0)
    await server.start()
    const { written, stale, rejected, foreign } = await flush
    expect({ sum: written + stale, rejected, foreign }).toEqual({ sum: ROWS, rejected: [], foreign: [] })
    expect(await scanned(await store())).toEqual([...rows(100, 5), ...rows(ROWS, 3).slice(100)])
  })

  it('it is stopped for a while during a flush: the time limit ends the wait, and the flush is repeated', async () => {
    fresh()
    const { lane: way, messages } = lane({ connectSeconds: 1, statementSeconds: 2 })
    await way.open()
    server.pause()
    const flush = way.writeRows(table, batchOf(table, rows(200, 3)))
    await said(messages, /time limit.*trying again/).toBeGreaterThan(0)
    server.resume()
    // What it was sent before may have been carried out when it went on.
    const { written, stale } = await flush
    expect(written + stale).toBe(200)
    expect(await stored()).toBe(200)
  })

  it('it is away at the start: it is waited for, with a message that says so', async () => {
    fresh()
    await server.kill()
    const { lane: way, messages } = lane({ connectSeconds: 1 })
    const opens = way.open()
    await said(messages, /refuses the connection; trying again/).toBeGreaterThan(0)
    await server.start()
    await opens
    expect((await way.writeRows(table, batchOf(table, rows(1, 1)))).written).toBe(1)
  })

  it('a connection that is cut in the middle of a flush, and an acknowledgement that does not come: both are repeated', async () => {
    fresh()
    const { lane: way, messages } = lane()
    await way.open()
    await server.failing({ failCommands: ['insert'], closeConnection: true }, { times: 1, skip: 1 })
    expect((await way.writeRows(table, batchOf(table, rows(2_500, 1)))).rejected).toEqual([])
    await server.failing({ failCommands: ['update'], writeConcernError: { code: 64, errmsg: 'later' } }, { times: 1 })
    expect((await way.writeRows(table, batchOf(table, rows(300, 2)))).rejected).toEqual([])
    expect(messages).toEqual([
      'the connection to MongoDB was lost; trying again',
      expect.stringMatching(/majority of servers did not acknowledge a write in time.*trying again/),
    ])
    expect(await scanned(await store())).toEqual([...rows(300, 2), ...rows(2_500, 1).slice(300)])
  })

  it('a server that is no primary any more, or has no majority, is told with what to do', async () => {
    fresh()
    const one = await store()
    await one.ensureTable(table)
    const write = () => one.writeRows(table, batchOf(table, rows(1, 1)))
    const insert = { failCommands: ['insert'] }
    await server.failing({ ...insert, errorCode: 10107 }, { times: 1 })
    await expect(write()).rejects.toMatchObject({ code: 'BACK_OFF', place: { replica: 'R' } })
    await server.failing({ ...insert, writeConcernError: { code: 100, errmsg: 'of three' } }, { times: 1 })
    await expect(write()).rejects.toMatchObject({
      code: 'DATABASE_REFUSED',
      advice: expect.stringContaining('rs.status') as unknown,
    })
    expect((await write()).stale).toBe(1)
  })

  it('an error of the server within itself is met by asking again: once it passes nothing is missing', async () => {
    fresh()
    const { lane: way, messages } = lane()
    await way.open()
    await server.failing({ failCommands: ['insert'], errorCode: 1 }, { times: 1 })
    expect((await way.writeRows(table, batchOf(table, rows(300, 1)))).written).toBe(300)
    expect(messages).toEqual(['MongoDB ran into an error of its own (code 1); trying again'])
  })

  it('a scan whose connection is cut ends with an error and goes on behind its last row; one whose cursor is gone goes on by itself', async () => {
    fresh()
    const one = await store()
    await one.ensureTable(table)
    await one.writeRows(table, batchOf(table, rows(7_000, 1)))
    const more = { failCommands: ['getMore'] }
    await server.failing({ ...more, closeConnection: true }, { times: 1, skip: 1 })
    const seen: StampedRow[] = []
    const cut = async (): Promise<void> => {
      for await (const batch of one.scanRows(table)) for (let i = 0; i < batch.rows; i++) seen.push(rowAt(batch, i))
    }
    await expect(cut()).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    const rest = await scanned(await store(), seen.at(-1)?.key)
    expect([...seen, ...rest]).toEqual(rows(7_000, 1))
    await server.failing({ ...more, errorCode: 43 }, { times: 1, skip: 1 })
    expect(await scanned(await store())).toEqual(rows(7_000, 1))
  })

  it('I8: rows that the server refuses are kept apart with its reason, whether new or known, and the rest goes on', async () => {
    fresh()
    const wide: TableSchema = {
      name: 'wide',
      key: table.key,
      values: Array.from({ length: 34 }, (_, c) => ({ name: `c${String(c)}`, type: text })),
    }
    const one = await store()
    await one.ensureTable(wide)
    const rule = { collMod: 'wide', validator: { c0: { $ne: 'forbidden' } } }
    await client.db(database).command(rule)
    const line = (key: string, n: number, value: string): StampedRow => ({
      key: [key],
      cells: wide.values.map(() => ({ value, stamp: stamp(n) })),
      deleted: null,
    })
    const result = async (n: number): Promise<[number, unknown]> => {
      const huge = line('b', n, 'x'.repeat(500_000))
      const batch = batchOf(wide, [line('a', n, 'fine'), huge, line('c', n, 'forbidden'), line('d', n, 'fine')])
      const { written, rejected } = await one.writeRows(wide, batch)
      return [written, rejected]
    }
    const expected = [
      { row: 1, reason: expect.stringMatching(/16 MB/) as unknown },
      { row: 2, reason: "it breaks the collection's validation rules" },
    ]
    expect(await result(1)).toEqual([2, expected])
    expect(await result(2)).toEqual([2, expected])
  })
})

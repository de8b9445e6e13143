import { afterAll, expect, it } from 'vitest'
import { batchOf, rowAt, type StampedRow } from '../../src/core/batch.ts'
import type { Connector, ConnectorOptions, OpenContext, ReplicaStore } from '../../src/connectors/connector.ts'
import { hive } from '../../src/connectors/hive/connector.ts'
import { mongodb } from '../../src/connectors/mongodb/connector.ts'
import { TestDatabases } from '../support/mongodb-databases.ts'
import { describeOn } from '../support/servers.ts'
import { LEASED, StoreProcess } from '../support/store-process.ts'
import { Databases } from './hive-support.ts'

const stamp = (n: number) => `2026-11-22 15:11:21.00000000${String(n)}Z@R`
const row = (text: string, n: number): StampedRow => ({
  key: [text],
  cells: [{ value: text, stamp: stamp(n) }],
  deleted: null,
})

const processes: StoreProcess[] = []
afterAll(async () => {
  for (const one of processes) await one.kill()
})

async function started(connector: Connector, options: ConnectorOptions): Promise<StoreProcess> {
  const one = await StoreProcess.start(connector.type as 'mongodb' | 'hive', options)
  processes.push(one)
  return one
}

interface Opened {
  readonly store: ReplicaStore
  readonly messages: readonly string[]
  readonly milliseconds: number
}

async function opened(
  connector: Connector,
  options: ConnectorOptions,
  more: Partial<OpenContext> = {},
): Promise<Opened> {
  const messages: string[] = []
  const begun = performance.now()
  const store = await connector.open(connector.options(options), {
    ...{ access: 'write', owner: { logId: 'log', name: 'another one' }, directory: '', replica: 'R' },
    ...{ progress: (message: string) => messages.push(message) },
    ...more,
  })
  return { store, messages, milliseconds: performance.now() - begun }
}

async function rowsOf(store: ReplicaStore): Promise<StampedRow[]> {
  const rows: StampedRow[] = []
  for await (const batch of store.scanRows(LEASED)) for (let i = 0; i < batch.rows; i++) rows.push(rowAt(batch, i))
  return rows
}

const LOCKED = { code: 'DATABASE_LOCKED', place: { replica: 'R' } }

describeOn(['mongodb'], 'the lease in MongoDB', (url) => {
  const databases = new TestDatabases(url)
  const fresh = () => ({ url: databases.fresh(), leaseSeconds: 1 })
  afterAll(() => databases.drop())

  it('I9: while its owner lives, a second process is told who has the database; once it is killed, it gets it', async () => {
    const options = fresh()
    const first = await started(mongodb, options)
    const message = `the database of R is in use by pid ${String(first.pid)}`
    await expect(opened(mongodb, options)).rejects.toMatchObject({ ...LOCKED, message })
    expect(await first.tell('write', 'a', stamp(1))).toBe('wrote 1')
    expect(await first.tell('meta', '', stamp(1))).toBe('noted')
    await first.kill()
    const { store, messages, milliseconds } = await opened(mongodb, options)
    expect(messages).toEqual([expect.stringContaining(`waiting for pid ${String(first.pid)}`)])
    expect(milliseconds).toBeGreaterThan(500)
    expect(store.meta).toEqual({ logId: 'log', inUse: true, highWater: stamp(1), position: 77 })
    expect(await rowsOf(store)).toEqual([row('a', 1)])
    await store.close()
  })

  it('I9: an owner that was stopped for a while and comes back after its database was taken over writes no more', async () => {
    const options = fresh()
    const first = await started(mongodb, options)
    expect(await first.tell('write', 'a', stamp(1))).toBe('wrote 1')
    first.signal('SIGSTOP')
    const { store } = await opened(mongodb, options)
    await store.writeMeta({ inUse: true, highWater: stamp(5), position: 5 })
    first.signal('SIGCONT')
    expect(await first.tell('write', 'b', stamp(9))).toBe('failed DATABASE_LOCKED')
    expect(await first.tell('meta', '', stamp(9))).toBe('failed DATABASE_LOCKED')
    expect((await store.writeRows(LEASED, batchOf(LEASED, [row('c', 3)]))).written).toBe(1)
    expect(await rowsOf(store)).toEqual([row('a', 1), row('c', 3)])
    await store.close()
    const { store: reader } = await opened(mongodb, options, { access: 'read' })
    expect(reader.meta).toMatchObject({ highWater: stamp(5), position: 5 })
    await reader.close()
  })
})

describeOn(['hive'], 'the lease in Hive', (url) => {
  const databases = new Databases(url)
  afterAll(() => databases.dropAll())

  it('I9: a second process is told who has the database; it gets it from one that is silent, which then writes no more', async () => {
    const options = { url: await databases.create(), leaseSeconds: 5 }
    const first = await started(hive, options)
    const message = `the database of R is in use by pid ${String(first.pid)}`
    await expect(opened(hive, options)).rejects.toMatchObject({ ...LOCKED, message })
    first.signal('SIGSTOP')
    const { store, messages } = await opened(hive, options)
    expect(messages[0]).toContain(`waiting for pid ${String(first.pid)}`)
    await store.writeMeta({ inUse: true, highWater: stamp(5), position: 5 })
    first.signal('SIGCONT')
    // Its own time limits may have cut its connection when it woke up.
    expect(await first.tell('write', 'b', stamp(9))).toMatch(/^failed (?:DATABASE_LOCKED|CONNECTION_LOST)$/)
    expect(await first.tell('meta', '', stamp(9))).toMatch(/^failed (?:DATABASE_LOCKED|CONNECTION_LOST)$/)
    expect(await rowsOf(store)).toEqual([])
    const { store: reader } = await opened(hive, options, { access: 'read' })
    expect(reader.meta).toMatchObject({ highWater: stamp(5), position: 5 })
    await Promise.all([reader.close(), store.close()])
  })
})

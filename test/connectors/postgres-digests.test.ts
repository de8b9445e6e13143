import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { postgresCapabilities } from '../../src/connectors/postgres/capabilities.ts'
import { batchOf, keysOf, rowAt, type RowBatch } from '../../src/core/batch.ts'
import { digestBytes } from '../../src/core/row-digest.ts'
import { DEFAULT_TABLE, type TableSchema } from '../../src/core/table.ts'
import { parseType } from '../../src/core/types.ts'
import { misfit, type KeyRange, type RangeDigest, type ReplicaStore } from '../../src/connectors/connector.ts'
import { edgeValues } from '../../src/testkit/samples.ts'
import { describeOn } from '../support/servers.ts'
import { createDatabase, languageClauses, open, row, type Database } from './postgres-support.ts'

describeOn(['postgres'], 'digests worked out by PostgreSQL', (server) => {
  let database: Database
  let store: ReplicaStore
  let tables = 0

  beforeAll(async () => {
    database = await createDatabase(server, await languageClauses(server))
    store = await open({ url: database.url })
  })
  afterAll(async () => {
    await store.close()
    await database.drop()
  })

  async function scanned(
    table: TableSchema,
    range: KeyRange = {},
  ): Promise<{ batches: RowBatch[]; digest: RangeDigest }> {
    const batches: RowBatch[] = []
    const sums: [bigint, bigint] = [0n, 0n]
    let rows = 0
    for await (const batch of store.scanRows(table, range.after, range.upTo)) {
      batches.push(batch)
      rows += batch.rows
      for (let i = 0; i < batch.rows; i++) {
        const md5 = createHash('md5').update(digestBytes(batch, i)).digest()
        sums[0] += BigInt(md5.readUInt32BE(0))
        sums[1] += BigInt(md5.readUInt32BE(4))
      }
    }
    return { batches, digest: { rows, sums } }
  }

  const stamp = (n: number) => `2026-11-22 15:11:21.${String(n).padStart(9, '0')}Z@A`
  const pushed = Object.entries(edgeValues).filter(([spelling]) => {
    return postgresCapabilities.digests!.includes(parseType(spelling)!.name)
  })

  it.each(pushed)(
    'are those of the scanned rows for every value of %s, null and tombstones',
    async (spelling, texts) => {
      const type = parseType(spelling)!
      const table: TableSchema = {
        name: `digest_${String(++tables)}`,
        key: [
          { name: 'k', type: { name: 'int64' } },
          { name: 'own', type },
        ],
        values: [
          { name: 'v', type },
          { name: 'w', type: { name: 'string' } },
        ],
      }
      await store.ensureTable(table)
      const held = texts.filter((text) => misfit(postgresCapabilities, type, text) === undefined)
      const rows = held.map((text, i) => ({
        key: [String(i - 5), text],
        cells: [
          { value: text, stamp: stamp(i) },
          i % 3 === 0 ? null : { value: i % 3 === 1 ? null : 'é', stamp: stamp(i) },
        ],
        deleted: i % 4 === 0 ? stamp(0) : null,
      }))
      const gone = { key: ['9', held[0]!], cells: [null, null], deleted: stamp(1) }
      await store.writeRows(table, batchOf(table, [...rows, gone]))
      const { digest } = await scanned(table)
      expect(digest.rows).toBe(rows.length + 1)
      expect(await store.digest!(table, [{}])).toEqual([digest])
    },
  )

  it('are given for each of many ranges, neighbours or not, whatever they end with', async () => {
    const table = { ...DEFAULT_TABLE, name: 'ranges' }
    await store.ensureTable(table)
    await store.writeRows(
      table,
      batchOf(
        table,
        Array.from({ length: 3000 }, (_, i) => row(i)),
      ),
    )
    const cuts = ['SID1', 'SID1\0x', 'SID11', 'SID2', 'SID25', 'Sid', 'é'].map((text) => [
      text,
      text === 'SID25' ? 'CSE' : 'A',
    ])
    const neighbours = [...cuts, undefined].map((upTo, i): KeyRange => {
      const after = cuts[i - 1]
      return { ...(after === undefined ? {} : { after }), ...(upTo === undefined ? {} : { upTo }) }
    })
    const others: KeyRange[] = [{}, { after: cuts[2]! }, { upTo: cuts[1]! }, { after: cuts[4]!, upTo: cuts[1]! }]
    const ranges = [...neighbours, ...others]
    const digests = await store.digest!(table, ranges)
    for (const [i, range] of ranges.entries())
      expect(digests[i], String(i)).toEqual((await scanned(table, range)).digest)
    expect(digests.slice(0, neighbours.length).reduce((sum, { rows }) => sum + rows, 0)).toBe(3000)
    const many = Array.from({ length: 600 }, (_, i) => [`SID${String(i).padStart(4, '0')}`, ''])
    const parts = many.map((upTo, i): KeyRange => (i === 0 ? { upTo } : { after: many[i - 1]!, upTo }))
    const sum = (await store.digest!(table, parts)).reduce((rows, part) => rows + part.rows, 0)
    expect(sum).toBe((await scanned(table, { upTo: many.at(-1)! })).digest.rows)
  })

  it('take a missing table for empty, and a small one is not cut', async () => {
    const table = { ...DEFAULT_TABLE, name: 'nowhere' }
    expect(await store.digest!(table, [{}, { after: ['a', 'b'] }])).toEqual([
      { rows: 0, sums: [0n, 0n] },
      { rows: 0, sums: [0n, 0n] },
    ])
    expect(await store.splitKeys!(table, 8)).toEqual([])
    await store.ensureTable(table)
    await store.writeRows(table, batchOf(table, [row(1)]))
    expect(await store.splitKeys!(table, 8)).toEqual([])
  })

  it('go with keys that cut a table into about equal parts, in the order of bytes', async () => {
    const table = { ...DEFAULT_TABLE, name: 'large' }
    await store.ensureTable(table)
    await store.writeRows(
      table,
      batchOf(
        table,
        Array.from({ length: 60_000 }, (_, i) => row((i * 7919) % 60_000)),
      ),
    )
    const cuts = await store.splitKeys!(table, 16)
    expect(cuts).toHaveLength(15)
    for (let i = 1; i < cuts.length; i++) expect(cuts[i - 1]![0]! < cuts[i]![0]!).toBe(true)
    const ranges = [...cuts, undefined].map((upTo, i): KeyRange => ({
      ...(i === 0 ? {} : { after: cuts[i - 1]! }),
      ...(upTo === undefined ? {} : { upTo }),
    }))
    const digests = await store.digest!(table, ranges)
    expect(digests.reduce((rows, digest) => rows + digest.rows, 0)).toBe(60_000)
    for (const { rows } of digests) expect(rows).toBeLessThan((60_000 / 16) * 3)
    const { batches } = await scanned(table, { after: cuts[3]!, upTo: cuts[4]! })
    const last = batches.at(-1)!
    expect(rowAt(last, last.rows - 1).key).toEqual(cuts[4])
  })

  it('leave reading alone: 10,000 keys at once are found at least ten times as fast as one by one', async () => {
    const table = { ...DEFAULT_TABLE, name: 'misses' }
    await store.ensureTable(table)
    await store.writeRows(
      table,
      batchOf(
        table,
        Array.from({ length: 20_000 }, (_, i) => row(i)),
      ),
    )
    const keys = Array.from({ length: 10_000 }, (_, i) => row(i * 4).key)
    const began = performance.now()
    const found = await store.readRows(table, keysOf(table, keys))
    const together = performance.now() - began
    expect(found.rows).toBe(5000)
    const few = keys.slice(0, 300)
    const one = performance.now()
    for (const key of few) await store.readRows(table, keysOf(table, [key]))
    const singly = ((performance.now() - one) * keys.length) / few.length
    expect(singly / together).toBeGreaterThan(10)
  })
})

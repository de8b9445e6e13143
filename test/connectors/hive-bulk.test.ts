import { expect, it } from 'vitest'
import { hive } from '../../src/connectors/hive/connector.ts'
import { batchOf, keysOf, rowAt, type StampedRow } from '../../src/core/batch.ts'
import { DEFAULT_TABLE } from '../../src/core/table.ts'
import { describeOn } from '../support/servers.ts'
import { Databases, openStore, scanned, sessionOn } from './hive-support.ts'

/** More than what goes as literals. */
const ROWS = 1_100
const row = (number: number, value: string, stamp: number): StampedRow => ({
  key: [`S${String(number)}`, 'C'],
  cells: [{ value, stamp: `2026-11-22 15:11:21.${String(stamp).padStart(9, '0')}Z@HIVE` }],
  deleted: null,
})

describeOn(['hive'], 'large batches into Hive', (url) => {
  it('I5: rows that were believed to be new are joined with those that were there', async () => {
    const databases = new Databases(url)
    const store = await hive.open(hive.options({ url: await databases.create() }), {
      access: 'write',
      owner: { logId: 'log', name: 'the test' },
      directory: 'unused',
      replica: 'HIVE',
    })
    try {
      await store.ensureTable(DEFAULT_TABLE)
      const first = Array.from({ length: ROWS }, (_, i) => row(i, 'first', 2))
      const fresh = await store.writeRows(DEFAULT_TABLE, batchOf(DEFAULT_TABLE, first))
      expect(fresh).toEqual({ written: ROWS, stale: 0, rejected: [], foreign: [] })

      // Newer, older, and foreign, at places that aren't looked at first.
      const second = Array.from({ length: ROWS }, (_, i) => row(ROWS + i, 'second', 2))
      second[1] = row(1, 'newer', 3)
      second[2] = row(2, 'older', 1)
      second[3] = row(3, 'foreign', 2)
      const mixed = await store.writeRows(DEFAULT_TABLE, batchOf(DEFAULT_TABLE, second))
      expect(mixed).toEqual({ written: ROWS - 2, stale: 2, rejected: [], foreign: [{ row: 3, column: 0 }] })

      const asked = [0, 1, 2, 3, ROWS, 2 * ROWS - 1].map((number) => row(number, '', 0).key)
      const found = await store.readRows(DEFAULT_TABLE, keysOf(DEFAULT_TABLE, asked))
      const values = Array.from({ length: found.rows }, (_, i) => rowAt(found, i)).map(
        ({ key, cells }): [string, unknown] => [key[0]!, cells[0]?.value],
      )
      expect(new Map(values)).toEqual(
        new Map([
          ['S0', 'first'],
          ['S1', 'newer'],
          ['S2', 'first'],
          ['S3', 'first'],
          [`S${String(ROWS)}`, 'second'],
          [`S${String(2 * ROWS - 1)}`, 'second'],
        ]),
      )
    } finally {
      await store.close()
      await databases.dropAll()
    }
  })

  it.each([3, ROWS])(
    'I5 I15: what others wrote into a table that was just made is joined, of %i rows',
    async (count) => {
      const databases = new Databases(url)
      const own = await databases.create()
      const store = await openStore({ url: own })
      try {
        await store.ensureTable(DEFAULT_TABLE)
        const other = await sessionOn(own)
        const theirs = [row(0, 'theirs', 3), row(1, 'theirs', 2)].map(({ key, cells }) => {
          return `('${key[0]!}', 'C', '${cells[0]!.value!}', '${cells[0]!.stamp}', NULL)`
        })
        await other
          .execute(`INSERT INTO ${DEFAULT_TABLE.name} VALUES ${theirs.join(', ')}`)
          .finally(() => other.close())

        const ours = Array.from({ length: count }, (_, i) => row(i, 'ours', 2))
        const result = await store.writeRows(DEFAULT_TABLE, batchOf(DEFAULT_TABLE, ours))
        expect(result).toEqual({ written: count - 2, stale: 2, rejected: [], foreign: [{ row: 1, column: 0 }] })
        const found = await scanned(store, DEFAULT_TABLE)
        expect(found.map(({ cells }) => cells[0]?.value).filter((value) => value !== 'ours')).toEqual([
          'theirs',
          'theirs',
        ])
        expect(found).toHaveLength(count)
      } finally {
        await store.close()
        await databases.dropAll()
      }
    },
  )
})

import { strict as assert } from 'node:assert'
import { rowAt, type RowBatch, type StampedRow } from '../../core/batch.ts'
import type { ReplicaStore } from '../../connectors/connector.ts'
import type { TableSchema } from '../../core/table.ts'
import type { Case } from '../case.ts'
import { SeededRandom } from '../../core/seeded-random.ts'
import { normal, row, scan, stamp, tombstone, write, writeAll, type World } from '../world.ts'

const SEED = 1122
const ROWS = 12_000

/** A table that the cases share, with its rows as they are now. */
interface Filled {
  readonly table: TableSchema
  readonly rows: StampedRow[]
}

async function filled(world: World): Promise<Filled & { store: ReplicaStore }> {
  const { table, rows } = await world.prepared('a filled table', () => fill(world))
  return { store: await world.store(), table, rows }
}

async function fill(world: World): Promise<Filled> {
  const { store, table } = await world.ensured({ n: 'int64', s: 'string' }, { v: 'string' })
  const rows = Array.from({ length: ROWS }, (_, i) =>
    row([String(i - ROWS / 2), `s${String(i)}`], [`a value of row ${String(i)}`.padEnd(200)], stamp(i)),
  )
  await writeAll(store, table, new SeededRandom(SEED).shuffled(rows))
  return { table, rows }
}

export const scanCases: readonly Case[] = [
  {
    name: 'a scan gives every row once, tombstones included, in batches that stay valid',
    async run(world) {
      const { store, table, rows } = await filled(world)
      rows[10] = tombstone(table, rows[10]!.key, stamp(ROWS))
      await writeAll(store, table, [rows[10]])
      const batches: RowBatch[] = []
      for await (const batch of store.scanRows(table)) batches.push(batch)
      const seen = batches.flatMap((batch) => Array.from({ length: batch.rows }, (_, i) => normal(rowAt(batch, i))))
      assert.equal(seen.length, rows.length)
      assert.deepEqual(seen, rows)
    },
  },
  {
    name: 'a scan goes on after a key, there or not, and past the last one is empty',
    async run(world) {
      const { store, table, rows } = await filled(world)
      assert.deepEqual(await scan(store, table, rows[7_000]!.key), rows.slice(7_001))
      assert.deepEqual(await scan(store, table, ['5990', '']), rows.slice(11_990))
      assert.deepEqual(await scan(store, table, ['5990', 'z']), rows.slice(11_991))
      assert.deepEqual(await scan(store, table, rows.at(-1)!.key), [])
      assert.deepEqual(await scan(store, table, ['-9223372036854775808', '']), rows)
    },
  },
  {
    name: 'a scan can be left early, and others can run beside it',
    async run(world) {
      const { store, table, rows } = await filled(world)
      for await (const batch of store.scanRows(table)) {
        assert.deepEqual(rowAt(batch, 0), rows[0])
        break
      }
      const both = await Promise.all([scan(store, table), scan(store, table, rows[6_000]!.key)])
      assert.deepEqual(both[0].length, rows.length)
      assert.deepEqual(both[1], rows.slice(6_001))
      const another = row([String(ROWS), 'new'], ['v'], stamp(1))
      await writeAll(store, table, [another])
      rows.push(another)
    },
  },
  {
    name: 'writes during a scan do not break it: rows that stay are seen once, in order, none torn',
    async run(world) {
      const { store, table, rows } = await filled(world)
      const seen: StampedRow[] = []
      let writes = 0
      const last = rows.length - 100
      for await (const batch of store.scanRows(table)) {
        for (let i = 0; i < batch.rows; i++) seen.push(rowAt(batch, i))
        if (writes++ >= world.times(5, 2)) continue
        const later = rows.slice(last).map((one) => row(one.key, [`rewritten`], stamp(ROWS + writes)))
        const added = row([String(ROWS + writes), 'added'], ['added'], stamp(ROWS))
        assert.equal((await write(store, table, [...later, added])).written, 101)
      }
      assert.ok(writes > 0)
      const numbers = seen.map((one) => Number(one.key[0]))
      for (let i = 1; i < numbers.length; i++) assert.ok(numbers[i]! > numbers[i - 1]!, 'in order, once')
      assert.deepEqual(seen.slice(0, last), rows.slice(0, last))
      for (const one of seen.slice(last)) assert.match(one.cells[0]!.value!, /^(?:a value|v$|rewritten|added)/)
    },
  },
]

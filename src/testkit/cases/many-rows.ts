import { strict as assert } from 'node:assert'
import { rowAt, RowBatchBuilder, type RowBatch } from '../../core/batch.ts'
import { DEFAULT_TABLE, type TableSchema } from '../../core/table.ts'
import type { ReplicaStore } from '../../connectors/connector.ts'
import type { Case } from '../case.ts'
import { row, stamp } from '../world.ts'

const BATCH = 10_000

/** Keys in an order that is not theirs, each once. */
function* batches(table: TableSchema, rows: number, at: string, value: string): Iterable<RowBatch> {
  for (let start = 0; start < rows; start += BATCH) {
    const size = Math.min(BATCH, rows - start)
    const builder = new RowBatchBuilder(table, size)
    for (let i = start; i < start + size; i++) {
      const n = (i * 7919) % rows
      builder.push(row([`student ${String(n)}`, `course ${String(n % 97)}`], [`${value} ${String(n)}`], at))
    }
    yield builder.build()
  }
}

async function total(store: ReplicaStore, table: TableSchema, rows: number, at: string, value: string) {
  const sum = { written: 0, stale: 0, rejected: 0, foreign: 0 }
  for (const batch of batches(table, rows, at, value)) {
    const result = await store.writeRows(table, batch)
    sum.written += result.written
    sum.stale += result.stale
    sum.rejected += result.rejected.length
    sum.foreign += result.foreign.length
  }
  return sum
}

export const manyRowsCases: readonly Case[] = [
  {
    name: '100,000 rows (or as many as asked) are written, written again older, newer and once more, and scanned',
    timeLimit: 300_000,
    async run(world) {
      const rows = world.conformance.rows ?? 100_000
      assert.ok(rows % 7919 !== 0, 'each key comes once')
      const store = await world.store()
      const table = { ...DEFAULT_TABLE, name: 'kit_many_rows' }
      await store.ensureTable(table)
      const all = { written: rows, stale: 0, rejected: 0, foreign: 0 }
      const none = { written: 0, stale: rows, rejected: 0, foreign: 0 }
      assert.deepEqual(await total(store, table, rows, stamp(2), 'fresh'), all)
      assert.deepEqual(await total(store, table, rows, stamp(1), 'older'), none)
      assert.deepEqual(await total(store, table, rows, stamp(3), 'newer'), all)
      assert.deepEqual(await total(store, table, rows, stamp(3), 'newer'), none)

      let seen = 0
      let last = ''
      for await (const batch of store.scanRows(table)) {
        for (let i = 0; i < batch.rows; i++) {
          const one = rowAt(batch, i)
          const order = one.key.join('\0')
          assert.ok(order > last, 'in key order, each once')
          last = order
          const n = one.key[0]!.slice('student '.length)
          assert.deepEqual(one.cells, [{ value: `newer ${n}`, stamp: stamp(3) }])
          seen++
        }
      }
      assert.equal(seen, rows)
      assert.equal(await store.greatestStamp([table]), stamp(3))
    },
  },
]

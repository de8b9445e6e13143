import { strict as assert } from 'node:assert'
import { batchOf, joinStamped, type StampedRow } from '../../core/batch.ts'
import type { Case } from '../case.ts'
import { SeededRandom } from '../../core/seeded-random.ts'
import { normal, read, row, scan, stamp, tombstone, write, writeAll } from '../world.ts'

const SEED = 20261122

const stales: readonly Case[] = [
  {
    name: 'I5: the same write again changes nothing and is counted as stale',
    async run(world) {
      const { store, table } = await world.ensured({ k: 'string' }, { v: 'string' })
      const rows = [row('a', ['1'], stamp(1)), row('b', [null], stamp(2)), tombstone(table, 'c', stamp(3))]
      await writeAll(store, table, rows)
      for (let time = 0; time < world.times(3, 1); time++) {
        assert.deepEqual(await write(store, table, rows), { written: 0, stale: 3, rejected: [], foreign: [] })
      }
      assert.deepEqual(await scan(store, table), rows)
    },
  },
  {
    name: 'I5: a register never goes back to a smaller stamp, and such writes are counted as stale',
    async run(world) {
      const { store, table } = await world.ensured({ k: 'string' }, { v: 'string' })
      await writeAll(store, table, [row('a', ['new'], stamp(5)), row('b', ['new'], stamp(5, 'B'))])
      const older = [row('a', ['old'], stamp(4)), row('b', ['other origin'], stamp(5, 'A'))]
      assert.deepEqual(await write(store, table, older), { written: 0, stale: 2, rejected: [], foreign: [] })
      assert.deepEqual(await read(store, table, [['a'], ['b']]), [
        row('a', ['new'], stamp(5)),
        row('b', ['new'], stamp(5, 'B')),
      ])
      const mixed = [row('a', ['newest'], stamp(5, 'KITTEN')), row('b', ['old'], stamp(1)), row('c', ['c'], stamp(1))]
      assert.deepEqual(await write(store, table, mixed), { written: 2, stale: 1, rejected: [], foreign: [] })
    },
  },
  {
    name: 'a tombstone hides what is not newer, is kept, and gives way to newer registers',
    async run(world) {
      const { store, table } = await world.ensured({ k: 'string' }, { v: 'string', w: 'string' })
      await writeAll(store, table, [row('a', ['1', '2'], stamp(1)), tombstone(table, 'never there', stamp(1))])
      await writeAll(store, table, [tombstone(table, 'a', stamp(2))])
      assert.deepEqual(await read(store, table, [['a']]), [tombstone(table, 'a', stamp(2))])
      const late = { key: ['a'], cells: [{ value: 'late', stamp: stamp(2) }, null], deleted: null }
      assert.equal((await write(store, table, [late])).stale, 1)
      const newer = { key: ['a'], cells: [{ value: 'newer', stamp: stamp(3) }, null], deleted: null }
      await writeAll(store, table, [newer])
      assert.deepEqual(await read(store, table, [['a']]), [{ ...newer, deleted: stamp(2) }])
      await writeAll(store, table, [{ ...newer, cells: [null, { value: 'both', stamp: stamp(4) }] }])
      const whole = [newer.cells[0]!, { value: 'both', stamp: stamp(4) }]
      assert.deepEqual(await read(store, table, [['a']]), [{ key: ['a'], cells: whole, deleted: null }])
    },
  },
  {
    name: 'a row that is newer in one column and older in another is joined column by column',
    async run(world) {
      const { store, table } = await world.ensured({ k: 'string' }, { v: 'string', w: 'string', x: 'string' })
      const cell = (value: string | null, n: number) => ({ value, stamp: stamp(n) })
      await writeAll(store, table, [{ key: ['a'], cells: [cell('v1', 1), cell('w5', 5), null], deleted: null }])
      await writeAll(store, table, [
        { key: ['a'], cells: [cell('v3', 3), cell('w3', 3), cell(null, 3)], deleted: null },
      ])
      const joined = [cell('v3', 3), cell('w5', 5), cell(null, 3)]
      assert.deepEqual(await read(store, table, [['a']]), [{ key: ['a'], cells: joined, deleted: null }])
    },
  },
]

const orders: readonly Case[] = [
  {
    name: 'I5: three writes of one row give the same row in every order, with repeats',
    async run(world) {
      const { store, table } = await world.ensured({ k: 'string' }, { v: 'string', w: 'string' })
      const writes = (key: string): StampedRow[] => [
        {
          key: [key],
          cells: [
            { value: 'x', stamp: stamp(3) },
            { value: null, stamp: stamp(1) },
          ],
          deleted: null,
        },
        {
          key: [key],
          cells: [
            { value: 'y', stamp: stamp(1) },
            { value: 'w', stamp: stamp(4) },
          ],
          deleted: null,
        },
        tombstone(table, key, stamp(2)),
      ]
      const orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
      ]
      for (let step = 0; step < 5; step++) {
        await write(
          store,
          table,
          orders.map((order, i) => writes(`order ${String(i)}`)[order[step % 3]!]!),
        )
      }
      for (const found of await scan(store, table)) {
        const cells = [
          { value: 'x', stamp: stamp(3) },
          { value: 'w', stamp: stamp(4) },
        ]
        assert.deepEqual({ ...found, key: [] }, { key: [], cells, deleted: null })
      }
    },
  },
  {
    name: `I5: rows that come shuffled over several batches converge to the model (seed ${String(SEED)})`,
    timeLimit: 120_000,
    async run(world) {
      const random = new SeededRandom(SEED)
      const { store, table } = await world.ensured({ k: 'int64' }, { v: 'string', w: 'int64' })
      const model = new Map<string, StampedRow>()
      for (let round = 0; round < world.times(12, 4); round++) {
        const keys = random.shuffled(Array.from({ length: 60 }, (_, i) => String(i - 30))).slice(0, 40)
        const rows = keys.map((key) => randomRow(random, key))
        for (const one of rows) model.set(one.key[0]!, joinStamped(model.get(one.key[0]!), one))
        await write(store, table, rows)
        if (round % 3 === 2) await write(store, table, random.shuffled(rows))
      }
      const expected = [...model.values()].sort((a, b) => Number(a.key[0]) - Number(b.key[0]))
      assert.deepEqual(await scan(store, table), expected)
    },
  },
  {
    name: 'calls that overlap on one store give the join of all of them',
    async run(world) {
      const { store, table } = await world.ensured({ k: 'string' }, { v: 'string' })
      const keys = Array.from({ length: 50 }, (_, i) => [`k${String(i)}`])
      const order = new SeededRandom(SEED).shuffled([1, 2, 3, 4, 5, 6])
      const writes = order.map((n) =>
        write(
          store,
          table,
          keys.map((key) => row(key, [`v${String(n)}`], stamp(n))),
        ),
      )
      const reads = [read(store, table, keys), scan(store, table)]
      const results = await Promise.all(writes)
      for (const seen of await Promise.all(reads)) {
        for (const one of seen) if (one !== undefined) assert.match(one.cells[0]!.value!, /^v[1-6]$/)
      }
      for (const result of results) assert.equal(result.written + result.stale, keys.length)
      assert.deepEqual(
        await read(store, table, keys),
        keys.map((key) => row(key, ['v6'], stamp(6))),
      )
    },
  },
  {
    name: 'an empty batch, an empty list of keys and keys that are not there are answered',
    async run(world) {
      const { store, table } = await world.ensured({ k: 'string' }, { v: 'string' })
      assert.deepEqual(await write(store, table, []), { written: 0, stale: 0, rejected: [], foreign: [] })
      assert.deepEqual(await read(store, table, []), [])
      assert.deepEqual(await read(store, table, [['a'], ['b']]), [undefined, undefined])
      assert.deepEqual(await scan(store, table), [])
    },
  },
]

function randomRow(random: SeededRandom, key: string): StampedRow {
  const at = () => stamp(random.below(200), random.pick(['A', 'B', 'AB']))
  // The value follows from the stamp, so that equal stamps are the same write.
  const cell = (value: (text: string) => string | null) => {
    const text = at()
    return { value: value(text), stamp: text }
  }
  const cells = [
    random.below(4) === 0 ? null : cell((text) => (text.endsWith('@AB') ? null : `v of ${text}`)),
    random.below(4) === 0 ? null : cell((text) => String(text.charCodeAt(28) * 1_000_000_007)),
  ]
  const deleted = random.below(5) === 0 || cells.every((one) => one === null) ? at() : null
  return normal({ key: [key], cells, deleted })
}

const foreigns: readonly Case[] = [
  {
    name: 'I15: an equal stamp with another value keeps the stored value and is reported, also while another column changes',
    async run(world) {
      const { store, table } = await world.ensured({ k: 'string' }, { v: 'string', w: 'string' })
      const cell = (value: string | null, n: number) => ({ value, stamp: stamp(n) })
      const of = (v: [string | null, number], w: [string | null, number]): StampedRow => ({
        key: ['a'],
        cells: [cell(...v), cell(...w)],
        deleted: null,
      })
      await writeAll(store, table, [of(['stored', 1], ['w1', 1]), row('b', ['b', 'b'], stamp(1))])
      const foreign = [{ row: 1, column: 0 }]
      const other = row('z', ['z', 'z'], stamp(1))
      const first = await write(store, table, [other, of(['foreign', 1], ['w1', 1])])
      assert.deepEqual(first, { written: 1, stale: 1, rejected: [], foreign })
      const second = await write(store, table, [row('b', ['b', 'b'], stamp(2)), of(['foreign', 1], ['w2', 2])])
      assert.deepEqual(second, { written: 2, stale: 0, rejected: [], foreign })
      assert.deepEqual(await read(store, table, [['a']]), [of(['stored', 1], ['w2', 2])])
      const third = await write(store, table, [other, of(['foreign', 1], ['w2', 2])])
      assert.deepEqual(third, { written: 0, stale: 2, rejected: [], foreign })
      await writeAll(store, table, [of(['settled', 3], ['w2', 2])])
      assert.deepEqual(await read(store, table, [['a']]), [of(['settled', 3], ['w2', 2])])
    },
  },
]

const partial: readonly Case[] = [
  {
    name: 'I8: rejected rows are left out and named by their place in the batch, the rest is written',
    async run(world) {
      const { store, table } = await world.ensured({ k: 'string' }, { v: 'string', w: 'string' })
      const longKey = 'k'.repeat(world.capabilities.keyBytes + 1)
      const longValue = 'v'.repeat(world.capabilities.valueBytes + 1)
      const rows = [
        row('first', ['1', '1'], stamp(1)),
        row(longKey, ['2', '2'], stamp(1)),
        row('middle', ['3', '3'], stamp(1)),
        row('too long', ['4', longValue], stamp(1)),
        row('last', ['5', '5'], stamp(1)),
      ]
      const result = await write(store, table, rows)
      assert.deepEqual({ ...result, rejected: [] }, { written: 3, stale: 0, rejected: [], foreign: [] })
      assert.deepEqual(result.rejected.map((one) => one.row).sort(), [1, 3])
      assert.deepEqual(await scan(store, table), [rows[0], rows[4], rows[2]])
      assert.deepEqual(await read(store, table, [['too long'], [longKey], ['middle']]), [undefined, undefined, rows[2]])

      const again = await write(store, table, [rows[3]!, row('first', ['new', 'new'], stamp(2)), rows[4]!])
      assert.deepEqual({ ...again, rejected: [] }, { written: 1, stale: 1, rejected: [], foreign: [] })
      assert.deepEqual(
        again.rejected.map((one) => one.row),
        [0],
      )
      const none = await write(store, table, [rows[3]!])
      assert.deepEqual({ ...none, rejected: none.rejected.length }, { written: 0, stale: 0, rejected: 1, foreign: [] })
    },
  },
  {
    name: 'the batch that was written is not changed, and what is read does not change with a later write',
    async run(world) {
      const { store, table } = await world.ensured({ k: 'string' }, { v: 'string' })
      const batch = batchOf(table, [row('a', ['1'], stamp(1)), row('b', [null], stamp(1))])
      const copy = structuredClone(batch)
      await store.writeRows(table, batch)
      assert.deepEqual(batch, copy)
      const seen = await store.readRows(table, batch)
      const kept = structuredClone(seen)
      await writeAll(store, table, [row('a', ['2'], stamp(2)), row('b', ['2'], stamp(2))])
      await store.readRows(table, batch)
      assert.deepEqual(seen, kept)
    },
  },
]

export const writeCases: readonly Case[] = [...stales, ...orders, ...foreigns, ...partial]

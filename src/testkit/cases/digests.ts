import { strict as assert } from 'node:assert'
import { keyAt, rowAt, type StampedRow } from '../../core/batch.ts'
import type { TableSchema } from '../../core/table.ts'
import type { KeyRange, ReplicaStore } from '../../connectors/connector.ts'
import type { Case } from '../case.ts'
import { normal, row, scan, stamp, tombstone, write, writeAll, type World } from '../world.ts'
import { assertDigests, canDigest, compareKeys, within } from './digest-check.ts'

/*
 * Of connectors whose database works out digests, splits tables or ends scans at a key: all of it must agree with the
 * rows that a scan gives. Of others nothing is asked.
 */

const ROWS = 3000

/** Rows with a key of two columns, some of them deleted, some with a column that was never set. */
async function filled(world: World): Promise<{ store: ReplicaStore; table: TableSchema; keys: string[][] }> {
  const { table, keys } = await world.prepared('a table for digests', () => fill(world))
  return { store: await world.store(), table, keys }
}

async function fill(world: World): Promise<{ table: TableSchema; keys: string[][] }> {
  const { store, table } = await world.ensured({ n: 'int64', s: 'string' }, { v: 'string', w: 'int64' })
  const keys = Array.from({ length: ROWS }, (_, i) => [String(Math.floor(i / 3) - ROWS / 6), `s${String(i % 3)}`])
  const rows = keys.map((key, i): StampedRow => {
    if (i % 10 === 3) return tombstone(table, key, stamp(i))
    if (i % 10 === 7) return { key, cells: [{ value: `v${String(i)}`, stamp: stamp(i) }, null], deleted: null }
    if (i % 10 === 8) return { key, cells: [null, { value: null, stamp: stamp(i + 1) }], deleted: stamp(i) }
    return row(key, [i % 10 === 5 ? null : `v${String(i)}`, String(i)], stamp(i))
  })
  await writeAll(store, table, rows)
  return { table, keys }
}

/** Ranges around keys that are there and that are not. */
function rangesAround(keys: readonly (readonly string[])[]): KeyRange[] {
  const at = (i: number) => keys[i]!
  return [
    {},
    { after: at(0) },
    { upTo: at(0) },
    { after: at(1000), upTo: at(1001) },
    { after: at(1001), upTo: at(2000) },
    { after: at(2000) },
    { after: ['-10', 'zzz'], upTo: ['10', ''] },
    { after: at(5), upTo: at(5) },
    { upTo: ['-9223372036854775808', ''] },
    { after: ['9223372036854775807', ''] },
  ]
}

export const digestCases: readonly Case[] = [
  {
    name: 'digests of ranges are those of their rows, tombstones included; many at once',
    async run(world) {
      const { store, table, keys } = await filled(world)
      if (!canDigest(world, store, table)) return
      await assertDigests(store, table, rangesAround(keys))
      const cuts = keys.filter((_, i) => i % 30 === 29)
      const ranges = [...cuts, undefined].map((upTo, i) => ({
        ...(i === 0 ? {} : { after: cuts[i - 1]! }),
        ...(upTo === undefined ? {} : { upTo }),
      }))
      await assertDigests(store, table, ranges)
      await write(store, table, [row(keys[100]!, ['other', '1'], stamp(ROWS * 2))])
      await assertDigests(store, table, ranges)
    },
  },
  {
    name: 'an empty table and one that is not there have empty digests and nothing to split',
    async run(world) {
      const { store, table } = await world.ensured({ n: 'int64', s: 'string' }, { v: 'string', w: 'int64' })
      const missing = world.table({ n: 'int64', s: 'string' }, { v: 'string', w: 'int64' })
      const empty = { rows: 0, sums: [0n, 0n] }
      for (const one of [table, missing]) {
        assert.deepEqual((await store.splitKeys?.(one, 10)) ?? [], [])
        if (!canDigest(world, store, one)) continue
        assert.deepEqual(await store.digest!(one, [{}, { after: ['1', 'a'] }]), [empty, empty])
      }
    },
  },
  {
    name: 'keys that split a table rise, lie inside it and are fewer than the parts',
    async run(world) {
      const { store, table, keys } = await filled(world)
      for (const parts of [7, 1, 2, 100].slice(0, world.times(4, 2))) {
        const cuts = (await store.splitKeys?.(table, parts)) ?? []
        assert.ok(cuts.length < parts, `${String(cuts.length)} keys for ${String(parts)} parts`)
        for (const [i, cut] of cuts.entries()) {
          if (i > 0) assert.ok(compareKeys(table, cuts[i - 1]!, cut) < 0, 'the keys rise')
          assert.ok(compareKeys(table, cut, keys.at(-1)!) <= 0, 'no key behind the last one')
        }
      }
    },
  },
  {
    name: 'a scan up to a key gives all rows up to it, it included, and may give more',
    async run(world) {
      const { store, table, keys } = await filled(world)
      const rows = await scan(store, table)
      for (const range of rangesAround(keys).slice(0, world.times(10, 6))) {
        const seen: StampedRow[] = []
        for await (const batch of store.scanRows(table, range.after, range.upTo)) {
          for (let i = 0; i < batch.rows; i++) {
            const { upTo } = range
            if (upTo === undefined || compareKeys(table, keyAt(batch, i), upTo) <= 0) seen.push(normal(rowAt(batch, i)))
          }
        }
        assert.deepEqual(seen, within(table, rows, range))
      }
    },
  },
]

import { strict as assert } from 'node:assert'
import { createHash } from 'node:crypto'
import { batchOf, keyAt, rowAt, type StampedRow } from '../../core/batch.ts'
import { compareCanonical } from '../../core/order.ts'
import { digestBytes } from '../../core/row-digest.ts'
import type { TableSchema } from '../../core/table.ts'
import type { KeyRange, RangeDigest, ReplicaStore } from '../../connectors/connector.ts'
import type { Case } from '../case.ts'
import { edgeValues, hostileTexts } from '../samples.ts'
import { normal, row, scan, stamp, tombstone, write, writeAll, type World } from '../world.ts'

/*
 * Of connectors whose database works out digests, splits tables or ends scans at a key: all of it must agree with the
 * rows that a scan gives. Of others nothing is asked.
 */

const ROWS = 3000

function compareKeys(table: TableSchema, a: readonly string[], b: readonly string[]): number {
  for (const [c, { type }] of table.key.entries()) {
    const order = compareCanonical(type, a[c]!, b[c]!)
    if (order !== 0) return order
  }
  return 0
}

function within(table: TableSchema, rows: readonly StampedRow[], { after, upTo }: KeyRange): StampedRow[] {
  return rows.filter(
    ({ key }) =>
      (after === undefined || compareKeys(table, key, after) > 0) &&
      (upTo === undefined || compareKeys(table, key, upTo) <= 0),
  )
}

/** The digest of rows by its definition. */
function digestOf(table: TableSchema, rows: readonly StampedRow[]): RangeDigest {
  const batch = batchOf(table, rows)
  let first = 0n
  let second = 0n
  for (let i = 0; i < batch.rows; i++) {
    const md5 = createHash('md5').update(digestBytes(batch, i)).digest()
    first += BigInt(md5.readUInt32BE(0))
    second += BigInt(md5.readUInt32BE(4))
  }
  return { rows: batch.rows, sums: [first, second] }
}

/** Holds the digests of ranges against those of the rows that a scan gives. */
async function agrees(store: ReplicaStore, table: TableSchema, ranges: readonly KeyRange[] = [{}]): Promise<void> {
  const rows = await scan(store, table)
  const digests = await store.digest!(table, ranges)
  assert.deepEqual(
    digests,
    ranges.map((range) => digestOf(table, within(table, rows, range))),
  )
}

/** Whether the database is asked for digests of a table. */
function digests(world: World, store: ReplicaStore, table: TableSchema): boolean {
  const { digests: types } = world.capabilities
  const all = [...table.key, ...table.values].every(({ type }) => types?.includes(type.name) === true)
  if (all) assert.ok(store.digest !== undefined, 'capabilities.digests without digest')
  return all
}

/** Rows with a key of two columns, some of them deleted, some with a column that was never set. */
async function filled(world: World): Promise<{ store: ReplicaStore; table: TableSchema; keys: string[][] }> {
  const { store, table } = await world.ensured({ n: 'int64', s: 'string' }, { v: 'string', w: 'int64' })
  const keys = Array.from({ length: ROWS }, (_, i) => [String(Math.floor(i / 3) - ROWS / 6), `s${String(i % 3)}`])
  const rows = keys.map((key, i): StampedRow => {
    if (i % 10 === 3) return tombstone(table, key, stamp(i))
    if (i % 10 === 7) return { key, cells: [{ value: `v${String(i)}`, stamp: stamp(i) }, null], deleted: null }
    if (i % 10 === 8) return { key, cells: [null, { value: null, stamp: stamp(i + 1) }], deleted: stamp(i) }
    return row(key, [i % 10 === 5 ? null : `v${String(i)}`, String(i)], stamp(i))
  })
  await writeAll(store, table, rows)
  return { store, table, keys }
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

/** A table of each type that can be digested, with its edge values; deleted and null rows among them. */
async function edges(world: World, spelling: string, values: readonly string[]): Promise<void> {
  const { store, table } = await world.ensured({ k: 'string' }, { v: spelling })
  if (!digests(world, store, table)) return
  const rows = values.map((value, i) => row(`k${String(i)}`, [value], stamp(i)))
  rows.push(row('null', [null], stamp(1)), tombstone(table, 'gone', stamp(2)))
  const held = rows.filter((one) => world.misfit(table, one) === undefined)
  await write(store, table, held)
  await agrees(store, table, [{}, { after: ['k1'] }])
}

export const digestCases: readonly Case[] = [
  {
    name: 'a digest is that of the rows, edge values of every type, nulls and tombstones among them',
    async run(world) {
      for (const [spelling, values] of Object.entries(edgeValues)) await edges(world, spelling, values)
    },
  },
  {
    name: 'a digest is that of the rows, whatever their keys',
    async run(world) {
      for (const [spelling, values] of [['string', hostileTexts] as const, ...Object.entries(edgeValues)]) {
        if (/^(?:float64|json)/.test(spelling)) continue
        const { store, table } = await world.ensured({ k: spelling }, { v: 'string' })
        if (!digests(world, store, table)) continue
        const rows = [...new Set(values)].map((key, i) => row(key, ['v'], stamp(i)))
        const held = rows.filter((one) => world.misfit(table, one) === undefined)
        await write(store, table, held)
        const sorted = (await scan(store, table)).map(({ key }) => key)
        const ranges = sorted.flatMap((key, i) => [{ upTo: key }, { after: key, ...next(sorted, i) }])
        await agrees(store, table, ranges.slice(0, 60))
      }
    },
  },
  {
    name: 'digests of ranges are those of their rows, tombstones included; many at once',
    async run(world) {
      const { store, table, keys } = await filled(world)
      if (!digests(world, store, table)) return
      await agrees(store, table, rangesAround(keys))
      const cuts = keys.filter((_, i) => i % 30 === 29)
      const ranges = [...cuts, undefined].map((upTo, i) => ({
        ...(i === 0 ? {} : { after: cuts[i - 1]! }),
        ...(upTo === undefined ? {} : { upTo }),
      }))
      await agrees(store, table, ranges)
      await write(store, table, [row(keys[100]!, ['other', '1'], stamp(ROWS * 2))])
      await agrees(store, table, ranges)
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
        if (!digests(world, store, one)) continue
        assert.deepEqual(await store.digest!(one, [{}, { after: ['1', 'a'] }]), [empty, empty])
      }
    },
  },
  {
    name: 'keys that split a table rise, lie inside it and are fewer than the parts',
    async run(world) {
      const { store, table, keys } = await filled(world)
      for (const parts of [1, 2, 7, 100]) {
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
      for (const range of rangesAround(keys)) {
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

function next(keys: readonly (readonly string[])[], i: number): KeyRange {
  const upTo = keys[i + 1]
  return upTo === undefined ? {} : { upTo }
}

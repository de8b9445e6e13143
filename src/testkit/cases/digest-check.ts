import { strict as assert } from 'node:assert'
import { createHash } from 'node:crypto'
import { batchOf, type StampedRow } from '../../core/batch.ts'
import { compareCanonical } from '../../core/order.ts'
import { digestBytes } from '../../core/row-digest.ts'
import type { TableSchema } from '../../core/table.ts'
import type { KeyRange, RangeDigest, ReplicaStore } from '../../connectors/connector.ts'
import { scan, type World } from '../world.ts'

export function compareKeys(table: TableSchema, a: readonly string[], b: readonly string[]): number {
  for (const [c, { type }] of table.key.entries()) {
    const order = compareCanonical(type, a[c]!, b[c]!)
    if (order !== 0) return order
  }
  return 0
}

export function within(table: TableSchema, rows: readonly StampedRow[], { after, upTo }: KeyRange): StampedRow[] {
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
export async function assertDigests(
  store: ReplicaStore,
  table: TableSchema,
  ranges: readonly KeyRange[] = [{}],
): Promise<void> {
  const rows = await scan(store, table)
  const digests = await store.digest!(table, ranges)
  assert.deepEqual(
    digests,
    ranges.map((range) => digestOf(table, within(table, rows, range))),
  )
}

/** Whether the database is asked for digests of a table. */
export function canDigest(world: World, store: ReplicaStore, table: TableSchema): boolean {
  const { digests: types } = world.capabilities
  const all = [...table.key, ...table.values].every(({ type }) => types?.includes(type.name) === true)
  if (all) assert.ok(store.digest !== undefined, 'capabilities.digests without digest')
  return all
}

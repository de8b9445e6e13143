import { expect } from 'vitest'
import { batchOf, joinStamped, type StampedRow } from '../../../src/core/batch.ts'
import { SeededRandom } from '../../../src/core/seeded-random.ts'
import { keyBytes, type TableSchema } from '../../../src/core/table.ts'
import { misfit, type Capabilities, type ReplicaStore } from '../../../src/connectors/connector.ts'
import { assertDigests } from '../../../src/testkit/cases/digest-check.ts'
import { inKeyOrder } from '../../../src/testkit/cases/keys.ts'
import { read, scan, stamp } from '../../../src/testkit/world.ts'
import { firstSeed } from '../../support/proof.ts'
import { hostileTextsOf } from './hostile-texts.ts'
import { TABLE, TEXT, type Tried } from './hostile-table.ts'

interface Trial {
  readonly count: number
  readonly some: number
  readonly tried: Tried
}

/** Writes, reads, scans, digests and splits a table of hostile keys and values, and holds it against the model. */
export async function throughStatements(
  store: ReplicaStore,
  capabilities: Capabilities,
  { count, some, tried }: Trial,
): Promise<void> {
  const random = new SeededRandom(firstSeed())
  const texts = hostileTextsOf(firstSeed(), count)
  const keys = texts.map((text, i) => (i % 2 === 0 ? [text, random.pick(texts)] : [random.pick(texts), text]))
  const distinct = [...new Map(keys.map((key) => [JSON.stringify(key), key])).values()]
  const model = new Map<string, StampedRow>()
  const join = async (rows: readonly StampedRow[]): Promise<void> => {
    const fits = (row: StampedRow): boolean =>
      keyBytes(TABLE, row.key).length <= capabilities.keyBytes &&
      [...row.key, ...row.cells.map((cell) => cell?.value ?? '')].every(
        (text) => misfit(capabilities, TEXT, text) === undefined,
      )
    const result = await store.writeRows(TABLE, batchOf(TABLE, rows))
    tried.statements++
    expect(result.rejected.map(({ row }) => row)).toEqual(rows.flatMap((row, i) => (fits(row) ? [] : [i])))
    expect(result.rejected.every(({ reason }) => reason.length > 10)).toBe(true)
    expect(result.foreign).toEqual([])
    for (const row of rows) {
      if (fits(row)) model.set(JSON.stringify(row.key), joinStamped(model.get(JSON.stringify(row.key)), row))
    }
    tried.exact += rows.length - result.rejected.length
    tried.refused += result.rejected.length
  }
  const cell = (n: number) => ({ value: random.pick(texts), stamp: stamp(n) })
  const long = (n: number) => ({
    // Padding may end within a character.
    value: random
      .pick(texts)
      .padEnd(100_000, `'\\"\n${random.pick(texts)}`)
      .toWellFormed(),
    stamp: stamp(n),
  })
  await join(distinct.map((key, i) => ({ key, cells: [i % 100 === 0 ? long(1) : cell(1), cell(1)], deleted: null })))
  // Over what is there: one column, deletions, and a few rows only.
  await join(
    distinct.flatMap((key, i): StampedRow[] => {
      if (i % 7 === 0) return [{ key, cells: [null, null], deleted: stamp(2) }]
      return i % 2 === 0 ? [{ key, cells: [null, cell(2)], deleted: null }] : []
    }),
  )
  await join(distinct.slice(0, 5).map((key) => ({ key, cells: [cell(3), null], deleted: null })))
  await readsBack(store, [...model.values()], distinct, { some, random, tried })
  await meetsForeign(store, [...model.values()].slice(0, some), tried)
  expect(await scan(store, TABLE)).toEqual(inKeyOrder(TABLE, [...model.values()]))
}

interface Reading {
  readonly some: number
  readonly random: SeededRandom
  readonly tried: Tried
}

/** By keys, many and one by one, by scans from and to some of them, and by digests of what lies between. */
async function readsBack(
  store: ReplicaStore,
  rows: readonly StampedRow[],
  keys: readonly (readonly string[])[],
  { some, random, tried }: Reading,
): Promise<void> {
  const ordered = inKeyOrder(TABLE, rows)
  const held = new Map(rows.map((row) => [JSON.stringify(row.key), row]))
  expect(await read(store, TABLE, keys)).toEqual(keys.map((key) => held.get(JSON.stringify(key))))
  expect(await scan(store, TABLE)).toEqual(ordered)
  tried.statements += 2
  const places = random.shuffled(ordered.map((_, i) => i)).slice(0, some)
  for (const place of places) {
    const { key } = ordered[place]!
    expect(await read(store, TABLE, [key])).toEqual([ordered[place]])
    const end = Math.min(ordered.length - 1, place + 20)
    expect(await scannedTo(store, key, ordered[end]!.key)).toEqual(ordered.slice(place + 1, end + 1))
    tried.statements += 2
  }
  const cuts = places.map((place) => ordered[place]!.key)
  if (store.digest !== undefined) {
    await assertDigests(store, TABLE, [{}, ...cuts.flatMap((key) => [{ upTo: key }, { after: key }])])
    tried.statements++
  }
  const split = (await store.splitKeys?.(TABLE, 8)) ?? []
  expect(split).toEqual(
    inKeyOrder(
      TABLE,
      split.map((key) => ({ key, cells: [], deleted: null })),
    ).map(({ key }) => key),
  )
  tried.statements++
}

async function scannedTo(
  store: ReplicaStore,
  after: readonly string[],
  upTo: readonly string[],
): Promise<StampedRow[]> {
  const last = keyBytes(TABLE, upTo)
  const bounded = {
    ...store,
    scanRows: (table: TableSchema, key?: readonly string[]) => store.scanRows(table, key, upTo),
  }
  // Rows behind the bound may come, and are passed over.
  return (await scan(bounded, TABLE, after)).filter(({ key }) => Buffer.compare(keyBytes(TABLE, key), last) <= 0)
}

/** Other values under the stamps that are stored: reported, and left as they are. */
async function meetsForeign(store: ReplicaStore, rows: readonly StampedRow[], tried: Tried): Promise<void> {
  const forged = rows.map((row) => ({
    ...row,
    cells: row.cells.map((cell) =>
      cell === null ? null : { value: `${cell.value ?? ''}'`.slice(0, 500), stamp: cell.stamp },
    ),
  }))
  const { foreign, written } = await store.writeRows(TABLE, batchOf(TABLE, forged))
  tried.statements++
  expect(written).toBe(0)
  const differs = forged.flatMap(({ cells }, row) =>
    cells.flatMap((cell, column) =>
      cell !== null && cell.value !== rows[row]!.cells[column]!.value ? [{ row, column }] : [],
    ),
  )
  expect(foreign).toEqual(differs)
}

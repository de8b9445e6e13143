import { strict as assert } from 'node:assert'
import type { StampedRow } from '../../core/batch.ts'
import type { TableSchema } from '../../core/table.ts'
import { parseType, parseValue } from '../../core/types.ts'
import type { ReplicaStore } from '../../connectors/connector.ts'
import type { Case } from '../case.ts'
import { edgeValues } from '../samples.ts'
import { normal, read, row, stamp, tombstone, write, type World } from '../world.ts'
import { assertDigests, canDigest } from './digest-check.ts'
import { assertHeld } from './values.ts'

/** A table with a column for each of some types; its row `i` has the `i`th edge value of each. */
interface Edges {
  readonly table: TableSchema
  readonly rows: readonly StampedRow[]
}

const WIDE = 'a table with a column of every type'

/** The edge values that the database can hold, and null first. */
function heldValues(world: World, spelling: string): (string | null)[] {
  const alone = world.table({ k: 'string' }, { v: spelling })
  const holds = (text: string) => world.misfit(alone, row('k', [text], stamp(1))) === undefined
  return [null, ...edgeValues[spelling]!.filter(holds)]
}

/** All types, those apart of which the database can't work out digests: one of them would keep the others from it. */
function groups(world: World): string[][] {
  const spellings = Object.keys(edgeValues)
  const digested = spellings.filter((spelling) => world.capabilities.digests?.includes(parseType(spelling)!.name))
  const others = spellings.filter((spelling) => !digested.includes(spelling))
  return [digested, others].filter(({ length }) => length > 0)
}

async function edges(world: World): Promise<readonly Edges[]> {
  return await world.prepared(WIDE, async () => {
    const made: Edges[] = []
    for (const spellings of groups(world)) made.push(await filledWith(world, spellings))
    return made
  })
}

async function filledWith(world: World, spellings: readonly string[]): Promise<Edges> {
  const columns = Object.fromEntries(spellings.map((spelling, c) => [`c${String(c)}`, spelling]))
  const { store, table } = await world.ensured({ k: 'int64' }, columns)
  const rows = rowsOf(
    spellings.map((spelling) => heldValues(world, spelling)),
    0,
  )
  await assertHeld(world, store, table, rows)
  return { table, rows }
}

/** Row `i` has the value `i + shift` of each column; where a column has no `i`th, it was never set. */
function rowsOf(values: readonly (readonly (string | null)[])[], shift: number): StampedRow[] {
  const most = Math.max(...values.map(({ length }) => length))
  return Array.from({ length: most }, (_, i) => ({
    key: [String(i)],
    cells: values.map((texts) =>
      i < texts.length ? { value: texts[(i + shift) % texts.length]!, stamp: stamp(1) } : null,
    ),
    deleted: null,
  }))
}

export const typeCases: readonly Case[] = [
  {
    name: 'I8: values of every type at their edges are held exactly',
    timeLimit: 180_000,
    async run(world) {
      for (const [spelling, values] of Object.entries(edgeValues)) {
        const type = parseType(spelling)!
        for (const text of values) assert.deepEqual(parseValue(type, text), { text }, 'a sample is canonical')
      }
      await edges(world)
    },
  },
  {
    name: 'I8: edge values that the database cannot hold are rejected, each with a reason',
    timeLimit: 180_000,
    async run(world) {
      const columns = Object.fromEntries(Object.keys(edgeValues).map((spelling, c) => [`c${String(c)}`, spelling]))
      const { store, table } = await world.ensured({ k: 'int64' }, columns)
      const rows = Object.entries(edgeValues).flatMap(([spelling, values], c) => {
        const held = heldValues(world, spelling)
        return values.filter((text) => !held.includes(text)).map((text) => [c, text] as const)
      })
      const one = (c: number, value: string | null) =>
        table.values.map((_, d) => (d === c ? { value, stamp: stamp(1) } : null))
      const unfit = rows.map(([c, text], i) => ({ key: [String(i)], cells: one(c, text), deleted: null }))
      await assertHeld(world, store, table, [
        ...unfit,
        row(
          '999',
          table.values.map(() => null),
          stamp(1),
        ),
      ])
    },
  },
  {
    name: 'I15: foreign values are told apart from equal ones in every type, null included',
    timeLimit: 180_000,
    async run(world) {
      const store = await world.store()
      for (const { table, rows } of await edges(world)) await assertForeignSeen(store, table, rows)
    },
  },
  {
    name: 'a digest is that of the rows, edge values of every type, nulls and tombstones among them',
    timeLimit: 180_000,
    async run(world) {
      const store = await world.store()
      for (const { table } of await edges(world)) {
        if (!canDigest(world, store, table)) continue
        await write(store, table, [
          tombstone(table, '-1', stamp(2)),
          row(
            '-2',
            table.values.map(() => null),
            stamp(1),
          ),
        ])
        await assertDigests(store, table, [{}, { after: ['1'] }])
      }
    },
  },
]

/** Each value comes again under its stamp as its column's next one. */
async function assertForeignSeen(store: ReplicaStore, table: TableSchema, rows: readonly StampedRow[]): Promise<void> {
  const values = table.values.map((_, c) => rows.flatMap(({ cells }) => (cells[c] == null ? [] : [cells[c].value])))
  const shifted = rowsOf(values, 1)
  const result = await write(store, table, shifted)
  // 0 and -0 are one number to a database; which of them stands under one stamp is not asked.
  const zeros = (a: string | null, b: string | null) => a?.replace('-', '') === '0' && b?.replace('-', '') === '0'
  const foreign = rows.flatMap(({ cells }, i) =>
    cells.flatMap((cell, c) =>
      cell === null || zeros(cell.value, shifted[i]!.cells[c]!.value) ? [] : [{ row: i, column: c }],
    ),
  )
  const seen = result.foreign
    .filter(({ row: i, column }) => !zeros(rows[i]!.cells[column]!.value, shifted[i]!.cells[column]!.value))
    .sort((a, b) => a.row - b.row || a.column - b.column)
  assert.deepEqual({ ...result, foreign: seen }, { written: 0, stale: rows.length, rejected: [], foreign })
  const found = await read(
    store,
    table,
    rows.map(({ key }) => key),
  )
  assert.deepEqual(found, rows.map(normal))
}

import { strict as assert } from 'node:assert'
import { joinStamped, type StampedRow } from '../../core/batch.ts'
import type { Case } from '../case.ts'
import { normal, read, stamp, write } from '../world.ts'

interface Pair {
  readonly stored: StampedRow
  readonly incoming: StampedRow
}

const STAMPS: readonly (number | undefined)[] = [undefined, 1, 2, 3]

/** Every mix of missing, older, equal and newer stamps of two columns and a tombstone, on both sides: 3,969 pairs. */
function pairs(): Pair[] {
  const sides = STAMPS.flatMap((a) => STAMPS.flatMap((b) => STAMPS.map((deleted) => [a, b, deleted] as const)))
  const out: Pair[] = []
  for (const stored of sides) {
    for (const incoming of sides) {
      const key = [`k${String(out.length)}`]
      const pair = { stored: side(key, 'a', stored), incoming: side(key, 'b', incoming) }
      if (!isEmpty(pair.stored) && !isEmpty(pair.incoming)) out.push(pair)
    }
  }
  return out
}

function side(key: string[], name: string, stamps: readonly (number | undefined)[]): StampedRow {
  const [a, b, deleted] = stamps
  const cell = (n: number | undefined) => (n === undefined ? null : { value: `${name}${String(n)}`, stamp: stamp(n) })
  return normal({ key, cells: [cell(a), cell(b)], deleted: deleted === undefined ? null : stamp(deleted) })
}

function isEmpty(row: StampedRow): boolean {
  return row.deleted === null && row.cells.every((cell) => cell === null)
}

const same = (a: StampedRow, b: StampedRow) => JSON.stringify(a) === JSON.stringify(b)

/** Columns of `incoming` whose stamp is the stored one's, with another value: `survivors` only those that stay. */
function foreignColumns({ stored, incoming }: Pair, joined: StampedRow): { all: number[]; survivors: number[] } {
  const all = [0, 1].filter((c) => {
    const mine = stored.cells[c]
    const theirs = incoming.cells[c]
    return mine != null && theirs != null && mine.stamp === theirs.stamp && mine.value !== theirs.value
  })
  return { all, survivors: all.filter((c) => joined.cells[c] !== null) }
}

/** Only a tombstone came that every column outlives: a database may keep it, the normal form does not. */
function bringsOutlivedTombstone({ stored, incoming }: Pair): boolean {
  return incoming.deleted !== null && (stored.deleted === null || incoming.deleted > stored.deleted)
}

export const joinCases: readonly Case[] = [
  {
    name: 'I5: the join is that of the model for every mix of missing, older, equal and newer stamps and tombstones',
    timeLimit: 180_000,
    async run(world) {
      const { store, table } = await world.ensured({ k: 'string' }, { c1: 'string', c2: 'string' })
      const all = pairs()
      assert.ok(all.length >= 1450)
      const keys = all.map((pair) => pair.stored.key)
      await write(
        store,
        table,
        all.map((pair) => pair.stored),
      )
      assert.deepEqual(
        await read(store, table, keys),
        all.map((pair) => pair.stored),
      )
      let before = all
      for (let time = 1; time <= 2; time++) {
        const joined = before.map((pair) => joinStamped(pair.stored, pair.incoming))
        const result = await write(
          store,
          table,
          all.map((pair) => pair.incoming),
        )
        assert.deepEqual(await read(store, table, keys), joined, `applied ${String(time)} times`)

        const changed = before.filter((pair, i) => !same(pair.stored, joined[i]!)).length
        const slack = before.filter((pair, i) => same(pair.stored, joined[i]!) && bringsOutlivedTombstone(pair)).length
        assert.deepEqual(result.rejected, [])
        assert.equal(result.written + result.stale, all.length, 'each row is written or stale')
        assert.ok(
          result.written >= changed && result.written <= changed + slack,
          `written ${String(result.written)}, changed ${String(changed)}, time ${String(time)}`,
        )
        const reported = new Set(result.foreign.map(({ row, column }) => `${String(row)} ${String(column)}`))
        before.forEach((pair, i) => {
          const { all: possible, survivors } = foreignColumns(pair, joined[i]!)
          for (const c of survivors) assert.ok(reported.has(`${String(i)} ${String(c)}`), 'a foreign one is missing')
          for (const c of possible) reported.delete(`${String(i)} ${String(c)}`)
        })
        assert.deepEqual([...reported], [], 'reported as foreign although the stamps differ or the values are equal')
        before = before.map((pair, i) => ({ stored: joined[i]!, incoming: pair.incoming }))
      }
    },
  },
]

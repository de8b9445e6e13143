import { afterAll, describe, expect, test } from 'vitest'
import { joinStamped, type StampedRow } from '../../src/core/batch.ts'
import type { TableSchema } from '../../src/core/table.ts'
import { compareKeys } from '../../src/verify/align-stream.ts'
import { classify } from '../../src/verify/classify.ts'
import { rowMeets } from '../../src/verify/conditions.ts'
import type { Difference } from '../../src/verify/difference.ts'
import { SeededRandom } from '../../src/core/seeded-random.ts'
import { compared, put, Sides, type Kind, type WritableSide } from './support.ts'

const sides = new Sides()
afterAll(() => sides.end())

let tables = 0
function table(): TableSchema {
  return {
    name: `compared_${String(++tables)}`,
    key: [
      { name: 'n', type: { name: 'int64' } },
      { name: 's', type: { name: 'string' } },
    ],
    values: [
      { name: 'v', type: { name: 'string' } },
      { name: 'w', type: { name: 'int64' } },
    ],
  }
}

const stamp = (n: number, origin = 'A') => `2026-11-20 10:00:00.${String(n).padStart(9, '0')}Z@${origin}`
const key = (n: number, s = 's') => [String(n), s]
const row = (n: number, v: string | null, w: string | null, at = 1): StampedRow => ({
  key: key(n),
  cells: [v, w].map((value) => ({ value, stamp: stamp(at) })),
  deleted: null,
})
const gone = (n: number, at: number): StampedRow => ({ key: key(n), cells: [null, null], deleted: stamp(at) })

const PAIRS: readonly (readonly [Kind, Kind])[] = [
  ['warehouse', 'documents'],
  ['postgres', 'warehouse'],
  ['documents', 'postgres'],
]

async function pair([a, b]: readonly [Kind, Kind]): Promise<[WritableSide, WritableSide]> {
  return [await sides.side(`LEFT_${a}`, a), await sides.side(`RIGHT_${b}`, b)]
}

const brief = ({ key: [n], kind, columns }: Difference) => `${n!} ${kind} ${columns.join('')}`.trim()

describe.each(PAIRS)('%s and %s', (...kinds) => {
  test('each kind of difference is found, with both rows', async () => {
    const [left, right] = await pair(kinds)
    const schema = table()
    const same = [row(1, 'x', '1'), row(2, null, '2'), gone(3, 5)]
    await put(left, schema, [
      ...same,
      ...[row(10, 'x', '1'), row(12, 'old', '1'), row(13, 'mine', '1'), row(14, 'x', '1'), row(15, 'x', '1')],
      ...[gone(16, 9), gone(17, 9), row(-5, 'first', null)],
    ])
    await put(right, schema, [
      ...same,
      ...[
        row(11, 'x', '1'),
        { ...row(12, 'new', '1'), cells: [{ value: 'new', stamp: stamp(2) }, row(12, '', '1').cells[1]!] },
      ],
      ...[row(13, 'theirs', '1'), row(14, 'x', '1', 2), gone(15, 9), gone(16, 8)],
    ])
    const { found, tally } = await compared(left, right, schema)
    expect(found.map(brief)).toEqual([
      '-5 left-only 01',
      '10 left-only 01',
      '11 right-only 01',
      '12 different 0',
      '13 foreign 0',
      '14 stamps 01',
      '15 left-only 01',
      '16 stamps',
      '17 stamps',
    ])
    expect(found[3]).toMatchObject({ left: row(12, 'old', '1'), foreign: [], moving: false })
    expect(found[3]!.right!.cells[0]).toEqual({ value: 'new', stamp: stamp(2) })
    expect(found[4]).toMatchObject({ foreign: [0] })
    expect(found[6]).toMatchObject({ right: gone(15, 9) })
    expect(found[8]).toMatchObject({ left: gone(17, 9), right: undefined })
    expect(tally).toMatchObject({ compared: 12, leftRows: 11, rightRows: 9, settled: 0, moving: 0 })
    expect(tally.found).toEqual({ unstamped: 0, 'left-only': 3, 'right-only': 1, different: 1, foreign: 1, stamps: 3 })
    const shown = await compared(left, right, schema, { valuesOnly: true })
    expect(shown.found.map(brief)).toEqual([
      ...[
        '-5 left-only 01',
        '10 left-only 01',
        '11 right-only 01',
        '12 different 0',
        '13 foreign 0',
        '15 left-only 01',
      ],
    ])
    const second = await compared(left, right, schema, { columns: [1] })
    expect(second.found.map(brief)).toEqual([
      ...['-5 left-only 1', '10 left-only 1', '11 right-only 1', '14 stamps 1', '15 left-only 1', '16 stamps'],
      '17 stamps',
    ])
    const where = rowMeets(schema, [{ column: 'V', operator: '=', value: 'new' }])
    expect((await compared(left, right, schema, { where })).found.map(brief)).toEqual(['12 different 0'])
  })

  test('a table that one side has not is all differences; one that neither has, none', async () => {
    const [left, right] = await pair(kinds)
    const schema = table()
    expect((await compared(left, right, schema)).found).toEqual([])
    await put(left, schema, [row(1, 'x', '1'), row(2, 'x', '1')])
    expect((await compared(left, right, schema)).found.map(brief)).toEqual(['1 left-only 01', '2 left-only 01'])
    expect((await compared(right, left, schema)).found.map(brief)).toEqual(['1 right-only 01', '2 right-only 01'])
  })

  test('the differences of random tables are those that a naive comparison finds', async () => {
    const [left, right] = await pair(kinds)
    for (let seed = 1; seed <= 8; seed++) {
      const random = new SeededRandom(seed)
      const schema = table()
      const [a, b] = randomTables(random)
      await put(left, schema, random.shuffled(a))
      await put(right, schema, random.shuffled(b))
      const [c, d] = [stored(a), stored(b)]
      for (const options of [{}, { digests: false }, { valuesOnly: true }, { columns: [1] }]) {
        const { found } = await compared(left, right, schema, options)
        expect(found, `seed ${String(seed)}`).toEqual(
          naive(schema, c, d, { columns: [0, 1], valuesOnly: false, ...options }),
        )
      }
    }
  })
})

/** Two tables that have most rows in common; runs of equal rows between the differences. */
function randomTables(random: SeededRandom): [StampedRow[], StampedRow[]] {
  const [a, b]: [StampedRow[], StampedRow[]] = [[], []]
  const rare = random.pick([2, 10, 200])
  const count = random.below(900)
  for (let i = 0; i < count; i++) {
    const one = randomRow(random, i)
    const roll = random.below(rare)
    if (roll !== 0 || random.below(3) !== 0) a.push(one)
    if (roll !== 0) b.push(one)
    else if (random.below(3) !== 0) b.push(randomRow(random, i))
  }
  return [a, b]
}

function randomRow(random: SeededRandom, i: number): StampedRow {
  const cell = () => {
    if (random.below(6) === 0) return null
    const value = random.below(5) === 0 ? null : String(random.below(3))
    return { value, stamp: stamp(random.below(3), random.pick(['A', 'B'])) }
  }
  const cells = [cell(), cell()]
  const bare = cells.every((each) => each === null)
  return {
    key: key(Math.floor(i / 2) - 50, i % 2 === 0 ? '' : '\u{10000}'),
    cells,
    deleted: bare || random.below(5) === 0 ? stamp(random.below(3)) : null,
  }
}

/** As a database holds them. */
function stored(rows: readonly StampedRow[]): Map<string, StampedRow> {
  return new Map(rows.map((one) => [JSON.stringify(one.key), joinStamped(undefined, one)]))
}

function naive(
  schema: TableSchema,
  a: ReadonlyMap<string, StampedRow>,
  b: ReadonlyMap<string, StampedRow>,
  what: { readonly columns: readonly number[]; readonly valuesOnly: boolean },
): Difference[] {
  return [...new Set([...a.keys(), ...b.keys()])]
    .flatMap((each) => {
      const difference = classify({ left: a.get(each), right: b.get(each) }, what)
      return difference === undefined ? [] : [{ ...difference, moving: false }]
    })
    .sort((x, y) => compareKeys(schema, x.key, y.key))
}

const ROWS = 30_000
const many = () => Array.from({ length: ROWS }, (_, i) => row(i, `value ${String(i)}`, String(i)))

test('ranges whose digests are equal are not read', async () => {
  const [left, right] = await pair(['postgres', 'warehouse'])
  const schema = table()
  await put(left, schema, many())
  await put(right, schema, many())
  const equal = await compared(left, right, schema)
  expect(equal.found).toEqual([])
  expect(equal.tally).toMatchObject({ compared: ROWS, skipped: ROWS, equalRanges: 1, unequalRanges: 0 })
  await put(right, schema, [row(7, 'other', '7', 2), row(ROWS - 1, 'other', '1', 2), row(ROWS + 5, 'new', '1')])
  const { found, tally } = await compared(left, right, schema)
  expect(found.map(brief)).toEqual([
    '7 different 01',
    `${String(ROWS - 1)} different 01`,
    `${String(ROWS + 5)} right-only 01`,
  ])
  expect(tally.compared).toBe(ROWS + 1)
  expect(tally.skipped).toBeGreaterThan(ROWS * 0.95)
  const read = await compared(left, right, schema, { digests: false })
  expect(read.found).toEqual(found)
  expect(read.tally).toMatchObject({ compared: ROWS + 1, skipped: 0, leftRows: ROWS, rightRows: ROWS + 1 })
})

test('a difference that a write takes away before the second look is settled, not reported', async () => {
  const [left, right] = await pair(['warehouse', 'documents'])
  const schema = table()
  const late = `${new Date(Date.now()).toISOString().replace('T', ' ').slice(0, 23)}000000Z@A`
  const fresh = (n: number): StampedRow => ({
    key: key(n),
    cells: [{ value: 'x', stamp: late }, null],
    deleted: null,
  })
  await put(left, schema, [row(1, 'x', '1'), fresh(2), fresh(3)])
  await put(right, schema, [row(1, 'x', '1')])
  // The first look finds row 2 missing; it comes before the second.
  let looks = 0
  const store = new Proxy(right.store, {
    get(target, name) {
      if (name !== 'readRows') {
        const member: unknown = Reflect.get(target, name)
        return typeof member === 'function' ? (member.bind(target) as unknown) : member
      }
      return async (...args: Parameters<typeof target.readRows>) => {
        const rows = await target.readRows(...args)
        if (looks++ === 0) await put(right, schema, [fresh(2)])
        return rows
      }
    },
  })
  const { found, tally } = await compared(left, { ...right, store }, schema, { settle: 200 })
  expect(found.map(brief)).toEqual(['3 left-only 0'])
  expect(tally.settled).toBe(1)
  expect(looks).toBe(3)
})

test('a difference that goes on changing is reported as moving', async () => {
  const [left, right] = await pair(['warehouse', 'documents'])
  const schema = table()
  await put(left, schema, [row(1, 'x', '1')])
  await put(right, schema, [row(1, 'y', '1', 2)])
  let at = 10
  const scanned = left.store.readRows.bind(left.store)
  const moving = {
    ...left,
    store: {
      scanRows: left.store.scanRows.bind(left.store),
      readRows: async (...args: Parameters<typeof scanned>) => {
        await put(left, schema, [row(1, `x${String(at)}`, '1', at++)])
        return await scanned(...args)
      },
    },
  }
  const { found, tally } = await compared(moving, right, schema, { settle: 50 })
  expect(found).toMatchObject([{ kind: 'different', moving: true }])
  expect(tally.moving).toBe(1)
})

test('a comparison can be left early, and ended by a signal', async () => {
  const [left, right] = await pair(['postgres', 'warehouse'])
  const schema = table()
  await put(left, schema, many())
  const { differences } = await import('../../src/verify/differences.ts')
  const { environment } = await import('./support.ts')
  for await (const { key: first } of differences(left, right, schema, { environment })) {
    expect(first).toEqual(key(0))
    break
  }
  const signal = AbortSignal.abort(new Error('enough'))
  await expect(compared(left, right, schema, { signal })).rejects.toThrow('enough')
})

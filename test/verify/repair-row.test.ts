import { expect, test } from 'vitest'
import { joinStamped, type StampedRow } from '../../src/core/batch.ts'
import { HybridClock } from '../../src/core/clock.ts'
import { timeText } from '../../src/core/stamp.ts'
import { parseType } from '../../src/core/types.ts'
import { capabilities } from '../../src/connectors/documents/capabilities.ts'
import { Catalog } from '../../src/script/catalog.ts'
import { classify, normalRow } from '../../src/verify/classify.ts'
import { unstamped } from '../../src/verify/difference.ts'
import { RepairPlanner } from '../../src/verify/repair-plan.ts'
import { compensation, isNothing, settle, type Choice, type Lack } from '../../src/verify/repair-row.ts'

/** A small seeded generator. */
function randomOf(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const stamp = (n: number) => `${timeText(BigInt(n))}@${n % 2 === 0 ? 'A' : 'B'}`

function randomRow(random: (below: number) => number): StampedRow | undefined {
  const cells = [0, 1, 2].map(() => {
    return random(3) === 0 ? null : { value: random(4) === 0 ? null : String(random(3)), stamp: stamp(1 + random(6)) }
  })
  return normalRow({ key: ['k'], cells, deleted: random(3) === 0 ? stamp(1 + random(6)) : null })
}

/** What a side holds once it got what it lacks. */
function brought(side: StampedRow | undefined, { deleted, sets }: Lack): StampedRow {
  const lines: StampedRow[] = []
  const none = [null, null, null]
  if (deleted !== null) lines.push({ key: ['k'], cells: none, deleted })
  for (const [text, parts] of sets) {
    const cells = none.map((_, c) => {
      const part = parts.find(({ column }) => column === c)
      return part === undefined ? null : { value: part.value, stamp: text }
    })
    lines.push({ key: ['k'], cells, deleted: null })
  }
  return lines.reduce((row, line) => joinStamped(row, line), side ?? { key: ['k'], cells: none, deleted: null })
}

test('I2: what each side lacks makes both equal, but for values under one stamp', () => {
  const random = randomOf(20_261_123)
  for (let i = 0; i < 20_000; i++) {
    const left = randomRow(random)
    const right = randomRow(random)
    if (left === undefined && right === undefined) continue
    const { lacks, open } = settle({ left, right })
    const a = brought(left, lacks[0])
    const b = brought(right, lacks[1])
    for (const c of a.cells.keys()) {
      const what = JSON.stringify({ left, right })
      if (open.includes(c)) expect(a.cells[c]!.stamp, what).toBe(b.cells[c]!.stamp)
      else expect(a.cells[c], what).toEqual(b.cells[c])
    }
    expect(a.deleted).toBe(b.deleted)
    // The undo script shows again what there was.
    for (const [side, row, now] of [
      [0, left, a],
      [1, right, b],
    ] as const) {
      const back = compensation(row, lacks[side], [])
      const before = row?.cells.map((cell) => cell?.value ?? null) ?? [null, null, null]
      const shown = now.cells.map((cell) => cell?.value ?? null)
      if (back === 'delete') expect(before).toEqual([null, null, null])
      else expect(applied(shown, back ?? [])).toEqual(before)
    }
  }
})

function applied(shown: (string | null)[], back: readonly Choice[]): (string | null)[] {
  return shown.map(
    (value, c) =>
      back.find(({ column }) => column === c)?.value ?? (back.some(({ column }) => column === c) ? null : value),
  )
}

test('I15: a value without a stamp is open, but where the other side shows it the same way', () => {
  const row = (value: string, text: string) => ({ key: ['k'], cells: [{ value, stamp: text }], deleted: null })
  const [x, y] = [row('x', unstamped('A')), row('y', unstamped('B'))]
  expect(settle({ left: x, right: y })).toMatchObject({ open: [0], bare: true, agreed: [] })
  expect(settle({ left: x, right: undefined })).toMatchObject({ open: [0], bare: true, remains: false })
  for (const right of [row('y', stamp(5)), row('x', stamp(5))]) {
    const { open, lacks } = settle({ left: x, right })
    expect(open).toEqual([0])
    expect(lacks.every(isNothing)).toBe(true)
  }
  const same = settle({ left: x, right: row('x', unstamped('B')) })
  expect(same).toMatchObject({ open: [], agreed: [{ column: 0, value: 'x' }] })
})

const TABLE = {
  name: 'first',
  key: [{ name: 'k', type: parseType('string')! }],
  values: [
    { name: 'a', type: parseType('string')! },
    { name: 'b', type: parseType('string')! },
  ],
}

function planner(prefer: 0 | 1 | undefined, lineBytes = 1000, less = capabilities): RepairPlanner {
  const catalog = new Catalog(['A', 'B', 'REPAIR'], [TABLE])
  const sides = [
    { name: 'A', capabilities },
    { name: 'B', capabilities: less },
  ] as const
  return new RepairPlanner({ catalog, table: 0, sides, prefer, clock: new HybridClock(() => 5n), lineBytes })
}

const planOf = (plan: RepairPlanner, left: StampedRow | undefined, right: StampedRow | undefined) => {
  const difference = classify({ left, right }, { columns: [0, 1], valuesOnly: false })!
  return plan.plan({ ...difference, moving: false })
}

test('writes lines with full stamps, and for a choice one new stamp above all on both sides', () => {
  const cell = (value: string, text: string) => ({ value, stamp: text })
  const left = { key: ['k 1'], cells: [cell('x', stamp(8)), cell('p', stamp(3))], deleted: null }
  const right = { key: ['k 1'], cells: [cell('y', stamp(8)), cell('q', stamp(4))], deleted: null }
  const open = planOf(planner(undefined), left, right)
  expect(open).toMatchObject({ open: [0], chosen: 0 })
  expect(open.lines).toEqual([`${timeText(4n)}, A.SET((k 1), {b: q})`])
  expect(open.undo).toEqual(['A.SET((k 1), {b: p})'])
  const chosen = planOf(planner(1), left, right)
  expect(chosen).toMatchObject({ open: [], chosen: 1 })
  // A replica is called REPAIR: the origin is another one.
  const fresh = `${timeText(9n)}@REPAIR_`
  expect(chosen.lines.filter((line) => line.startsWith(fresh))).toEqual([
    `${fresh}, A.SET((k 1), {a: y})`,
    `${fresh}, B.SET((k 1), {a: y})`,
  ])
  expect(chosen.undo).toEqual(['A.SET((k 1), {a: x, b: p})', 'B.SET((k 1), {a: y})'])
})

test('I15: a row with values without stamps is left whole without a choice, and settled by one new stamp with it', () => {
  const cell = (value: string, text: string) => ({ value, stamp: text })
  const left = { key: ['k'], cells: [cell('x', unstamped('A')), cell('p', stamp(3))], deleted: null }
  const right = { key: ['k'], cells: [null, cell('q', stamp(4))], deleted: null }
  expect(planOf(planner(undefined), left, right)).toEqual({
    ...{ lines: [], undo: [], open: [0], chosen: 0, refused: undefined },
  })
  const fresh = `${timeText(5n)}@REPAIR_`
  expect(planOf(planner(0), left, right).lines).toEqual([
    `${timeText(4n)}, A.SET((k), {b: q})`,
    `${fresh}, A.SET((k), {a: x})`,
    `${fresh}, B.SET((k), {a: x})`,
  ])
  // A value that both show without a stamp is named: a write of the row would take it away.
  const both = { ...right, cells: [cell('x', unstamped('B')), right.cells[1]!] }
  expect(planOf(planner(undefined), left, both).lines).toEqual([
    `${timeText(4n)}, A.SET((k), {b: q})`,
    `${fresh}, A.SET((k), {a: x})`,
    `${fresh}, B.SET((k), {a: x})`,
  ])
  // Where there is no row on the side that is preferred, there is none on both.
  const only = { key: ['k'], cells: [cell('x', unstamped('A')), null], deleted: null }
  expect(planOf(planner(1), only, undefined)).toMatchObject({
    lines: [`${timeText(5n)}@REPAIR_, A.DELETE((k))`, `${timeText(5n)}@REPAIR_, B.DELETE((k))`],
    undo: ['A.SET((k), {a: x})', 'B.DELETE((k))'],
    open: [],
    chosen: 1,
  })
})

test('I8: plans nothing for a row that a side cannot hold, and cuts lines that are too long', () => {
  const left = {
    key: ['k'],
    cells: [
      { value: 'n\0l', stamp: stamp(2) },
      { value: 'b', stamp: stamp(2) },
    ],
    deleted: null,
  }
  const refused = planOf(planner(undefined, 1000, { ...capabilities, nulInText: false }), left, undefined)
  expect(refused.lines).toEqual([])
  expect(refused.refused).toContain("B can't hold it exactly: column a")
  const long = planOf(planner(undefined, 60), left, undefined)
  expect(long.lines).toHaveLength(2)
})

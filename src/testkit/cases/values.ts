import { strict as assert } from 'node:assert'
import type { StampedRow } from '../../core/batch.ts'
import { MAX_VALUE_BYTES, type TableSchema } from '../../core/table.ts'
import type { ReplicaStore } from '../../connectors/connector.ts'
import type { Case } from '../case.ts'
import { edgeValues } from '../samples.ts'
import { normal, read, row, scan, stamp, write, type World } from '../world.ts'

/** Rows that the database can hold are there exactly; the others are rejected for the reason of the capabilities. */
export async function assertHeld(
  world: World,
  store: ReplicaStore,
  table: TableSchema,
  rows: readonly StampedRow[],
): Promise<void> {
  const misfits = rows.map((one) => world.misfit(table, one))
  const fit = rows.filter((_, i) => misfits[i] === undefined)
  const unfit = rows.flatMap((_, i) => (misfits[i] === undefined ? [] : [i]))

  const first = await write(store, table, rows)
  const described = first.rejected.map(({ row: i, reason }) => `${describe(rows[i])}: ${reason}`)
  const rejected = first.rejected.map((one) => one.row).sort((a, b) => a - b)
  assert.deepEqual(
    { rejected, written: first.written, stale: first.stale, foreign: first.foreign },
    { rejected: unfit, written: fit.length, stale: 0, foreign: [] },
    `rejected ${described.join('; ')}\nexpected ${unfit.map((i) => `${describe(rows[i])}: ${misfits[i]!}`).join('; ')}`,
  )
  for (const { row: i, reason } of first.rejected) {
    assert.ok(reason.length > 0 && reason.length < 500, 'a reason is a short text')
    const longest = rows[i]!.cells.map((cell) => cell?.value ?? '').sort((a, b) => b.length - a.length)[0]!
    assert.ok(longest.length < 12 || !reason.includes(longest), 'a reason does not hold the value')
  }

  const found = await read(
    store,
    table,
    rows.map((one) => one.key),
  )
  rows.forEach((one, i) => {
    assert.deepEqual(found[i], misfits[i] === undefined ? normal(one) : undefined, `read ${describe(one)}`)
  })
  const scanned = new Set((await scan(store, table)).map((one) => JSON.stringify(one)))
  for (const one of fit) assert.ok(scanned.has(JSON.stringify(normal(one))), `scanned ${describe(one)}`)
  const again = await write(store, table, rows)
  assert.deepEqual(
    { written: again.written, stale: again.stale, foreign: again.foreign },
    { written: 0, stale: fit.length, foreign: [] },
    'the same rows again change nothing and are not foreign',
  )
}

function describe(one: StampedRow | undefined): string {
  return JSON.stringify(one)?.slice(0, 200) ?? 'no row'
}

export const valueCases: readonly Case[] = [
  {
    name: 'I8: a row with a column of every type is held whole',
    async run(world) {
      const spellings = Object.keys(edgeValues)
      const columns = Object.fromEntries(spellings.map((spelling, c) => [`c${String(c)}`, spelling]))
      const { store, table } = await world.ensured({ k: 'string' }, columns)
      const holds = (spelling: string, text: string) =>
        world.misfit(world.table({ k: 'string' }, { v: spelling }), row('k', [text], stamp(1))) === undefined
      const usable = spellings.map((spelling) => edgeValues[spelling]!.filter((text) => holds(spelling, text)))
      const rows = Array.from({ length: 40 }, (_, i) => ({
        key: [`k${String(i)}`],
        cells: usable.map((texts, c) => {
          const value = (i + c) % 7 === 0 ? null : texts[(i * 3 + c) % texts.length]!
          return (i + c) % 11 === 0 ? null : { value, stamp: stamp(i + c) }
        }),
        deleted: null,
      }))
      await assertHeld(world, store, table, rows)
    },
  },
  {
    name: 'null, the empty string, the text \\N, the text NULL and a column that was never set are told apart',
    async run(world) {
      const { store, table } = await world.ensured({ k: 'string' }, { v: 'string', w: 'string' })
      const texts = [null, '', '\\N', 'NULL', 'null', '\\\\N', '""', "''"]
      const rows = texts.map((text, i) => row(`k${String(i)}`, [text, text], stamp(i)))
      const half = { key: ['half'], cells: [{ value: '', stamp: stamp(1) }, null], deleted: null }
      const nulled = { key: ['nulled'], cells: [{ value: null, stamp: stamp(1) }, null], deleted: null }
      await assertHeld(world, store, table, [...rows, half, nulled])
    },
  },
  {
    name: 'null is told apart from every empty or null-like value of each type',
    async run(world) {
      const alike = {
        a: ['bytes', '\\x'],
        b: ['json', 'null'],
        c: ['json', '""'],
        d: ['float64', 'NaN'],
        e: ['int64', '0'],
      }
      const columns = Object.fromEntries(Object.entries(alike).map(([name, [spelling]]) => [name, spelling!]))
      const { store, table } = await world.ensured({ k: 'int64' }, columns)
      const texts = Object.values(alike).map(([, text]) => text!)
      const rows = texts.map((text, c) =>
        row(
          String(c),
          texts.map((_, d) => (d === c ? text : null)),
          stamp(c),
        ),
      )
      await assertHeld(world, store, table, [
        ...rows,
        row(
          '99',
          texts.map(() => null),
          stamp(1),
        ),
      ])
    },
  },
  {
    name: 'values of 512 KiB are held, longer ones rejected',
    async run(world) {
      const { store, table } = await world.ensured({ k: 'string' }, { s: 'string', b: 'bytes', j: 'json' })
      const most = Math.min(MAX_VALUE_BYTES, world.capabilities.valueBytes)
      const long = 'x'.repeat(most)
      const bytes = `\\x${'00ff'.repeat(Math.floor((most - 2) / 4))}`
      const json = `"${'é'.repeat(Math.floor((most - 2) / 2))}"`
      await assertHeld(world, store, table, [
        row('ascii', [long, bytes, json], stamp(1)),
        row('quotes', ['\\\'"\n'.repeat(most / 4), null, null], stamp(1)),
        row('wide', ['\u{10ffff}'.repeat(most / 4), null, null], stamp(1)),
        row('long', [long + 'x', null, null], stamp(1)),
        row('wide and long', ['\u{10ffff}'.repeat(most / 4) + 'x', null, null], stamp(1)),
        row('short', ['x', '\\x', '1'], stamp(1)),
      ])
    },
  },
]

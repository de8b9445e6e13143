import { beforeAll, expect, test } from 'vitest'
import { SeededRandom } from '../../../src/core/seeded-random.ts'
import { keyBytes } from '../../../src/core/table.ts'
import { misfit, type Capabilities } from '../../../src/connectors/connector.ts'
import { loadConnector } from '../../../src/connectors/registry.ts'
import { Workspace } from '../../cli/support.ts'
import { Product, type Merganser } from '../../faults/product.ts'
import { firstSeed } from '../../support/proof.ts'
import { TABLE, type HostileDatabase, type Tried } from './hostile-table.ts'

export interface Commands {
  readonly tried: Tried
  readonly texts: () => readonly string[]
  readonly make: () => Promise<HostileDatabase>
  readonly brief: boolean
}

const TABLES = 'tables: { odd: { key: { a: string, b: string }, values: { v: string, w: string } } }'
const COLUMNS = ['a', 'b', 'v', 'w'] as const
type Row = Readonly<Record<(typeof COLUMNS)[number], string>>

const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`
const csv = (rows: readonly Row[]): string =>
  `${COLUMNS.join()}\n${rows.map((row) => `${COLUMNS.map((name) => quoted(row[name])).join()}\n`).join('')}`
const byKey = (rows: readonly Row[]): Row[] => {
  const bytes = ({ a, b }: Row) => keyBytes(TABLE, [a, b])
  return [...rows].sort((one, other) => Buffer.compare(bytes(one), bytes(other)))
}

/** The same from outside: a CSV file is loaded, copied, compared, changed and repaired, by an embedded database beside. */
export function provesCommands(name: string, { tried, texts, make, brief }: Commands): void {
  let product: Product
  beforeAll(async () => {
    product = new Product(await Workspace.create(), [])
  })

  test(
    'I8: the same rows through load, query, run, copy, diff, a plan of repair, and repair',
    { timeout: 600_000 },
    async () => {
      const database = await make()
      try {
        const at = await product.install(database.options, { tables: TABLES })
        const held = await loaded(
          at,
          rowsOf(texts()),
          (await loadConnector(database.options.type))!.capabilities,
          tried,
        )
        expect(await stored(at, 'REAL')).toEqual(held)
        await at.does('copy', 'REAL', 'OTHER')
        expect(await stored(at, 'OTHER')).toEqual(held)
        await at.does('diff', 'REAL', 'OTHER', '--settle', '0')
        await changed(at, held)
        if (!brief) await repairedByPlan(at, held)
        await at.does('repair', 'REAL', 'OTHER', '--settle', '0')
        expect(await stored(at, 'OTHER')).toEqual(await stored(at, 'REAL'))
        // One of those that `changed` leaves alone.
        const { w } = held.filter((_, i) => i % 5 > 1).at(-1)!
        const found = await at.does('query', 'REAL', '--format', 'jsonl', '--where', `w = ${item(w)}`)
        expect(
          found
            .split('\n')
            .filter(Boolean)
            .map((line) => (JSON.parse(line) as Row).w),
        ).toContain(w)
        tried.statements += 12
        expect((await database.canary()).row, name).toBe('alive')
        tried.passed++
      } finally {
        await database.drop()
      }
    },
  )
}

/** By a script that people may read; then there is something to repair again. */
async function repairedByPlan(at: Merganser, rows: readonly Row[]): Promise<void> {
  await at.does('repair', 'REAL', 'OTHER', '--settle', '0', '--plan', 'plan.in')
  await at.does('run', 'plan.in')
  await at.does('diff', 'REAL', 'OTHER', '--settle', '0')
  await at.runs(
    rows
      .slice(0, 9)
      .map(({ a, b }) => `REAL.SET(${item(a)}, ${item(b)}, {v: ${item(b)}})\n`)
      .join(''),
  )
}

const item = (text: string): string => JSON.stringify(text)

function rowsOf(texts: readonly string[]): Row[] {
  const random = new SeededRandom(firstSeed())
  const rows = texts.map((text, i): Row => {
    const other = random.pick(texts)
    const [a, b] = i % 2 === 0 ? [text, other] : [other, text]
    return { a, b, v: random.pick(texts), w: random.pick(texts) }
  })
  return [...new Map(rows.map((row) => [JSON.stringify([row.a, row.b]), row])).values()]
}

/** Loads rows, and one that is no text; gives those that are held, in key order. */
async function loaded(at: Merganser, rows: readonly Row[], capabilities: Capabilities, tried: Tried): Promise<Row[]> {
  const held = rows.filter(
    ({ a, b, v, w }) =>
      keyBytes(TABLE, [a, b]).length <= capabilities.keyBytes &&
      [a, b, v, w].every((text) => misfit(capabilities, { name: 'string' }, text) === undefined),
  )
  const file = await at.write(`${at.state}.csv`, csv(rows))
  const { status, err } = await at.command('load', 'REAL', file)
  expect(status, err).toBe(held.length === rows.length ? 0 : 1)
  const halves = await at.write(
    `${at.state}.jsonl`,
    '{"a":"\\ud800","b":"x","v":"y"}\n{"a":"z","b":"\\udc00\\ud800"}\n',
  )
  const refused = await at.command('load', 'REAL', halves)
  expect(refused.status, refused.err).toBe(1)
  tried.exact += held.length
  tried.refused += rows.length - held.length + 2
  return byKey(held)
}

async function stored(at: Merganser, replica: string): Promise<Row[]> {
  const out = await at.does('query', replica, '--format', 'jsonl')
  return out.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Row]))
}

/** Changes and deletes some rows at the other replica, in the operation language. */
async function changed(at: Merganser, rows: readonly Row[]): Promise<void> {
  const lines = rows.flatMap(({ a, b }, i) => {
    if (i % 5 === 0) return [`OTHER.DELETE(${item(a)}, ${item(b)})\n`]
    return i % 5 === 1 ? [`OTHER.SET(${item(a)}, ${item(b)}, {v: ${item(b)}, w: \\N})\n`] : []
  })
  await at.runs(lines.join(''), '--quiet')
  expect((await at.command('diff', 'REAL', 'OTHER', '--settle', '0', '--quiet')).status).toBe(1)
}

import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { misfit, type Capabilities } from '../../../src/connectors/connector.ts'
import { loadConnector } from '../../../src/connectors/registry.ts'
import { keyBytes, type TableSchema } from '../../../src/core/table.ts'
import { hostileTexts } from '../hostile.ts'
import type { World } from '../faults.ts'

const TEXT = { name: 'string' } as const
const TABLE: TableSchema = {
  name: 'odd',
  key: [
    { name: 'a', type: TEXT },
    { name: 'b', type: TEXT },
  ],
  values: [
    { name: 'v', type: TEXT },
    { name: 'w', type: TEXT },
  ],
}
const TABLES = 'tables: { odd: { key: { a: string, b: string }, values: { v: string, w: string } } }'
const ROWS = 500

interface Row {
  readonly a: string
  readonly b: string
  readonly v: string | null
  readonly w: string | null
}

/** Every hostile text as either half of a key and as either value. */
function rowsOf(): Row[] {
  const texts = hostileTexts(ROWS)
  const at = (i: number): string => texts[i % texts.length]!
  const rows = texts.map((text, i): Row => {
    const halves = i % 2 === 0 ? [text, at(i * 7 + 3)] : [at(i * 5 + 1), text]
    return { a: halves[0]!, b: halves[1]!, v: at(i * 3 + 2), w: i % 10 === 9 ? null : at(i + 1) }
  })
  return [...new Map(rows.map((row) => [JSON.stringify([row.a, row.b]), row])).values()]
}

function fits(capabilities: Capabilities, { a, b, v, w }: Row): boolean {
  const texts = [a, b, v, w].filter((text) => text !== null)
  return (
    texts.every((text) => misfit(capabilities, TEXT, text) === undefined) &&
    keyBytes(TABLE, [a, b]).length <= capabilities.keyBytes
  )
}

const item = (text: string | null): string => (text === null ? '\\N' : JSON.stringify(text))

const byKey = (rows: readonly Row[]): Row[] =>
  [...rows].sort((one, other) => Buffer.compare(keyBytes(TABLE, [one.a, one.b]), keyBytes(TABLE, [other.a, other.b])))

/** Keys and values that look like code, patterns, nulls or ends of something. */
export function valueCases(world: World): void {
  test('I8: 500 hostile keys and values are stored and read back exactly or refused clearly; nothing is executed', async () => {
    const { product, subject } = world
    const { options } = await subject.database()
    const { capabilities } = (await loadConnector(options.type))!
    const at = await product.install(options, { tables: TABLES })
    const rows = rowsOf()
    const held = byKey(rows.filter((row) => fits(capabilities, row)))
    expect(held.length).toBeGreaterThan(300)
    const file = await at.write(`${at.state}.jsonl`, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
    const loaded = await at.command('load', 'REAL', file)
    expect(loaded.status, loaded.err).toBe(held.length === rows.length ? 0 : 1)
    await expectRejects(at.path(`${file}.rejects.jsonl`), rows.length - held.length)
    const stored = async (): Promise<Row[]> => {
      const out = await at.does('query', 'REAL', '--format', 'jsonl')
      return out.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Row]))
    }
    expect(await stored()).toEqual(held)
    // The same keys, asked for one by one by a script, and some of them changed and deleted.
    const lines = held.flatMap((row, i) => {
      const key = `(${item(row.a)}, ${item(row.b)})`
      const get = `REAL.GET(${key}) = {v: ${item(row.v)}, w: ${item(row.w)}}\n`
      if (i % 3 === 0) return [get, `REAL.DELETE(${key})\n`]
      return i % 3 === 1 ? [get, `REAL.SET(${key}, {w: ${item(row.a)}})\n`] : [get]
    })
    await at.runs(lines.join(''), '--quiet')
    const after = held.flatMap((row, i) => (i % 3 === 0 ? [] : [i % 3 === 1 ? { ...row, w: row.a } : row]))
    expect(await stored()).toEqual(after)
  })
}

async function expectRejects(path: string, count: number): Promise<void> {
  if (count === 0) return
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n')
  expect(lines).toHaveLength(count)
  for (const line of lines) {
    const { merganser_reason: reason } = JSON.parse(line) as { merganser_reason: string }
    expect(reason.length).toBeGreaterThan(10)
  }
}

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RowInput, type Conflict, type ReplicaState } from '../../src/core/state.ts'
import { stampText, type Stamp } from '../../src/core/stamp.ts'
import { keyBytes, type Column, type TableSchema } from '../../src/core/table.ts'
import { parseValue } from '../../src/core/types.ts'
import { ByteBuffer } from '../../src/script/byte-buffer.ts'
import { LogLines } from '../../src/script/log-lines.ts'
import { Printer } from '../../src/script/printer.ts'
import { CATALOG, NOW, Pair, TABLES } from './fast-pair.ts'

const SEED = 20261123
const BOUNDS = { rows: 1e9, bytes: 1e9 }

/** At the edges of what is written as an escape. */
const EDGES = [
  0x00, 0x01, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x1f, 0x20, 0x22, 0x23, 0x28, 0x29, 0x2c, 0x5c, 0x7b, 0x7c, 0x7d,
  0x7e, 0x7f, 0x80, 0x9f, 0xa0, 0xac, 0xad, 0xae, 0x61b, 0x61c, 0x61d, 0x7ff, 0x800, 0x180d, 0x180e, 0x180f, 0x200a,
  0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2010, 0x2027, 0x2028, 0x202e, 0x202f, 0x205f, 0x2060, 0x206f, 0x2070,
  0xd7ff, 0xe000, 0xfdcf, 0xfdd0, 0xfdef, 0xfdf0, 0xfefe, 0xfeff, 0xff00, 0xfff8, 0xfff9, 0xfffb, 0xfffc, 0xfffd,
  0xfffe, 0xffff, 0x10000, 0x1f600, 0x1fffd, 0x1fffe, 0x1ffff, 0x20000, 0xdffff, 0xe0000, 0xe0001, 0xe007f, 0xe0080,
  0xffffe, 0x10fffd, 0x10ffff,
]

const HOSTILE = [
  '',
  ' ',
  ' a',
  'a ',
  '\\N',
  '\\n',
  'none',
  'None',
  'NONE',
  'nonE ',
  'non',
  'nones',
  '"',
  'a"b',
  '\0',
  '\0\u0001',
  'ſ',
]

const strings = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc
    .array(
      fc.constantFrom(...EDGES).map((code) => String.fromCodePoint(code)),
      { maxLength: 24 },
    )
    .map((list) => list.join('')),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ maxLength: 40 }),
  fc.tuple(fc.nat(300), fc.constantFrom(...EDGES)).map(([n, code]) => 'x'.repeat(n) + String.fromCodePoint(code)),
)

const year = fc.oneof(fc.integer({ min: 1, max: 9999 }), fc.constantFrom(1, 1969, 1970, 2000, 9999))
const days = fc
  .tuple(year, fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 28 }))
  .map(([y, m, d]) => [String(y).padStart(4, '0'), String(m).padStart(2, '0'), String(d).padStart(2, '0')].join('-'))

const digits = (most: number) =>
  fc.oneof(
    fc.stringMatching(new RegExp(`^[0-9]{1,${String(most)}}$`)),
    fc.constantFrom('0', '1', '9'.repeat(most), `1${'0'.repeat(most - 1)}`),
  )

/** Canonical texts of a column. */
function textsOf({ type }: Column): fc.Arbitrary<string> {
  const { precision = 38, scale = 18 } = type
  const any: Record<string, fc.Arbitrary<string>> = {
    string: strings,
    int64: fc
      .oneof(
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.constantFrom(0n, -1n, -(2n ** 63n), 2n ** 63n - 1n),
      )
      .map(String),
    float64: fc.double().map(String),
    decimal: fc
      .tuple(fc.boolean(), digits(Math.max(1, precision - scale)), digits(Math.max(1, scale)))
      .map(
        ([minus, whole, part]) => `${minus ? '-' : ''}${precision === scale ? '' : whole}.${scale === 0 ? '' : part}`,
      )
      .map((text) => (text.endsWith('.') && text.length < 3 ? '0' : text)),
    boolean: fc.constantFrom('true', 'false'),
    bytes: fc.uint8Array({ maxLength: 20 }).map((bytes) => `\\x${Buffer.from(bytes).toString('hex')}`),
    date: days,
    timestamp: fc
      .tuple(days, fc.nat(23), fc.nat(59), fc.constantFrom('', '.1', '.000001', '.123456', '.999999999', '.000000001'))
      .map(([day, h, m, part]) => {
        const fraction = type.scale === 6 ? part.slice(0, 7) : part
        return `${day} ${String(h).padStart(2, '0')}:${String(m).padStart(2, '0')}:07${fraction}Z`
      }),
    json: fc.json({ maxDepth: 2 }),
  }
  return any[type.name]!.map((text) => parseValue(type, text))
    .filter((parsed) => 'text' in parsed)
    .map((parsed) => (parsed as { text: string }).text)
}

interface Write {
  readonly key: readonly string[]
  readonly cells: readonly (readonly [number, string | null])[]
  readonly stamp: Stamp
}

function writesOf(schema: TableSchema): fc.Arbitrary<Write[]> {
  const write = fc.record({
    key: fc.tuple(...schema.key.map(textsOf)),
    cells: fc
      .subarray(schema.values.map((_, column) => column))
      .chain((columns) =>
        fc.tuple(
          ...columns.map((column) =>
            fc
              .oneof(
                { weight: 5, arbitrary: textsOf(schema.values[column]!) },
                { weight: 1, arbitrary: fc.constant(null) },
              )
              .map((text) => [column, text] as const),
          ),
        ),
      ),
    stamp: fc.record({
      time: fc.oneof(
        fc.bigInt({ min: NOW, max: NOW + 3n }),
        fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
        fc.constantFrom(0n, 999_999_999n, 10_000_000_000n - 1n, 2n ** 63n - 1n),
      ),
      origin: fc.constantFrom('HIVE', 'POSTGRESQL', 'A', 'Z_9', 'B'.repeat(60)),
    }),
  })
  // Several writes of a key, so that rows have several stamps.
  return fc
    .tuple(fc.array(write, { minLength: 1, maxLength: 30, size: 'max' }), fc.infiniteStream(fc.nat(9)))
    .map(([writes, picks]) => {
      const pool = writes.slice(0, 5).map(({ key }) => key)
      return writes.map((one) => ({ ...one, key: pool[picks.next().value! % pool.length]! }))
    })
}

function apply(state: ReplicaState, number: number, { key, cells, stamp }: Write, replica = 1): void {
  const input = new RowInput()
  input.setKey(keyBytes(TABLES[number]!, key))
  for (const [column, text] of cells) input.addCell(column, text)
  if (cells.length === 0) state.remove(replica, number, input, stamp)
  else state.set(replica, number, input, stamp)
}

const lines = new LogLines(CATALOG)

/** What replica 0 takes from replica 1 is logged as `LogLines` writes it. */
function logsTheSame(number: number, writes: readonly Write[]): number {
  const pair = new Pair({ build: 'debug' })
  const { model, kernel } = pair
  for (const write of writes) {
    apply(model.state, number, write)
    apply(kernel.state, number, write)
    // A position that somebody knows: rows that are written again move behind it, as in the model.
    kernel.state.records(1)
  }
  const expected = new ByteBuffer()
  for (const part of model.state.merge(0, 1, 0, BOUNDS, 0).took) lines.rows(expected, 0, part)
  expect(kernel.state.merge(0, 1, 0, BOUNDS, 0)).toMatchObject({ done: true, logged: true })
  pair.take()
  expect(kernel.logs[0]!.toString()).toBe(expected.toString())
  return expected.toString().split('\n').length - 1
}

describe('what a merge takes is logged as the printer spells it', () => {
  test.each(TABLES.map(({ name }, number) => [name, number] as const))('rows of %s', (_name, number) => {
    let logged = 0
    fc.assert(
      fc.property(writesOf(TABLES[number]!), (writes) => {
        logged += logsTheSame(number, writes)
      }),
      { seed: SEED, numRuns: 25 },
    )
    expect(logged).toBeGreaterThan(60)
  })
})

const printer = new Printer(CATALOG)

/** A remark as the engine spells it. */
function remarkOf({ table, key, column, won, lost }: Conflict): string {
  const name = TABLES[table]!.values[column]!.name
  return `# conflict ${printer.keyText(table, key)} ${name} won ${stampText(won)} lost ${stampText(lost)}`
}

/** Of what replica 0 takes from replica 1, the first conflicts are remarked as the engine spells them. */
function remarksTheSame(number: number, writes: readonly Write[], most: number): number {
  const pair = new Pair({ build: 'debug' })
  const { model, kernel } = pair
  for (const [i, write] of writes.entries()) {
    for (const { state } of [model, kernel]) apply(state, number, write, i % 2)
    kernel.state.records(1)
  }
  const conflicts = model.state.merge(0, 1, 0, BOUNDS, Infinity).listed
  const result = kernel.state.merge(0, 1, 0, BOUNDS, 0, most)
  expect(result).toMatchObject({ done: true, conflicts: conflicts.length, listed: [] })
  expect(result.remarked).toBe(Math.min(most, conflicts.length))
  pair.take()
  const remarks = kernel.logs[0]!.toString()
    .split('\n')
    .filter((line) => line.startsWith('# '))
  const expected = conflicts.map(remarkOf)
  if (most >= conflicts.length) expect(remarks.sort()).toEqual(expected.sort())
  else for (const remark of remarks) expect(expected).toContain(remark)
  return remarks.length
}

describe('conflicts of a merge are remarked as the engine spells them, as many as were asked for', () => {
  test.each(TABLES.map(({ name }, number) => [name, number] as const))('rows of %s', (_name, number) => {
    let remarked = 0
    fc.assert(
      fc.property(writesOf(TABLES[number]!), fc.constantFrom(1, 3, 1_000), (writes, most) => {
        remarked += remarksTheSame(number, writes, most)
      }),
      { seed: SEED, numRuns: 25 },
    )
    expect(remarked).toBeGreaterThan(20)
  })
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MerganserError } from '../../src/core/errors.ts'
import { parseValue } from '../../src/core/types.ts'
import { ByteBuffer } from '../../src/script/byte-buffer.ts'
import { checkScript } from '../../src/script/check.ts'
import { renderProblem } from '../../src/script/errors.ts'
import { DEFAULT_LIMITS } from '../../src/script/limits.ts'
import { LogLines } from '../../src/script/log-lines.ts'
import { LineParser } from '../../src/script/parser.ts'
import { printStatement } from '../../src/script/printer.ts'
import { Statement } from '../../src/script/statement.ts'
import { itemText } from '../../src/script/text.ts'
import type { Column, TableSchema } from '../../src/core/table.ts'
import { CATALOG, EVERYTHING, meaning, PEOPLE, ROOMS, TOKENS } from './support.ts'

const SEED = 20261122

const parser = new LineParser(CATALOG)
const general = new LineParser(CATALOG, DEFAULT_LIMITS, false)
const log = new LogLines(CATALOG)
const statement = new Statement()
const other = new Statement()

/** The statement of a line, or undefined where it is refused; any other way to fail fails the test. */
function tryParse(using: LineParser, line: Buffer, into: Statement): MerganserError | undefined {
  try {
    using.parse(line, 0, line.length, into)
    return undefined
  } catch (error) {
    if (!(error instanceof MerganserError) || error.code === 'BUG') throw error
    return error
  }
}

/** What must hold for any bytes at all. True where they parse. */
function holds(line: Buffer): boolean {
  const refused = tryParse(parser, line, statement)
  const same = tryParse(general, line, other)
  if (refused !== undefined) {
    if (same?.message !== refused.message || same.place.column !== refused.place.column)
      throw new Error('the fast path refuses')
    if (refused.place.column === undefined || refused.place.column < 1 || refused.place.text === undefined)
      throw new Error('no place')
    return false
  }
  const meant = meaning(statement)
  expect(meaning(other)).toEqual(meant)
  const printed = Buffer.from(printStatement(statement, CATALOG))
  logsTheSame(line)
  parser.parse(printed, 0, printed.length, other)
  expect(meaning(other)).toEqual(meant)
  expect(printStatement(other, CATALOG)).toBe(printed.toString())
  return true
}

/** The log line made of raw bytes, of canonical bytes, and by the printer are one. */
function logsTheSame(line: Buffer): void {
  if (statement.op !== 'set' && statement.op !== 'delete') return
  const stamp = statement.stamp ?? { time: 5n, origin: 'HIVE' }
  const out = new ByteBuffer(64)
  log.write(out, statement, line, stamp)
  const { stamp: given, sequence, plain } = statement
  statement.stamp = stamp
  statement.sequence = undefined
  expect(out.toString()).toBe(`${printStatement(statement, CATALOG)}\n`)
  statement.plain = false
  const canonical = new ByteBuffer(64)
  log.write(canonical, statement, line, stamp)
  expect(canonical.toString()).toBe(out.toString())
  Object.assign(statement, { stamp: given, sequence, plain })
}

const HOSTILE = [
  '',
  ' ',
  '\\N',
  'none',
  'NONE',
  '"',
  '\n',
  '\r\n',
  '\0',
  '\0\u0001',
  '../',
  '__proto__',
  '$where',
  '😀',
  '\uffff',
  '\ufeff',
  '\u2028',
  '#',
  'rooms',
  'grade',
  "';--",
  '{a: b}',
  '\t',
  'k'.repeat(1900),
]

const text = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({ maxLength: 12 }),
  fc.stringMatching(/^[A-Z]{3}[0-9]{1,4}$/),
)

const two = (value: number) => String(value).padStart(2, '0')
const day = fc
  .tuple(fc.integer({ min: 1, max: 9999 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 28 }))
  .map(([y, m, d]) => `${String(y).padStart(4, '0')}-${two(m)}-${two(d)}`)

/** Texts that a column takes, in several spellings. */
function valueOf(column: Column): fc.Arbitrary<string> {
  switch (column.type.name) {
    case 'string':
      return text
    case 'int64':
      return fc
        .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
        .map((value) => (value > 0n ? '+' : '') + String(value))
    case 'float64':
      return fc.oneof(fc.double().map(String), fc.constantFrom('NaN', '-0', '-inf', '1e300', '.5'))
    case 'decimal':
      return fc
        .tuple(fc.integer(), fc.nat(9999))
        .map(([whole, part]) => `${String(whole)}.${String(part).padStart(4, '0')}`)
    case 'boolean':
      return fc.constantFrom('true', 'FALSE')
    case 'bytes':
      return fc.uint8Array({ maxLength: 9 }).map((bytes) => `\\x${Buffer.from(bytes).toString('hex').toUpperCase()}`)
    case 'date':
      return day
    case 'timestamp':
      return fc
        .tuple(day, fc.nat(23), fc.nat(59), fc.nat(999))
        .map(([date, h, m, f]) => `${date}T${two(h)}:${two(m)}:59.${String(f).padStart(3, '0')}Z`)
    case 'json':
      return fc.json({ maxDepth: 2 }).filter((json) => 'text' in parseValue(column.type, json))
  }
}

/** An item in some spelling that says the text. */
function spelled(value: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(value, fc.boolean()).map(([one, quote]) => (quote ? JSON.stringify(one) : itemText(one)))
}

const blank = fc.constantFrom('', '', ' ', '\t', '  ')

function call(schema: TableSchema, op: string): fc.Arbitrary<string> {
  const key = fc.tuple(...schema.key.map((column) => spelled(valueOf(column))))
  const cell = (column: Column) =>
    fc.oneof({ weight: 4, arbitrary: spelled(valueOf(column)) }, { weight: 1, arbitrary: fc.constant('\\N') })
  const braces = fc
    .tuple(
      fc
        .shuffledSubarray([...schema.values], { minLength: 1 })
        .chain((columns) =>
          fc.tuple(...columns.map((column) => cell(column).map((item) => `${column.name}: ${item}`))),
        ),
      blank,
    )
    .map(([cells, gap]) => `{${gap}${cells.join(`${gap},`)}${gap}}`)
  const values = schema.values.length > 1 ? braces : fc.oneof(braces, cell(schema.values[0]!))
  const expected = fc.oneof(
    fc.constant(''),
    fc.constant(' = None'),
    values.map((value) => ` = ${value}`),
  )
  return fc.tuple(key, values, expected, blank, fc.boolean()).map(([items, value, expectation, gap, grouped]) => {
    const list = items.join(`${gap},`)
    const name = schema.name === 'student_course_grades' ? '' : `${schema.name}.`
    const shown = grouped || items[0] === 'rooms' ? `${gap}(${list})${gap}` : list
    return `${name}${op}(${shown}${op === 'SET' ? `,${gap}${value}` : ''})${op === 'GET' ? expectation : ''}`
  })
}

const replica = fc.constantFrom('HIVE', 'hive', 'POSTGRESQL', 'SQL', 'Mongo')
const stamp = fc
  .tuple(fc.bigInt({ min: 0n, max: 4_000_000_000n }), fc.constantFrom('', '@HIVE', '@OTHER'))
  .map(
    ([second, origin]) =>
      `${new Date(Number(second) * 1000).toISOString().slice(0, 19).replace('T', ' ')}.000000${String(second % 1000n).padStart(3, '0')}Z${origin}, `,
  )
const digits = fc.constantFrom('', '0, ', '17 ,', '1795360281956711651,')

const rowLine = fc
  .tuple(fc.constantFrom(...CATALOG.tables), fc.constantFrom('SET', 'GET', 'DELETE'))
  .chain(([schema, op]) => fc.tuple(fc.oneof(digits, stamp), replica, call(schema, op)))
  .map(([prefix, name, rest]) => `${prefix}${name}.${rest}`)
const textLine = fc
  .tuple(
    fc.oneof(digits, stamp),
    replica,
    fc.constantFrom('SET', 'GET', 'DELETE').chain((op) => call(CATALOG.schema(0), op)),
  )
  .map(([prefix, name, rest]) => `${prefix}${name}.${rest}`)
const otherLine = fc
  .tuple(
    digits,
    fc.constantFrom(
      'FULL_SYNC',
      'Sync()',
      'UNDO',
      'COMMIT',
      'ROLLBACK ( )',
      'exit',
      'HIVE.SYNC',
      'Mongo.UNDO()',
      'HIVE.MERGE(SQL)',
      'sql . merge ( MONGODB )',
      '',
    ),
  )
  .map((parts) => parts.join(''))
const anyLine = fc
  .tuple(
    fc.oneof({ weight: 6, arbitrary: rowLine }, { weight: 1, arbitrary: otherLine }),
    fc.constantFrom('', ' ', ' # comment', '#ü'),
  )
  .map((parts) => parts.join(''))

describe('printer and parser are inverse', () => {
  test('over generated statements of every kind, with hostile keys and typed columns', () => {
    let parsed = 0
    fc.assert(
      fc.property(anyLine, (line) => {
        if (holds(Buffer.from(line))) parsed++
        else expect(renderProblem(tryParse(parser, Buffer.from(line), statement)!)).toMatch(/LIMIT/)
      }),
      { seed: SEED, numRuns: 8000 },
    )
    expect(parsed).toBeGreaterThan(7500)
  })

  test('over mutated lines: they are refused or mean something that prints and parses the same', () => {
    const letters = fc.constantFrom(...Buffer.from('aZ07 _-'))
    const signs = fc.constantFrom(...Buffer.from(' \t,(){}"#\\=.:@-_Nn0\0\r\n\u00e4'))
    const bytes = fc.oneof({ weight: 4, arbitrary: letters }, { weight: 2, arbitrary: signs }, fc.nat(255))
    const edit = fc.tuple(fc.nat(), fc.nat(3), bytes)
    let parsed = 0
    fc.assert(
      fc.property(fc.oneof(anyLine, textLine), fc.array(edit, { minLength: 1, maxLength: 3 }), (line, edits) => {
        let mutated = Buffer.from(line)
        for (const [place, kind, byte] of edits) {
          const at = place % (mutated.length + 1)
          const skip = kind === 0 ? 0 : kind === 1 ? 1 : 2
          const put = kind === 3 ? mutated.subarray(0, at % 9) : Buffer.from([byte])
          mutated = Buffer.concat([mutated.subarray(0, at), put, mutated.subarray(at + skip)])
        }
        if (holds(mutated)) parsed++
      }),
      { seed: SEED, numRuns: 12_000 },
    )
    expect(parsed).toBeGreaterThan(1000)
  })

  test('keys up to the limit of 2,000 bytes', () => {
    for (const unit of ['k', 'ä', '😀', '"', '\n']) {
      const most = Math.floor(1995 / Buffer.byteLength(unit))
      expect(holds(Buffer.from(`HIVE.GET(${JSON.stringify(unit.repeat(most))}, b)`))).toBe(true)
      expect(holds(Buffer.from(`HIVE.GET(${JSON.stringify(unit.repeat(most + 1))}, b)`))).toBe(false)
    }
  })
})

/** A small generator of random numbers, seeded: faster than one arbitrary per byte. */
function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0
    return Math.floor(((state ^ (state >>> 13)) >>> 0) % below)
  }
}

describe('any input', () => {
  const pieces = TOKENS.map((piece) => Buffer.from(piece))

  test(`250,000 short inputs of random bytes and tokens end in a statement or a coded error (seed ${String(SEED)})`, () => {
    const random = randomOf(SEED)
    let parsed = 0
    for (let run = 0; run < 250_000; run++) {
      let line: Buffer
      if (run % 2 === 0) line = Buffer.from(Array.from({ length: random(10) }, () => random(256)))
      else line = Buffer.concat(Array.from({ length: random(14) }, () => pieces[random(pieces.length)]!))
      if (tryParse(parser, line, statement) === undefined) parsed++
      else if (statement.op !== 'none') throw new Error(`half filled by ${line.toString('hex')}`)
    }
    expect(parsed).toBeGreaterThan(1000)
  })

  test('a random binary file is checked to its end', () => {
    const random = randomOf(SEED + 1)
    const bytes = Buffer.from(Array.from({ length: 200_000 }, () => random(256)))
    const result = checkScript([bytes], CATALOG, { file: 'x' })
    expect(result.found).toBeGreaterThan(500)
    for (const error of result.problems) expect(renderProblem(error)).not.toMatch(/[\0-\u0008\u000b-\u001f]/)
  })

  test('lines that could cost too much come to an end at once', () => {
    const million = 1_000_000
    for (const line of [
      '('.repeat(million),
      `HIVE.GET(${'a,'.repeat(million / 2)}`,
      `HIVE.SET((a,b),{${'grade:1,'.repeat(million / 8)}`,
      `HIVE.GET("${'\\'.repeat(million)}`,
      `${'9'.repeat(million)}, EXIT`,
      ' '.repeat(million),
      `HIVE.${'x'.repeat(million)}`,
      `HIVE.rooms.SET(a, ${'9'.repeat(million)})`,
    ]) {
      holds(Buffer.from(line))
    }
  })
})

test('the tables of these tests have all types', () => {
  expect(CATALOG.tables).toEqual(expect.arrayContaining([ROOMS, PEOPLE, EVERYTHING]))
})

import fc from 'fast-check'
import { timeText } from '../../src/core/stamp.ts'
import type { Column, TableSchema } from '../../src/core/table.ts'
import { NOW, TABLES } from './fast-pair.ts'

/* Lines in the common spellings: those that the kernel must take. */

const two = (value: number) => String(value).padStart(2, '0')

const days = fc
  .date({ min: new Date('1970-01-01T00:00:00Z'), max: new Date('2261-12-31T00:00:00Z'), noInvalidDate: true })
  .map((date) => date.toISOString().slice(0, 10))
const times = fc
  .tuple(fc.nat(23), fc.nat(59), fc.nat(59), fc.constantFrom('', '.1', '.25', '.125', '.005'))
  .map(([h, m, s, fraction]) => `${two(h)}:${two(m)}:${two(s)}${fraction}`)

/** Bare printable ASCII. Few of them come often, so that rows are written again. */
const words = fc
  .oneof(
    { weight: 6, arbitrary: fc.stringMatching(/^[A-C][0-9]{0,2}$/) },
    { weight: 2, arbitrary: fc.stringMatching(/^[!$%&'*+./0-9:;<=>?@A-Z[\]^_`a-z|~\\-]{1,24}$/) },
    { weight: 1, arbitrary: fc.stringMatching(/^[a-z+-]{1,9} [ 0-9a-z]{0,90}[0-9a-z]$/) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('none', 'NONE', 'None', '\\n', '\\\\N', 'null', '~', '-', '0', 'SET', 'HIVE'),
    },
  )
  .filter((text) => text !== '\\N' && !TABLES.some(({ name }) => name === text.toLowerCase()))

const integers = fc.oneof(
  fc.integer({ min: -9, max: 9 }).map(String),
  fc.bigInt({ min: -(10n ** 18n) + 1n, max: 10n ** 18n - 1n }).map(String),
)

/** Digits with a point, without zeros that could be left out. */
const numbers = (whole: number, fraction: number) =>
  fc
    .tuple(fc.boolean(), fc.nat(10 ** whole - 1), fc.nat(10 ** fraction - 1), fc.nat(fraction))
    .map(([minus, before, behind, zeros]) => {
      const digits = `${'0'.repeat(zeros)}${String(behind)}`.slice(0, fraction).replace(/0+$/, '')
      const text = digits === '' ? String(before) : `${String(before)}.${digits}`
      return minus && text !== '0' ? `-${text}` : text
    })

function textOf({ type }: Column): fc.Arbitrary<string> {
  switch (type.name) {
    case 'string':
      return words
    case 'int64':
      return integers
    case 'float64':
      return numbers(8, 6)
    case 'decimal':
      return numbers(7, 3)
    case 'boolean':
      return fc.constantFrom('true', 'false')
    case 'date':
      return days
    case 'timestamp':
      return fc.tuple(days, times).map(([day, time]) => `${day} ${time}Z`)
    default:
      throw new Error(`no common spelling of ${type.name}`)
  }
}

const gap = fc.constantFrom('', '', '', ' ', '  ')

const stamps = fc
  .tuple(
    // No two of a script: another value under one stamp is for the parser.
    fc.noBias(fc.bigInt({ min: -(10n ** 17n), max: 86_000_000_000_000n })),
    fc.constantFrom('', '', '@HIVE', '@mongodb', '@OTHER_1', '@SQL'),
  )
  .map(([offset, origin]) => `${timeText(NOW + offset)}${origin}`)

const prefixes = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  { weight: 4, arbitrary: fc.tuple(fc.nat(1e9), gap).map(([number, blank]) => `${String(number)},${blank}`) },
  { weight: 1, arbitrary: fc.constantFrom('999999999999999, ', '00, ', '12345678, ', '123456789,') },
  { weight: 2, arbitrary: fc.tuple(stamps, gap, gap).map(([stamp, a, b]) => `${stamp}${a},${b}`) },
)

const replicas = fc.constantFrom('HIVE', 'hive', 'POSTGRESQL', 'Postgresql', 'SQL', 'sql', 'MONGODB', 'Mongo')
const operations = fc.constantFrom('SET', 'SET', 'SET', 'set', 'Set', 'GET', 'get', 'DELETE', 'delete')
const ends = fc.oneof(
  { weight: 5, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: fc.constantFrom(' ', '  ', ' # a remark, (with) "signs" {and} = more', '#', '\r') },
)
const dots = fc.constantFrom('.', '.', '.', '.', ' .', '. ', ' . ')

function cellsOf(schema: TableSchema): fc.Arbitrary<string> {
  const item = (column: Column) =>
    fc.oneof({ weight: 8, arbitrary: textOf(column) }, { weight: 1, arbitrary: fc.constant('\\N') })
  const named = (column: Column) =>
    fc
      .tuple(item(column), gap, gap, fc.boolean())
      .map(([text, a, b, upper]) => `${upper ? column.name.toUpperCase() : column.name}${a}:${b}${text}`)
  const braces = fc
    .tuple(
      fc.shuffledSubarray([...schema.values], { minLength: 1 }).chain((columns) => fc.tuple(...columns.map(named))),
      gap,
      gap,
    )
    .map(([cells, a, b]) => `{${a}${cells.join(`${b},${a}`)}${b}}`)
  return schema.values.length > 1
    ? braces
    : fc.oneof({ weight: 5, arbitrary: item(schema.values[0]!) }, { weight: 1, arbitrary: braces })
}

function callOf(schema: TableSchema): fc.Arbitrary<string> {
  const key = fc.tuple(...schema.key.map(textOf))
  return fc
    .tuple(operations, key, cellsOf(schema), fc.boolean(), fc.array(gap, { minLength: 6, maxLength: 6 }), dots, dots)
    .map(([op, items, cells, grouped, [a, b, c, d, e, f], dot, other]) => {
      const list = items.join(`${b!},${c!}`)
      const shown = grouped ? `(${a!}${list}${d!})` : list
      const value = op.toLowerCase() === 'set' ? `${e!},${f!}${cells}` : ''
      const named = schema === TABLES[0] ? '' : `${schema.name}${other}`
      return `${dot}${named}${op}${a!}(${b!}${shown}${value}${c!})`
    })
}

/** Tables whose keys and values are all of types that have common spellings. */
const COMMON_TABLES = TABLES.filter(({ name }) => name !== 'everything' && name !== 'scales')

const call = fc.oneof(
  { weight: 3, arbitrary: callOf(TABLES[0]!) },
  ...COMMON_TABLES.slice(1).map((schema) => ({ weight: 1, arbitrary: callOf(schema) })),
)

const statements = fc
  .tuple(fc.constantFrom('', '', '', ' '), prefixes, replicas, call, ends)
  .map((parts) => parts.join(''))

export const commonLines = fc.oneof(
  { weight: 12, arbitrary: statements },
  { weight: 1, arbitrary: fc.constantFrom('', ' ', '\r', '# a remark, (of) any "kind" \\N', '   #', '#\t\r') },
)

/** A script of them, each with its line end. */
export const commonScripts = fc
  .array(commonLines, { minLength: 1, maxLength: 300, size: 'max' })
  .map((lines) => Buffer.from(lines.map((line) => `${line}\n`).join(''), 'latin1'))

/** Bytes changed, left out or put in, pieces doubled, lines cut. */
export const edits = fc.array(
  fc.tuple(
    fc.nat(),
    fc.nat(4),
    fc.oneof(
      fc.constantFrom(...Buffer.from('aZ07 _-')),
      fc.constantFrom(...Buffer.from(' \t,(){}"#\\=.:@-_Nn0\0\r\n\u007f\u00e4')),
      fc.nat(255),
    ),
  ),
  { minLength: 1, maxLength: 16, size: 'max' },
)

/** The script with its edits, still with a line end at its end. */
export function edited(script: Buffer, changes: readonly (readonly [number, number, number])[]): Buffer {
  let bytes = script
  for (const [place, kind, byte] of changes) {
    const at = place % (bytes.length + 1)
    const skip = kind === 0 ? 0 : kind === 4 ? 24 : 1
    const put =
      kind === 1 || kind === 4 ? Buffer.alloc(0) : kind === 3 ? bytes.subarray(at, at + 9) : Buffer.from([byte])
    bytes = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + skip)])
  }
  return bytes.at(-1) === 0x0a ? bytes : Buffer.concat([bytes, Buffer.from('\n')])
}

import { keyBytes, MAX_KEY_BYTES, MAX_VALUE_BYTES, type Column, type TableSchema } from '../../../src/core/table.ts'
import { typeText, type ColumnType } from '../../../src/core/types.ts'
import { Draws } from '../../core/random.ts'
import { canonical, string, TYPES } from '../../core/values.ts'

const column = (name: string, type: ColumnType): Column => ({ name, type })
const text: ColumnType = { name: 'string' }

/** Tables of 1, 2, 5, 70 and 4 columns, of every type, with simple and composite keys. */
export const TABLES: readonly TableSchema[] = [
  { name: 'ones', key: [column('id', text)], values: [column('v', text)] },
  {
    name: 'twos',
    key: [column('x', { name: 'int64' }), column('y', text)],
    values: [column('a', text), column('b', { name: 'int64' })],
  },
  {
    name: 'fives',
    key: [
      column('s', text),
      column('b', { name: 'bytes' }),
      column('d', { name: 'date' }),
      column('n', { name: 'decimal', precision: 10, scale: 2 }),
      column('f', { name: 'boolean' }),
      column('t', { name: 'timestamp', scale: 9 }),
    ],
    values: [
      column('s', text),
      column('i', { name: 'int64' }),
      column('f', { name: 'float64' }),
      column('j', { name: 'json' }),
      column('y', { name: 'bytes' }),
    ],
  },
  {
    name: 'seventies',
    key: [column('id', { name: 'bytes' })],
    values: Array.from({ length: 70 }, (_, i) => column(`c${String(i)}`, TYPES[i % TYPES.length]!)),
  },
  {
    name: 'fours',
    key: [column('d', { name: 'decimal', precision: 38, scale: 18 }), column('s', text)],
    values: [
      column('m', { name: 'decimal', precision: 38, scale: 18 }),
      column('b', { name: 'boolean' }),
      column('d', { name: 'date' }),
      column('t', { name: 'timestamp', scale: 9 }),
    ],
  },
]

/** A key as its column's texts and as canonical bytes. */
export interface Key {
  readonly texts: readonly string[]
  readonly bytes: Buffer
}

const EVERY_BYTE = Array.from({ length: 256 }, (_, i) => i)
const LONGEST_ITEMS = [100, 254, 255, 256, 257, 1000, MAX_KEY_BYTES - 2]

/** An item of key number `index`; `most` bytes of canonical text with its terminator. */
function keyItem(type: ColumnType, draws: Draws, index: number, most: number): string {
  const plain = `k${String(index)}`
  switch (type.name) {
    case 'string':
      if (index % 7 === 3) return string(draws, 8) + plain
      if (index % 7 === 5) return plain + String.fromCharCode(...EVERY_BYTE)
      if (index % 7 === 6) return plain.padEnd(Math.min(most, LONGEST_ITEMS[index % LONGEST_ITEMS.length]!), 'xyz')
      return plain
    case 'bytes': {
      const rotated = [...EVERY_BYTE.slice(index % 256), ...EVERY_BYTE.slice(0, index % 256)]
      const bytes = index % 5 === 4 ? rotated : [...Buffer.from(plain), ...rotated.slice(0, index % 3)]
      return `\\x${Buffer.from(bytes).toString('hex')}`
    }
    case 'int64':
      return index % 5 === 4 ? canonical(draws, type) : String(index - 3)
    default:
      return canonical(draws, type)
  }
}

const keys: Key[][] = TABLES.map(() => [])

/** Key number `index` of a table: always the same one. */
export function keyNumber(table: number, index: number): Key {
  const known = keys[table]![index]
  if (known !== undefined) return known
  const schema = TABLES[table]!
  const draws = new Draws(table * 1_000_003 + index)
  const most = schema.key.length === 1 ? MAX_KEY_BYTES - 2 : 800
  const texts = schema.key.map(({ type }) => keyItem(type, draws, index, most))
  return (keys[table]![index] = { texts, bytes: keyBytes(schema, texts) })
}

const around = (length: number) => [length - 1, length, length + 1]

/** Lengths at which something may be stored in another way. */
const LENGTHS = [
  ...Array.from({ length: 18 }, (_, i) => i),
  ...[32, 64, 128].flatMap(around),
  ...[254, 255, 256, 257, 258],
  ...[512, 1024, 2048, 4096, 8192, 16384, 32768].flatMap(around),
  ...[65534, 65535, 65536, 65537, 65538],
  ...[...around(131072), 262144, MAX_VALUE_BYTES - 1, MAX_VALUE_BYTES],
]
/** Values of ordinary length, of each type. */
const ORDINARY = 24
const VARIANTS = 4

/** How many values there are of at most so many bytes: numbers below this. */
export function valuesUpTo(bytes: number): number {
  return ORDINARY + LENGTHS.filter((length) => length <= bytes).length * VARIANTS
}

/** A text of `length` bytes; variants differ at the beginning, at the end, or in that they aren't ASCII. */
function long(length: number, variant: number): string {
  if (length === 0) return ''
  if (variant === 3) return 'é'.repeat(length >> 1) + 'y'.repeat(length & 1)
  if (variant === 2) return 'z' + 'x'.repeat(length - 1)
  return 'x'.repeat(length - 1) + (variant === 1 ? 'w' : 'x')
}

function makeValue(type: ColumnType, number: number): string {
  const sized = number - ORDINARY
  const length = LENGTHS[sized >> 2]
  if (sized >= 0 && length !== undefined) {
    if (type.name === 'string') return long(length, sized & 3)
    if (type.name === 'json') return `"${long(Math.max(0, length - 2), sized & 3)}"`
    if (type.name === 'bytes') return `\\x${(sized & 1) === 0 ? 'a0' : '0b'}`.padEnd(2 + (length & ~1), '00')
  }
  return canonical(new Draws(number % ORDINARY), type)
}

const values = new Map<string, (string | undefined)[]>()

/** Value number `number` of a type, always the same one; null below 0. */
export function valueNumber(type: ColumnType, number: number): string | null {
  if (number < 0) return null
  const name = typeText(type)
  let known = values.get(name)
  if (known === undefined) values.set(name, (known = []))
  return (known[number] ??= makeValue(type, number))
}

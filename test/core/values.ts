import { parseValue, type ColumnType } from '../../src/core/types.ts'
import type { Draws } from './random.ts'

export const TYPES: readonly ColumnType[] = [
  { name: 'string' },
  { name: 'int64' },
  { name: 'float64' },
  { name: 'decimal', precision: 38, scale: 18 },
  { name: 'decimal', precision: 38, scale: 38 },
  { name: 'decimal', precision: 5, scale: 2 },
  { name: 'decimal', precision: 38, scale: 0 },
  { name: 'boolean' },
  { name: 'bytes' },
  { name: 'date' },
  { name: 'timestamp', scale: 9 },
  { name: 'timestamp', scale: 3 },
  { name: 'json' },
]

const PIECES = [
  '',
  'a',
  'b',
  '\0',
  '\x01',
  '\xff',
  'é',
  '\ud7ff',
  '\ue000',
  '\uffff',
  '\u{10000}',
  '\u{10ffff}',
  '"',
  '\\',
  '\n',
]

export function string(draws: Draws, most = 5): string {
  return Array.from({ length: draws.below(most) }, () => draws.of(PIECES)).join('')
}

const two = (value: number) => String(value).padStart(2, '0')

function date(draws: Draws): string {
  const year = String(draws.below(2) === 0 ? 1 + draws.below(9999) : 1968 + draws.below(5)).padStart(4, '0')
  return `${year}-${two(1 + draws.below(12))}-${two(1 + draws.below(28))}`
}

function decimal(draws: Draws, type: ColumnType): string {
  const scale = type.scale!
  const whole = draws.digits(draws.below(type.precision! - scale + 1))
  const fraction = draws.digits(draws.below(scale + 1))
  return `${draws.of(['', '-', '+'])}${whole === '' && fraction === '' ? '0' : whole}.${fraction}`
}

function float(draws: Draws): string {
  const view = new DataView(new ArrayBuffer(8))
  view.setUint32(0, draws.below(2 ** 32))
  view.setUint32(4, draws.below(2 ** 32))
  const value = draws.below(2) === 0 ? view.getFloat64(0) : (draws.below(2001) - 1000) / 10 ** draws.below(5)
  return Object.is(value, -0) ? '-0' : String(value)
}

function json(draws: Draws, depth = 0): unknown {
  switch (draws.below(depth > 3 ? 4 : 6)) {
    case 0:
      return string(draws)
    case 1:
      return Number(float(draws).replace(/^-?(NaN|Infinity)$/, '1'))
    case 2:
      return draws.of([true, false, null])
    case 3:
      return draws.below(1000)
    case 4:
      return Array.from({ length: draws.below(4) }, () => json(draws, depth + 1))
    default:
      return Object.fromEntries(
        Array.from({ length: draws.below(4) }, () => [
          draws.of(['__proto__', '1', '10', '', string(draws)]),
          json(draws, depth + 1),
        ]),
      )
  }
}

/** A text that is a value of the type, often not its canonical one. */
export function spelling(draws: Draws, type: ColumnType): string {
  switch (type.name) {
    case 'string':
      return string(draws)
    case 'int64': {
      const value = draws.big(63)
      return String(draws.below(2) === 0 ? value : -value - 1n)
    }
    case 'float64':
      return float(draws)
    case 'decimal':
      return decimal(draws, type)
    case 'boolean':
      return draws.of(['true', 'FALSE', 'True', 'false'])
    case 'bytes':
      return `\\x${Buffer.from(string(draws)).toString('hex')}`
    case 'date':
      return date(draws)
    case 'timestamp': {
      const fraction = draws.digits(draws.below(type.scale! + 1))
      const clock = [draws.below(24), draws.below(60), draws.below(60)].map(two).join(':')
      return `${date(draws)}${draws.of([' ', 'T'])}${clock}${fraction === '' ? '' : `.${fraction}`}Z`
    }
    case 'json':
      return JSON.stringify(json(draws), null, draws.below(2))
  }
}

/** The canonical text of a value of the type. */
export function canonical(draws: Draws, type: ColumnType): string {
  const text = spelling(draws, type)
  const parsed = parseValue(type, text)
  if ('reason' in parsed) throw new Error(`${type.name} ${text}: ${parsed.reason}`)
  return parsed.text
}

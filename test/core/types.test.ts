import { describe, expect, test } from 'vitest'
import {
  fromJs,
  keyable,
  parseType,
  parseValue,
  toJs,
  typeText,
  type ColumnType,
  type TypeName,
} from '../../src/core/types.ts'
import { ensure, forAll } from './random.ts'
import { spelling, TYPES } from './values.ts'

const parse = (type: TypeName | ColumnType, text: string): string => {
  const parsed = parseValue(typeof type === 'string' ? { name: type } : type, text)
  return 'text' in parsed ? parsed.text : `refused`
}

describe('types', () => {
  test.each(TYPES)('what $name($precision,$scale) parses is canonical: parsing it again gives the same', (type) => {
    forAll(20_000, (draws) => {
      const text = spelling(draws, type)
      const parsed = parseValue(type, text)
      ensure('text' in parsed, text, parsed)
      const again = parseValue(type, (parsed as { text: string }).text)
      ensure('text' in again && again.text === (parsed as { text: string }).text, text, parsed, again)
    })
  })

  test.each(TYPES)("a program's $name($precision,$scale) value is the same text again", (type) => {
    forAll(10_000, (draws) => {
      const { text } = parseValue(type, spelling(draws, type)) as { text: string }
      const back = fromJs(type, toJs(type, text))
      ensure('text' in back && back.text === text, text, back)
    })
  })

  test('spellings of types are read and printed', () => {
    for (const text of [
      'string',
      'int64',
      'float64',
      'decimal(38,18)',
      'decimal(5,0)',
      'timestamp(6)',
      'timestamp',
      'json',
    ]) {
      expect(typeText(parseType(text)!)).toBe(text)
    }
    expect(parseType(' DECIMAL( 5 , 2 ) ')).toEqual({ name: 'decimal', precision: 5, scale: 2 })
    expect(parseType('decimal')).toEqual({ name: 'decimal', precision: 38, scale: 18 })
    expect(typeText({ name: 'decimal' })).toBe('decimal(38,18)')
    expect(typeText({ name: 'timestamp' })).toBe('timestamp')
    for (const text of [
      '',
      'text',
      'int64(8)',
      'decimal(0)',
      'decimal(39)',
      'decimal(5,6)',
      'timestamp(10)',
      'timestamp(3,1)',
      'string()',
      'constructor',
      '__proto__',
    ]) {
      expect(parseType(text)).toBeUndefined()
    }
    expect(TYPES.filter((type) => !keyable(type)).map((type) => type.name)).toEqual(['float64', 'json'])
  })

  test.each([
    ['0', '0'],
    ['-0', '0'],
    ['+007', '7'],
    ['-9223372036854775808', '-9223372036854775808'],
    ['9223372036854775807', '9223372036854775807'],
    ['9223372036854775808', 'refused'],
    ['-9223372036854775809', 'refused'],
    ['9007199254740993', '9007199254740993'],
    ['1.0', 'refused'],
    ['1e3', 'refused'],
    ['0x10', 'refused'],
    ['1_000', 'refused'],
    [' 1', 'refused'],
    ['', 'refused'],
    ['١', 'refused'],
    ['9'.repeat(100_000), 'refused'],
  ])('int64 %j is %j', (text, expected) => {
    expect(parse('int64', text)).toBe(expected)
  })

  test.each([
    ['1.50', '1.5'],
    ['-0', '-0'],
    ['0.1', '0.1'],
    ['0.1000000000000000055511151231257827', '0.1'],
    ['1e21', '1e+21'],
    ['.5', '0.5'],
    ['5.', '5'],
    ['5e-324', '5e-324'],
    ['-1.7976931348623157e308', '-1.7976931348623157e+308'],
    ['nan', 'NaN'],
    ['-inf', '-Infinity'],
    ['+Infinity', 'Infinity'],
    ['0e999', '0'],
    ['1e309', 'refused'],
    ['1e-400', 'refused'],
    ['1e', 'refused'],
    ['.', 'refused'],
    ['0x1', 'refused'],
    ['', 'refused'],
  ])('float64 %j is %j', (text, expected) => {
    expect(parse('float64', text)).toBe(expected)
  })

  test.each([
    ['-12.50', '-12.5'],
    ['-0.00', '0'],
    ['007', '7'],
    ['1.25e2', '125'],
    ['125e-2', '1.25'],
    ['1e-18', '0.000000000000000001'],
    ['1e-19', 'refused'],
    ['10e-19', '0.000000000000000001'],
    ['0.5e1', '5'],
    ['.5', '0.5'],
    ['99999999999999999999.999999999999999999', '99999999999999999999.999999999999999999'],
    ['100000000000000000000', 'refused'],
    ['1e20', 'refused'],
    ['0e999', '0'],
    ['.', 'refused'],
    ['-', 'refused'],
    ['', 'refused'],
    ['e5', 'refused'],
    ['1e9999', 'refused'],
    ['NaN', 'refused'],
  ])('decimal(38,18) %j is %j', (text, expected) => {
    expect(parse({ name: 'decimal', precision: 38, scale: 18 }, text)).toBe(expected)
  })

  test.each([
    ['boolean', 'TRUE', 'true'],
    ['boolean', '1', 'refused'],
    ['bytes', '\\xAbFf', '\\xabff'],
    ['bytes', '\\x', '\\x'],
    ['bytes', '\\xa', 'refused'],
    ['bytes', 'ab', 'refused'],
    ['date', '2024-02-29', '2024-02-29'],
    ['date', '2026-02-29', 'refused'],
    ['date', '0001-01-01', '0001-01-01'],
    ['date', '0000-01-01', 'refused'],
    ['date', '9999-12-31', '9999-12-31'],
    ['date', '10000-01-01', 'refused'],
    ['date', '2026-1-1', 'refused'],
    ['timestamp', '2026-11-22T15:11:21.100Z', '2026-11-22 15:11:21.1Z'],
    ['timestamp', '2026-11-22 15:11:21.000Z', '2026-11-22 15:11:21Z'],
    ['timestamp', '0001-01-01 00:00:00.000000001Z', '0001-01-01 00:00:00.000000001Z'],
    ['timestamp', '2026-11-22 24:00:00Z', 'refused'],
    ['timestamp', '2026-11-22 23:59:60Z', 'refused'],
    ['timestamp', '2026-11-22 15:11:21', 'refused'],
    ['timestamp', '2026-11-22 15:11:21+01:00', 'refused'],
    ['timestamp', '2026-11-22 15:11:21.1234567890Z', 'refused'],
    ['string', '', ''],
    ['string', '\ufffe\0 ', '\ufffe\0 '],
    ['string', 'a\ud800', 'refused'],
  ] as const)('%s %j is %j', (type, text, expected) => {
    expect(parse(type, text)).toBe(expected)
  })

  test("digits of a second beyond the column's are refused, zeros among them not counted", () => {
    expect(parse({ name: 'timestamp', scale: 3 }, '2026-11-22 15:11:21.1230Z')).toBe('2026-11-22 15:11:21.123Z')
    expect(parse({ name: 'timestamp', scale: 3 }, '2026-11-22 15:11:21.1234Z')).toBe('refused')
    expect(parse({ name: 'timestamp', scale: 0 }, '2026-11-22 15:11:21.0Z')).toBe('2026-11-22 15:11:21Z')
  })

  test('I8: hostile texts of 512 KiB are refused in no time, whatever the type', () => {
    const run = 512 * 1024
    const texts = [
      `${'1'.repeat(run)}x`,
      `1.${'0'.repeat(run)}1x`,
      `0.1${'0'.repeat(run)}1`,
      `{"a":0.1${'0'.repeat(run)}1}`,
      '['.repeat(run),
      `"${'\\'.repeat(run)}`,
      `\\x${'ab'.repeat(run / 2)}g`,
      '\\x'.padEnd(run, 'a'),
      '-'.repeat(run),
    ]
    const began = process.cpuUsage()
    for (const type of TYPES) for (const text of texts) parseValue(type, text)
    expect(process.cpuUsage(began).user / 1000).toBeLessThan(8000)
  })

  test.each([
    ['int64', 5, '5'],
    ['int64', -0, '0'],
    ['int64', 2 ** 53, 'refused'],
    ['int64', 2n ** 63n, 'refused'],
    ['int64', 1.5, 'refused'],
    ['float64', NaN, 'NaN'],
    ['float64', -0, '-0'],
    ['float64', 1n, 'refused'],
    ['decimal', 12n, '12'],
    ['decimal', 1.5, 'refused'],
    ['string', 5, 'refused'],
    ['string', undefined, 'refused'],
    ['boolean', true, 'true'],
    ['bytes', new Uint8Array([0, 255]), '\\x00ff'],
    ['bytes', new Uint8Array([9, 1, 2, 9]).subarray(1, 3), '\\x0102'],
    ['string', new Uint8Array([1]), 'refused'],
    ['date', new Date('2026-11-22T00:00:00Z'), '2026-11-22'],
    ['date', new Date('2026-11-22T00:00:01Z'), 'refused'],
    ['timestamp', new Date('2026-11-22T00:00:01.5Z'), '2026-11-22 00:00:01.5Z'],
    ['timestamp', new Date(NaN), 'refused'],
    ['timestamp', new Date(8.64e15), 'refused'],
    ['json', { b: 1, a: [null, 'x'] }, '{"a":[null,"x"],"b":1}'],
    ['json', null, 'null'],
    ['json', undefined, 'refused'],
    ['json', { a: 1n }, 'refused'],
    ['json', { a: NaN }, 'refused'],
    ['json', [Infinity], 'refused'],
    ['json', '\ud800', 'refused'],
  ] as const)("a program's value: %s, case %#", (name, value, expected) => {
    const parsed = fromJs({ name }, value)
    expect('text' in parsed ? parsed.text : 'refused').toBe(expected)
  })

  test("a program's JSON that holds itself, or is nested without end, is refused", () => {
    const circle: { self?: unknown } = {}
    circle.self = circle
    let deep: unknown = 1
    for (let i = 0; i < 50_000; i++) deep = [deep]
    for (const value of [circle, deep]) expect(fromJs({ name: 'json' }, value)).toHaveProperty('reason')
  })
})

import { describe, expect, test } from 'vitest'
import { utf8Compare } from '../../src/core/bytes.ts'
import { decodeKey, encodeKey } from '../../src/core/key.ts'
import { keyable, type ColumnType } from '../../src/core/types.ts'
import { ensure, forAll } from './random.ts'
import { canonical, TYPES } from './values.ts'

const KEYABLE = TYPES.filter(keyable)

/** A decimal's text as a whole number of 38 digits after the point. */
function scaled(text: string): bigint {
  const [whole, fraction = ''] = text.replace('-', '').split('.') as [string, string?]
  return BigInt(whole + fraction.padEnd(38, '0')) * (text.startsWith('-') ? -1n : 1n)
}

/** The order of values, by other means than key bytes. */
function compare(type: ColumnType, a: string, b: string): number {
  switch (type.name) {
    case 'string':
      return Math.sign(utf8Compare(a, b))
    case 'int64':
      return Number(BigInt(a) > BigInt(b)) - Number(BigInt(a) < BigInt(b))
    case 'decimal':
      return Number(scaled(a) > scaled(b)) - Number(scaled(a) < scaled(b))
    case 'timestamp': {
      const padded = (text: string) =>
        text
          .replace('Z', '')
          .replace(/^([^.]*)$/, '$1.')
          .padEnd(29, '0')
      return Number(padded(a) > padded(b)) - Number(padded(a) < padded(b))
    }
    default:
      return Number(a > b) - Number(a < b)
  }
}

describe('canonical key bytes', () => {
  test('I1: their order is the order of the columns, one after the other', () => {
    forAll(100_000, (draws) => {
      const types = Array.from({ length: 1 + draws.below(3) }, () => draws.of(KEYABLE))
      const a = types.map((type) => canonical(draws, type))
      // Often with the same beginning, so that later columns decide.
      const b = types.map((type, c) => (draws.below(2) === 0 ? a[c]! : canonical(draws, type)))
      const expected = types.map((type, c) => compare(type, a[c]!, b[c]!)).find((order) => order !== 0) ?? 0
      ensure(Buffer.compare(encodeKey(types, a), encodeKey(types, b)) === expected, types, a, b)
    })
  })

  test('decoding gives the canonical texts again', () => {
    forAll(100_000, (draws) => {
      const types = Array.from({ length: 1 + draws.below(4) }, () => draws.of(KEYABLE))
      const texts = types.map((type) => canonical(draws, type))
      const bytes = encodeKey(types, texts)
      const back = decodeKey(types, bytes)
      ensure(back.length === texts.length && back.every((text, c) => text === texts[c]), types, texts, back)
    })
  })

  test.each([
    [
      'string',
      [
        '',
        '\0',
        '\0\0',
        '\0a',
        'a',
        'a\0',
        'a\0a',
        'a\x01',
        'aa',
        'b',
        'é',
        '\ud7ff',
        '\ue000',
        '\uffff',
        '\u{10000}',
        '\u{10ffff}',
      ],
    ],
    ['bytes', ['\\x', '\\x00', '\\x0000', '\\x0001', '\\x00ff', '\\x01', '\\xfe', '\\xff', '\\xff00', '\\xffff']],
    ['int64', ['-9223372036854775808', '-256', '-255', '-1', '0', '1', '255', '256', '9223372036854775807']],
    [
      'decimal',
      [
        '-99999999999999999999',
        '-10.5',
        '-10',
        '-0.5',
        '-0.000000000000000001',
        '0',
        '0.000000000000000001',
        '0.05',
        '0.5',
        '9.999999999999999999',
        '10',
      ],
    ],
    ['boolean', ['false', 'true']],
    ['date', ['0001-01-01', '1969-12-31', '1970-01-01', '9999-12-31']],
    [
      'timestamp',
      [
        '0001-01-01 00:00:00Z',
        '1969-12-31 23:59:59.999999999Z',
        '1970-01-01 00:00:00Z',
        '1970-01-01 00:00:00.000000001Z',
        '1970-01-01 00:00:00.1Z',
        '1970-01-01 00:00:01Z',
      ],
    ],
  ] as const)('%s keys are in order at their edges, alone and before another column', (name, texts) => {
    const types: ColumnType[] = [{ name }, { name: 'string' }]
    for (const [i, a] of texts.entries()) {
      for (const [j, b] of texts.entries()) {
        expect(Buffer.compare(encodeKey([{ name }], [a]), encodeKey([{ name }], [b]))).toBe(Math.sign(i - j))
        // The first column decides, whatever follows.
        if (i < j) expect(Buffer.compare(encodeKey(types, [a, '\u{10ffff}']), encodeKey(types, [b, '']))).toBe(-1)
      }
    }
  })

  test('bytes that are no key are refused', () => {
    const string: ColumnType[] = [{ name: 'string' }]
    const cases: [ColumnType[], number[]][] = [
      [string, []],
      [string, [97]],
      [string, [97, 0]],
      [string, [97, 0, 255]],
      [string, [97, 0, 1, 0]],
      [[{ name: 'int64' }], [1, 2, 3]],
      [[{ name: 'int64' }], [1, 2, 3, 4, 5, 6, 7, 8, 9]],
      [[{ name: 'boolean' }], []],
      [[{ name: 'date' }], [50, 48]],
      [[{ name: 'timestamp' }], [50, 48]],
      [[{ name: 'decimal' }], [1]],
    ]
    for (const [types, bytes] of cases) expect(() => decodeKey(types, Uint8Array.from(bytes))).toThrow(RangeError)
  })

  test('a view into a larger buffer is read where it lies', () => {
    const key = encodeKey([{ name: 'string' }], ['abc'])
    const around = Buffer.concat([Buffer.from('xx'), key, Buffer.from('yy')])
    expect(decodeKey([{ name: 'string' }], new Uint8Array(around.buffer, around.byteOffset + 2, key.length))).toEqual([
      'abc',
    ])
  })
})

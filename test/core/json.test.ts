import { describe, expect, test } from 'vitest'
import { utf8Compare, utf8Text } from '../../src/core/bytes.ts'
import { canonicalJson } from '../../src/core/json.ts'
import { ensure, forAll } from './random.ts'
import { spelling, string } from './values.ts'

const canonical = (text: string): string => {
  const result = canonicalJson(text)
  return 'text' in result ? result.text : 'refused'
}

describe('canonical JSON', () => {
  test.each([
    [' { "b" : 1 , "a" : [ true , null ] } ', '{"a":[true,null],"b":1}'],
    ['{"10":1,"9":2,"":3}', '{"":3,"10":1,"9":2}'],
    ['{"\\ud83d\\ude00":1,"\\uffff":2}', '{"\uffff":2,"\u{1f600}":1}'],
    ['{"__proto__":{"x":1},"constructor":2}', '{"__proto__":{"x":1},"constructor":2}'],
    ['{"a":1,"a":2}', '{"a":2}'],
    ['{"a":1,"\\u0061":2}', '{"a":2}'],
    ['"\\u0041\\/\\u0000"', '"A/\\u0000"'],
    ['1.0', '1'],
    ['-0', '0'],
    ['-0.0e5', '0'],
    ['1E2', '100'],
    ['100e-2', '1'],
    ['0.1', '0.1'],
    ['1e21', '1e+21'],
    ['1e-7', '1e-7'],
    ['123456789012345680000', '123456789012345680000'],
    ['9007199254740993', 'refused'],
    ['0.1000000000000000055', 'refused'],
    ['1e400', 'refused'],
    ['1e-400', 'refused'],
    ['"9007199254740993"', '"9007199254740993"'],
    ['["1e400"]', '["1e400"]'],
    ['"a\\"1e400"', '"a\\"1e400"'],
    ['"\\ud800"', 'refused'],
    ['{"\\udc00":1}', 'refused'],
    ['', 'refused'],
    ['{a:1}', 'refused'],
    ['[1,]', 'refused'],
    ['NaN', 'refused'],
    ['01', 'refused'],
    ['"\n"', 'refused'],
    ['1 2', 'refused'],
  ])('%j is %j', (text, expected) => {
    expect(canonical(text)).toBe(expected)
  })

  test('the canonical text is the same document, and its own canonical text', () => {
    forAll(50_000, (draws) => {
      const text = spelling(draws, { name: 'json' })
      const one = canonical(text)
      ensure(canonical(one) === one, text, one)
      const plain = (document: string) => JSON.stringify(sorted(JSON.parse(document)))
      ensure(plain(one) === plain(text), text, one)
    })
  })

  test('nested up to 200 levels, not deeper, however deep', () => {
    const nested = (depth: number, inner: string) => '['.repeat(depth) + inner + ']'.repeat(depth)
    expect(canonical(nested(200, '1'))).toBe(nested(200, '1'))
    expect(canonical(nested(200, ''))).toBe(nested(200, ''))
    expect(canonical(nested(201, ''))).toBe('refused')
    expect(canonical(nested(200, '{}'))).toBe('refused')
    expect(canonical(nested(500_000, ''))).toBe('refused')
  })

  test('a long string costs no stack', () => {
    const text = JSON.stringify('x\\"1e999'.repeat(100_000))
    expect(canonical(text)).toBe(text)
  })

  test('a reason tells nothing of the document', () => {
    for (const text of [
      'secret',
      '{"a": secret}',
      '{"secret": 12345678901234567890}',
      '["secret"',
      '{"secret":"\\ud800"}',
    ]) {
      const result = canonicalJson(text)
      expect('reason' in result ? result.reason : '').toMatch(/./)
      expect(JSON.stringify(result)).not.toMatch(/secret|123/)
    }
  })
})

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value === 0 ? 0 : value
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => [name, sorted(member)])
}

describe('texts and their bytes', () => {
  test('strings compare by their UTF-8 bytes', () => {
    forAll(100_000, (draws) => {
      const [a, b] = [string(draws), string(draws)]
      ensure(Math.sign(utf8Compare(a, b)) === Buffer.compare(Buffer.from(a), Buffer.from(b)), a, b)
    })
  })

  test('invalid UTF-8 is no text; a byte order mark is kept', () => {
    expect(utf8Text(Buffer.from('\ufeffé\0'))).toBe('\ufeffé\0')
    for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82], [0xf4, 0x90, 0x80, 0x80]]) {
      expect(utf8Text(Uint8Array.from(bytes))).toBeUndefined()
    }
  })
})

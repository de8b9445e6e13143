import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeKey } from '../../src/core/key.ts'
import { compareCanonical } from '../../src/core/order.ts'
import { keyable, parseType, parseValue, type ColumnType } from '../../src/core/types.ts'

const SEED = 20261122
const canonical = (type: ColumnType, text: string): string => {
  const parsed = parseValue(type, text)
  if ('reason' in parsed) throw new Error(`${text} is no ${type.name}`)
  return parsed.text
}
const day = fc.date({
  min: new Date('0001-01-01T00:00:00Z'),
  max: new Date('9999-12-31T00:00:00Z'),
  noInvalidDate: true,
})
const isoDay = day.map((date) => date.toISOString().slice(0, 10))
const near = fc.constantFrom(
  '0',
  '1',
  '-1',
  '10',
  '-10',
  '9',
  '99',
  '-99',
  '0.1',
  '-0.1',
  '0.11',
  '-0.11',
  '0.09',
  '100',
)

const texts: readonly (readonly [string, fc.Arbitrary<string>])[] = [
  ['string', fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', 'a', 'ab', '\0', '\uffff', '\u{10000}'))],
  [
    'int64',
    fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: -200n, max: 200n })).map(String),
  ],
  [
    'decimal(20,6)',
    fc.oneof(
      near,
      fc
        .tuple(fc.bigInt({ min: -(10n ** 13n), max: 10n ** 13n }), fc.nat(999_999))
        .map(([n, f]) => `${String(n)}.${String(f)}`),
    ),
  ],
  ['boolean', fc.constantFrom('true', 'false')],
  ['bytes', fc.uint8Array({ maxLength: 4 }).map((bytes) => `\\x${Buffer.from(bytes).toString('hex')}`)],
  ['date', isoDay],
  [
    'timestamp',
    fc
      .tuple(
        fc.oneof(fc.constant('2026-11-22'), isoDay),
        fc.nat(2),
        fc.constantFrom('', '.1', '.01', '.100000001', '.12'),
      )
      .map(([date, second, fraction]) => `${date} 10:00:0${String(second)}${fraction}Z`),
  ],
]

describe('the order of canonical values', () => {
  it.each(texts)('is that of key bytes: %s', (spelling, arbitrary) => {
    const type = parseType(spelling)!
    expect(keyable(type)).toBe(true)
    fc.assert(
      fc.property(arbitrary, arbitrary, (first, second) => {
        const [a, b] = [canonical(type, first), canonical(type, second)]
        const bytes = Buffer.compare(encodeKey([type], [a]), encodeKey([type], [b]))
        expect(Math.sign(compareCanonical(type, a, b))).toBe(bytes)
      }),
      { seed: SEED, numRuns: 3000 },
    )
  })

  it('puts float64 by value, -0 with 0, NaN last', () => {
    const type = parseType('float64')!
    const rising = ['-Infinity', '-1e+21', '-1.5', '-5e-324', '0', '5e-324', '2', '10', '1e+21', 'Infinity', 'NaN']
    rising.forEach((a, i) => {
      rising.forEach((b, j) => {
        expect(Math.sign(compareCanonical(type, a, b)), `${a} ${b}`).toBe(Math.sign(i - j))
      })
    })
    expect(compareCanonical(type, '-0', '0')).toBe(0)
  })
})

import { describe, expect, test } from 'vitest'
import {
  compareStamps,
  laterStamp,
  MAX_TIME,
  parseStamp,
  parseTime,
  stampText,
  timeText,
  TIME_TEXT_LENGTH,
} from '../../src/core/stamp.ts'
import { ensure, forAll, type Draws } from './random.ts'

const ORIGINS = ['A', 'AB', 'A_', 'A0', 'B', '_', 'HIVE', 'POSTGRESQL', 'POSTGRESQL_APP']

function time(draws: Draws): bigint {
  const value = draws.big(63)
  return draws.below(2) === 0 ? value : MAX_TIME - value
}

describe('stamps', () => {
  test('the text form is as written in the documentation', () => {
    const text = '2026-11-22 15:11:21.956711651Z@HIVE'
    const stamp = parseStamp(text)!
    expect(stamp).toEqual({ time: 1_795_360_281_956_711_651n, origin: 'HIVE' })
    expect(stampText(stamp)).toBe(text)
    expect(timeText(0n)).toBe('1970-01-01 00:00:00.000000000Z')
    expect(timeText(MAX_TIME)).toBe('2262-04-11 23:47:16.854775807Z')
  })

  test('what is printed reads back the same, at nanoseconds', () => {
    forAll(100_000, (draws) => {
      const stamp = { time: time(draws), origin: draws.of(ORIGINS) }
      const text = stampText(stamp)
      const read = parseStamp(text)
      ensure(read?.time === stamp.time && read.origin === stamp.origin, text)
      ensure(parseTime(timeText(stamp.time)) === stamp.time && timeText(stamp.time).length === TIME_TEXT_LENGTH, text)
    })
  })

  test('I1: one total order, and texts sort by their bytes as stamps do', () => {
    forAll(100_000, (draws) => {
      const near = time(draws)
      const draw = () => ({ time: draws.below(2) === 0 ? near : time(draws), origin: draws.of(ORIGINS) })
      const [a, b, c] = [draw(), draw(), draw()]
      const order = Math.sign(compareStamps(a, b))
      ensure(order === -Math.sign(compareStamps(b, a)), a, b)
      ensure(order === Buffer.compare(Buffer.from(stampText(a)), Buffer.from(stampText(b))), a, b)
      if (order <= 0 && compareStamps(b, c) <= 0) ensure(compareStamps(a, c) <= 0, a, b, c)
      ensure(
        laterStamp(a, b) === (order >= 0 ? a : b) && laterStamp(undefined, a) === a && laterStamp(a, undefined) === a,
      )
    })
  })

  test.each([
    ['month 13', '2026-13-22 15:11:21.956711651Z@A'],
    ['month 0', '2026-00-22 15:11:21.956711651Z@A'],
    ['day 0', '2026-11-00 15:11:21.956711651Z@A'],
    ['a day that the month lacks', '2026-02-30 15:11:21.956711651Z@A'],
    ['29 February of a common year', '2026-02-29 15:11:21.956711651Z@A'],
    ['hour 24', '2026-11-22 24:00:00.000000000Z@A'],
    ['minute 60', '2026-11-22 15:60:21.956711651Z@A'],
    ['a leap second', '2026-11-22 15:11:60.956711651Z@A'],
    ['before 1970', '1969-12-31 23:59:59.999999999Z@A'],
    ['after the last nanosecond', '2262-04-11 23:47:16.854775808Z@A'],
    ['the year 9999', '9999-12-31 23:59:59.000000000Z@A'],
    ['eight digits of a second', '2026-11-22 15:11:21.95671165Z@A'],
    ['ten digits of a second', '2026-11-22 15:11:21.9567116510Z@A'],
    ['no fraction', '2026-11-22 15:11:21Z@A'],
    ['a comma', '2026-11-22 15:11:21,956711651Z@A'],
    ['a T', '2026-11-22T15:11:21.956711651Z@A'],
    ['a lower-case z', '2026-11-22 15:11:21.956711651z@A'],
    ['an offset', '2026-11-22 15:11:21.956711651+@A'],
    ['a lower-case origin', '2026-11-22 15:11:21.956711651Z@hive'],
    ['an origin that begins with a digit', '2026-11-22 15:11:21.956711651Z@1A'],
    ['an empty origin', '2026-11-22 15:11:21.956711651Z@'],
    ['an origin with other letters', '2026-11-22 15:11:21.956711651Z@HÏVE'],
    ['a line end behind the origin', '2026-11-22 15:11:21.956711651Z@A\n'],
    ['no @', '2026-11-22 15:11:21.956711651ZA'],
    ['digits of another script', '２026-11-22 15:11:21.956711651Z@A'],
    ['a blank in front', ' 2026-11-22 15:11:21.956711651Z@A'],
    ['nothing', ''],
  ])('%s is no stamp', (_, text) => {
    expect(parseStamp(text)).toBeUndefined()
    expect(parseStamp(text, 'A')).toBeUndefined()
  })

  test('where the text has no origin, the one given stands in; without one it is no stamp', () => {
    const text = '2024-02-29 00:00:00.000000001Z'
    expect(parseStamp(text, 'HIVE')?.origin).toBe('HIVE')
    expect(parseStamp(`${text}@B`, 'HIVE')?.origin).toBe('B')
    expect(parseStamp(text)).toBeUndefined()
  })
})

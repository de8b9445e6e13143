import { describe, expect, test } from 'vitest'
import { joinStamped } from '../../src/core/batch.ts'
import { compareValues, exists, joinRows, laterRegister, normalRow, sameRow, type Row } from '../../src/core/row.ts'
import { rowOfStamped, stampedOfRow, withoutForeign } from '../../src/core/stamped.ts'
import { compareStamps } from '../../src/core/stamp.ts'
import { ensure, forAll, type Draws } from './random.ts'
import { drawRegister, drawRow, drawStamp } from './rows.ts'

/** One value for each stamp and column, as where no log was lost. */
function untwinned(draws: Draws): Row {
  const { registers, tombstone } = drawRow(draws)
  return {
    registers: registers.map((one, c) =>
      one === undefined ? one : { ...one, value: `${String(one.stamp.time)}${one.stamp.origin}${String(c)}` },
    ),
    tombstone,
  }
}

describe('rows and their join', () => {
  test('I2: the join is commutative, associative and idempotent, ties included', () => {
    forAll(120_000, (draws) => {
      const [a, b, c] = [drawRow(draws), drawRow(draws), drawRow(draws)]
      const joined = joinRows(a, b)
      ensure(sameRow(joined, joinRows(b, a)), a, b)
      ensure(sameRow(joinRows(joined, c), joinRows(a, joinRows(b, c))), a, b, c)
      ensure(joinRows(a, a) === a && joinRows(joined, b) === joined && joinRows(joined, a) === joined, a, b)
    })
  })

  test('a join is in normal form, and the normal form has a normal form of its own', () => {
    forAll(50_000, (draws) => {
      const joined = joinRows(drawRow(draws), drawRow(draws))
      ensure(sameRow(normalRow(joined.registers, joined.tombstone), joined), joined)
      const { tombstone, registers } = joined
      ensure(tombstone === undefined || registers.includes(undefined), joined)
      for (const one of registers) {
        ensure(one === undefined || tombstone === undefined || compareStamps(one.stamp, tombstone) > 0, joined)
      }
    })
  })

  test('dropping by normal form loses nothing: joining first and dropping at the end is the same', () => {
    forAll(50_000, (draws) => {
      const raw = [0, 1, 2].map(() => ({
        registers: [drawRegister(draws), drawRegister(draws)],
        tombstone: draws.below(2) === 0 ? drawStamp(draws) : undefined,
      }))
      const stepwise = raw.map((one) => normalRow(one.registers, one.tombstone)).reduce(joinRows)
      const registers = [0, 1].map((c) => raw.map((one) => one.registers[c]).reduce(laterRegister))
      const greatest = raw
        .flatMap((one) => (one.tombstone === undefined ? [] : [one.tombstone]))
        .sort(compareStamps)
        .at(-1)
      ensure(sameRow(stepwise, normalRow(registers, greatest)), raw)
    })
  })

  test('I1: registers have one total order: stamp, then the bytes of the value, null least', () => {
    forAll(100_000, (draws) => {
      const [a, b, c] = [drawRegister(draws), drawRegister(draws), drawRegister(draws)]
      const later = laterRegister(a, b)
      ensure(later === a || later === b, a, b)
      const swapped = laterRegister(b, a)
      ensure(later?.value === swapped?.value && later?.stamp.time === swapped?.stamp.time, a, b)
      const left = laterRegister(laterRegister(a, b), c)
      const right = laterRegister(a, laterRegister(b, c))
      ensure(left?.value === right?.value && left?.stamp.origin === right?.stamp.origin, a, b, c)
    })
    const sorted = [null, '', '\0', 'a', 'aa', 'b', 'é', '\uffff', '\u{10000}']
    sorted.forEach((a, i) => {
      sorted.forEach((b, j) => {
        expect(Math.sign(compareValues(a, b))).toBe(Math.sign(i - j))
      })
    })
  })

  test('a row exists if it has a register, null or not', () => {
    const at = { time: 1n, origin: 'A' }
    expect(exists(undefined)).toBe(false)
    expect(exists({ registers: [undefined], tombstone: at })).toBe(false)
    expect(exists({ registers: [undefined, { value: null, stamp: at }], tombstone: undefined })).toBe(true)
  })

  test('I5: joinStamped joins texts as joinRows joins rows, for distinct stamps', () => {
    forAll(60_000, (draws) => {
      const [a, b] = [untwinned(draws), untwinned(draws)]
      const stored = draws.below(5) === 0 ? undefined : a
      const joined = joinStamped(stored && stampedOfRow(['k'], stored), stampedOfRow(['k'], b))
      ensure(sameRow(rowOfStamped(joined), joinRows(stored, b)), a, b)
      ensure(sameRow(rowOfStamped(stampedOfRow(['k'], a)), a), a)
    })
  })

  test('I2: joinStamped is commutative and associative for distinct stamps, idempotent for all', () => {
    forAll(40_000, (draws) => {
      const [a, b, c] = [untwinned(draws), untwinned(draws), untwinned(draws)].map((one) => stampedOfRow(['k'], one))
      const text = (one: unknown) => JSON.stringify(one)
      const joined = joinStamped(a, b!)
      ensure(text(joined) === text(joinStamped(b, a!)), a, b)
      ensure(text(joinStamped(joined, c!)) === text(joinStamped(a, joinStamped(b, c!))), a, b, c)
      const twin = stampedOfRow(['k'], drawRow(draws))
      const once = joinStamped(a, twin)
      ensure(text(joinStamped(once, twin)) === text(once), a, twin)
    })
  })

  test('I15: under an equal stamp joinStamped keeps the stored value, and a cached one stands', () => {
    const at = '2026-11-22 15:11:21.956711651Z@A'
    const held = (value: string) => ({ key: ['k'], cells: [{ value, stamp: at }], deleted: null })
    expect(joinStamped(held('a'), held('b')).cells[0]?.value).toBe('a')
    expect(joinStamped(held('b'), held('a')).cells[0]?.value).toBe('b')
    const met: number[] = []
    const kept = withoutForeign(rowOfStamped(held('a')), rowOfStamped(held('b')), (column) => met.push(column))
    expect(kept.registers[0]?.value).toBe('a')
    expect(met).toEqual([0])
  })
})

import { describe, expect, test } from 'vitest'
import { FUTURE_BOUND, HybridClock } from '../../src/core/clock.ts'
import { MAX_TIME } from '../../src/core/stamp.ts'
import { ensure, forAll } from './random.ts'

const NOW = 1_800_000_000_000_000_000n

/** A clock over a wall clock that the test moves. */
function clock(above?: bigint, bound?: bigint) {
  const wall = { now: NOW }
  return { wall, clock: new HybridClock(() => wall.now, above, bound) }
}

const codeOf = (action: () => unknown): string => {
  try {
    action()
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
  return 'no error'
}

describe('the hybrid logical clock', () => {
  test("I3: it gives the wall clock's time, and one more where that has not moved", () => {
    const { clock: one, wall } = clock()
    expect([one.next(), one.next()]).toEqual([NOW, NOW + 1n])
    wall.now += 1000n
    expect(one.next()).toBe(NOW + 2n)
    one.refresh()
    expect(one.next()).toBe(NOW + 1000n)
  })

  test('I3: times strictly rise whatever the wall clock does and is observed', () => {
    forAll(100_000, (draws) => {
      const { clock: one, wall } = clock(NOW + BigInt(draws.below(1000)) - 500n)
      let last = one.last
      for (let i = 0; i < 8; i++) {
        wall.now += BigInt(draws.below(2000)) - 1000n
        if (draws.below(2) === 0) one.refresh()
        if (draws.below(3) === 0) {
          const observed = wall.now + BigInt(draws.below(3000)) - 1000n
          one.observe(observed)
          ensure(one.last >= observed, observed)
        }
        const time = one.next()
        ensure(time > last && time === one.last, time, last)
        last = time
      }
    })
  })

  test('I3: it starts above all logs, after a backward step between sessions too', () => {
    expect(clock(NOW + 5n).clock.next()).toBe(NOW + 6n)
  })

  test('I3: a restart whose own log is beyond the bound goes on above it; only stamps of others are refused', () => {
    const far = NOW + 10n * FUTURE_BOUND
    const { clock: one } = clock(far)
    expect(one.next()).toBe(far + 1n)
    // What the session has already is no news.
    expect(
      codeOf(() => {
        one.observe(far)
      }),
    ).toBe('no error')
    expect(
      codeOf(() => {
        one.observe(far + 2n)
      }),
    ).toBe('FUTURE_STAMP')
    expect(one.next()).toBe(far + 2n)
  })

  test('I3: a stamp beyond the bound is refused and changes nothing; one at the bound is not', () => {
    const { clock: one, wall } = clock()
    one.next()
    expect(
      codeOf(() => {
        one.observe(NOW + FUTURE_BOUND + 1n)
      }),
    ).toBe('FUTURE_STAMP')
    expect(
      codeOf(() => {
        one.check(NOW + FUTURE_BOUND + 1n)
      }),
    ).toBe('FUTURE_STAMP')
    expect(one.last).toBe(NOW)
    one.observe(NOW + FUTURE_BOUND)
    expect(one.next()).toBe(NOW + FUTURE_BOUND + 1n)
    wall.now += 10n
    expect(
      codeOf(() => {
        one.observe(NOW + FUTURE_BOUND + 10n)
      }),
    ).toBe('no error')
  })

  test('the bound is configurable', () => {
    const { clock: one } = clock(0n, 1_000_000_000n)
    expect(
      codeOf(() => {
        one.check(NOW + 1_000_000_001n)
      }),
    ).toBe('FUTURE_STAMP')
    expect(
      codeOf(() => {
        one.check(NOW + 1_000_000_000n)
      }),
    ).toBe('no error')
  })

  test('past the last stamp it refuses, again and again, and stays', () => {
    const { clock: one } = clock(MAX_TIME - 1n)
    expect(one.next()).toBe(MAX_TIME)
    for (let i = 0; i < 2; i++) expect(codeOf(() => one.next())).toBe('BAD_STAMP')
    expect(one.last).toBe(MAX_TIME)
  })
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { NodeClock } from '../../src/environment/node-clock.ts'
import { NodeRandom } from '../../src/environment/node-random.ts'
import { NodeTimers } from '../../src/environment/node-timers.ts'

test('the clock lies in the millisecond of the wall clock, whatever steps that takes', () => {
  const step = fc.record({
    wall: fc.integer({ min: -5_000, max: 5_000 }),
    monotonic: fc.integer({ min: 0, max: 10_000_000 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
      let wall = 1_790_000_000_000
      let monotonic = 5n
      const clock = new NodeClock(
        () => wall,
        () => monotonic,
      )
      for (const { wall: by, monotonic: on } of steps) {
        wall += by
        monotonic += BigInt(on)
        expect(clock.nanoseconds() / 1_000_000n).toBe(BigInt(wall))
      }
    }),
    { seed: 3, numRuns: 2_000 },
  )
})

test('within a millisecond the clock goes on by the monotonic clock', () => {
  let monotonic = 0n
  const clock = new NodeClock(
    () => 7,
    () => monotonic,
  )
  const first = clock.nanoseconds()
  monotonic += 1_234n
  expect(clock.nanoseconds() - first).toBe(1_234n)
})

test('the real clock tells nanoseconds and agrees with the system', () => {
  const clock = new NodeClock()
  // It stands still for up to a millisecond after it was ahead, which a busy machine brings about: hence no fixed count.
  const times = new Set<bigint>()
  const limit = Date.now() + 5_000
  while (times.size < 1_000 && Date.now() < limit) times.add(clock.nanoseconds())
  expect(times.size).toBe(1_000)
  const before = Date.now()
  const between = Number(clock.nanoseconds() / 1_000_000n)
  expect(between).toBeGreaterThanOrEqual(before)
  expect(between).toBeLessThanOrEqual(Date.now())
  const start = clock.milliseconds()
  expect(clock.milliseconds()).toBeGreaterThanOrEqual(start)
})

test('sleep resolves, or rejects with the reason of its signal, before and during', async () => {
  const timers = new NodeTimers()
  await timers.sleep(1)
  await timers.yield()
  const reason = new Error('enough')
  await expect(timers.sleep(2 ** 40, AbortSignal.abort(reason))).rejects.toBe(reason)
  const controller = new AbortController()
  const sleeping = timers.sleep(2 ** 40, controller.signal)
  controller.abort(reason)
  await expect(sleeping).rejects.toBe(reason)
})

test('identities are hexadecimal, as long as asked for, and differ', () => {
  const random = new NodeRandom()
  for (const digits of [1, 7, 16]) expect(random.hex(digits)).toMatch(new RegExp(`^[0-9a-f]{${String(digits)}}$`))
  expect(random.hex(16)).not.toBe(random.hex(16))
  expect(random.fraction()).toBeLessThan(1)
})

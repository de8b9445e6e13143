import { describe, expect, test } from 'vitest'
import { failureText, runSessions, type Options } from './differential.ts'
import { free } from './differential/free.ts'
import { WRONG } from './differential/wrong.ts'
import { SUBJECTS, type Subject } from './subjects.ts'

/** Half a million operations take about a minute. */
const TIME_LIMIT = 600_000

function findsNothing(seed: number, operations: number, options: Options): void {
  const { failure, operations: done } = runSessions(seed, operations, options)
  expect(failure === undefined ? '' : failureText(failure)).toBe('')
  expect(done).toBe(operations)
}

describe('the differential machine', () => {
  test('finds nothing in a model that takes other steps and gives other orders', () => {
    findsNothing(1, 30_000, { make: free })
  })

  test.each(Object.keys(WRONG))(
    'finds a model where %s, and shows it in a few operations',
    (name) => {
      const { failure } = runSessions(1, 200_000, { make: WRONG[name]!, length: 500 })
      expect(failure?.operations.length).toBeLessThan(20)
    },
    TIME_LIMIT,
  )
})

describe('the kernel does what the model does', () => {
  const other: readonly Subject[] = ['debug', 'debug-unshared', 'release-unshared', 'collisions']

  test.each(other)(
    '50,000 random operations on %s',
    (name) => {
      findsNothing(1_000_000 + 1000 * other.indexOf(name), 50_000, { make: SUBJECTS[name] })
    },
    TIME_LIMIT,
  )
})

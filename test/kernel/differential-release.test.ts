import { describe, expect, test } from 'vitest'
import { failureText, runSessions } from './differential.ts'
import { SUBJECTS } from './subjects.ts'

const PARTS = 10
const OPERATIONS = 1_000_000

describe('the kernel as it ships does what the model does', () => {
  test.each(Array.from({ length: PARTS }, (_, part) => part + 1))('a million random operations, part %i', (part) => {
    const { failure, operations } = runSessions(part * 10_000, OPERATIONS / PARTS, { make: SUBJECTS.release })
    expect(failure === undefined ? '' : failureText(failure)).toBe('')
    expect(operations).toBe(OPERATIONS / PARTS)
  })
})

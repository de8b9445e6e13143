import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { contentsOf, linesOf, Pair, type PairOptions } from './fast-pair.ts'
import { commonScripts, edited, edits } from './scan-lines.ts'

const SEED = 20261122

/** Runs a script on model and kernel; all that they hold, logged and showed is the same. */
function sameOnBoth(script: Buffer, options: PairOptions = {}): Pair {
  const pair = new Pair(options)
  pair.run(script)
  for (const [replica, log] of pair.model.logs.entries()) {
    expect(pair.kernel.logs[replica]!.toString()).toBe(log.toString())
  }
  expect(pair.kernel.results.toString()).toBe(pair.model.results.toString())
  expect(contentsOf(pair.kernel.state)).toEqual(contentsOf(pair.model.state))
  expect(pair.kernel.state.rows()).toBe(pair.model.state.rows())
  expect(pair.kernel.clock.last).toBe(pair.model.clock.last)
  return pair
}

describe('the kernel scans what the parser parses', () => {
  test.each(['debug', 'release'] as const)('the common spellings are all taken (%s)', (build) => {
    let lines = 0
    fc.assert(
      fc.property(commonScripts, (script) => {
        const pair = sameOnBoth(script, { build })
        expect(pair.handedBack).toEqual([])
        expect(pair.told.lines).toBe(linesOf(script).length)
        lines += pair.told.lines
      }),
      { seed: SEED, numRuns: 120 },
    )
    expect(lines).toBeGreaterThan(5000)
  })

  test.each(['debug', 'release'] as const)('mutated lines mean the same, or are left to the parser (%s)', (build) => {
    let lines = 0
    let left = 0
    fc.assert(
      fc.property(commonScripts, edits, (script, changes) => {
        const pair = sameOnBoth(edited(script, changes), { build })
        lines += pair.told.lines
        left += pair.handedBack.length
      }),
      { seed: SEED + 1, numRuns: 150 },
    )
    expect(lines).toBeGreaterThan(5000)
    expect(left).toBeGreaterThan(200)
  })
})

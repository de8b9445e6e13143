import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { firstSeed, record, runsOf } from '../support/proof.ts'

const WORKER = fileURLToPath(new URL('../../proof/simulation-worker.mjs', import.meta.url))
const SPREAD = new URL('../../proof/spread.mjs', import.meta.url).href

interface Sum {
  readonly firstSeed: number
  readonly runs: number
  readonly seconds: number
  readonly processes: number
  readonly figures: Readonly<Record<string, number>>
  readonly injected: Readonly<Record<string, number>>
  readonly failure?: unknown
}

type Spread = (
  script: string,
  args: readonly string[],
  options: { readonly firstSeed: number; readonly seeds: number; readonly seconds: number },
) => Promise<Sum>

/** What must have happened where so many seeds were run. */
const INJECTED = ['kill', 'power loss', 'restart', 'lost request', 'lost answer', 'repeated request', 'reset']
/** Milliseconds: a quarter of an hour where nobody else needs the processors, several times as long where many do. */
const LIMIT = 3_600_000

test(
  'I1-I15: every promise is kept in thousands of simulated worlds, each with every kind of fault',
  async () => {
    const seeds = runsOf({ ci: 2000, nightly: 200_000 })
    const { spread } = (await import(SPREAD)) as { spread: Spread }
    const sum = await spread(WORKER, [], { firstSeed: firstSeed(), seeds, seconds: Infinity })
    record({
      name: 'simulation of 1,000 statements a seed',
      invariants: Array.from({ length: 15 }, (_, n) => `I${String(n + 1)}`),
      runs: sum.runs,
      failures: sum.failure === undefined ? 0 : 1,
      firstSeed: sum.firstSeed,
      injected: sum.injected,
      figures: {
        ...sum.figures,
        'seeds a second': Number((sum.runs / sum.seconds).toFixed(1)),
        processes: sum.processes,
      },
    })
    expect(sum.failure).toBeUndefined()
    expect(sum.runs).toBe(seeds)
    expect(Object.keys(sum.injected)).toEqual(expect.arrayContaining(INJECTED))
  },
  LIMIT,
)

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What a proof found: a row of the report, as `npm run proof` gathers it. */
export interface ProofRow {
  /** What was tried, as a row of the report calls it. */
  readonly name: string
  /** Which invariants it is about: `I4`. */
  readonly invariants: readonly string[]
  readonly runs: number
  readonly failures: number
  /** The seed of the first run, where seeds count up from it. */
  readonly firstSeed?: number
  /** What was injected or met, and how often: `{ 'connection reset': 12 }`. */
  readonly injected?: Readonly<Record<string, number>>
  /** Further figures, with their units in their names: `{ 'inputs a second': 120000 }`. */
  readonly figures?: Readonly<Record<string, number | string>>
  /** Where each run is a planted bug: those that were found, the seed that found each, the invariant that it broke there. */
  readonly found?: readonly FoundBug[]
}

export interface FoundBug {
  readonly bug: string
  readonly seed: number
  readonly invariant: string
}

/** How many times as much as in `npm test` is run, as `npm run proof` asks for. */
const times = (): number => Number(process.env['MERGANSER_PROOF_TIMES'] ?? 1)

/**
 * How many runs a proof makes: `ci` of them in `npm test`; in `npm run proof` as many times more as it asks for by
 * MERGANSER_PROOF_TIMES, at most `nightly`.
 */
export function runsOf({ ci, nightly }: { ci: number; nightly: number }): number {
  return Math.min(nightly, Math.ceil(ci * times()))
}

/** The first seed of a proof: 1 in `npm test`, another each time in `npm run proof`. */
export function firstSeed(): number {
  return Number(process.env['MERGANSER_PROOF_SEED'] ?? 1)
}

/** Runs one seed after the other from the first on; an error is counted, and says which seed it was. */
export async function eachSeed(
  total: { failures: number },
  runs: number,
  what: string,
  work: (seed: number, run: number) => Promise<void>,
): Promise<void> {
  for (let run = 0; run < runs; run++) {
    const seed = firstSeed() + run
    try {
      await work(seed, run)
    } catch (error) {
      total.failures++
      throw new Error(`seed ${String(seed)}, ${what} ${String(run + 1)}`, { cause: error })
    }
  }
}

/** Keeps a row for the report, in the directory that MERGANSER_PROOF_RESULTS names; nothing without one. */
export function record(row: ProofRow): void {
  const directory = process.env['MERGANSER_PROOF_RESULTS']
  if (directory === undefined || directory === '') return
  mkdirSync(directory, { recursive: true })
  const file = row.name.toLowerCase().replaceAll(/[^a-z0-9]+/gu, '-')
  writeFileSync(join(directory, `${file}.json`), `${JSON.stringify(row, null, 2)}\n`)
}

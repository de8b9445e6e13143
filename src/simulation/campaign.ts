import type { EngineSetup } from '../engine/setup.ts'
import type { Plan } from './plan.ts'
import { simulate, type Outcome } from './run.ts'
import { shrink, type Shrunk } from './shrink.ts'

export interface CampaignOptions {
  readonly firstSeed: number
  readonly seeds: number
  readonly plan: (seed: number) => Promise<Plan> | Plan
  readonly makeState: EngineSetup['makeState']
  /** Runs that shortening a failure may take; 0 leaves it as it is. */
  readonly shrinkRuns: number
  /** Ends it after the seed that is being run. */
  readonly signal?: AbortSignal
  /** Called after each seed. */
  readonly progress?: (totals: Totals) => void
}

export interface FailedSeed {
  readonly seed: number
  readonly outcome: Outcome
  readonly plan: Plan
  readonly shrunk: Shrunk | undefined
}

/** What a row of seeds came to. */
export interface Totals {
  seeds: number
  statements: number
  results: number
  sessions: number
  events: number
  /** Of virtual time. */
  seconds: number
  readonly injected: Map<string, number>
  readonly failed: FailedSeed[]
}

/** Runs seed after seed. A failure is shortened, and the next seed goes on. */
export async function campaign(options: CampaignOptions): Promise<Totals> {
  const { firstSeed, seeds, makeState, shrinkRuns, signal, progress } = options
  const totals = newTotals()
  for (let seed = firstSeed; seed < firstSeed + seeds && signal?.aborted !== true; seed++) {
    const plan = await options.plan(seed)
    const outcome = await simulate(seed, plan, makeState)
    addOutcome(totals, outcome)
    if (outcome.failure !== undefined) {
      const again = (shorter: Plan) => simulate(seed, shorter, makeState)
      const shrunk = shrinkRuns === 0 ? undefined : await shrink(outcome, plan, again, shrinkRuns)
      totals.failed.push({ seed, outcome, plan, shrunk })
    }
    progress?.(totals)
  }
  return totals
}

export function newTotals(): Totals {
  return { seeds: 0, statements: 0, results: 0, sessions: 0, events: 0, seconds: 0, injected: new Map(), failed: [] }
}

export function addOutcome(totals: Totals, outcome: Outcome): void {
  totals.seeds++
  totals.statements += outcome.statements
  totals.results += outcome.results
  totals.sessions += outcome.sessions
  totals.events += outcome.events
  totals.seconds += outcome.seconds
  for (const [fault, count] of outcome.injected) totals.injected.set(fault, (totals.injected.get(fault) ?? 0) + count)
}

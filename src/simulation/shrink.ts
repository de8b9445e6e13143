import { NO_FAULTS } from './link.ts'
import type { Plan } from './plan.ts'
import type { Outcome } from './run.ts'

/** A plan that still fails in the same way, with what that took away. */
export interface Shrunk {
  readonly plan: Plan
  readonly outcome: Outcome
  readonly runs: number
}

/** What may be tried of a plan beside leaving out steps. */
const SIMPLER: readonly ((plan: Plan) => Partial<Plan>)[] = [
  () => ({ link: NO_FAULTS }),
  ({ link }) => ({ link: { ...link, loss: 0 } }),
  ({ link }) => ({ link: { ...link, duplicates: 0 } }),
  ({ link }) => ({ link: { ...link, reset: 0 } }),
  ({ link }) => ({ link: { ...link, lateness: 0 } }),
  () => ({ halves: 0 }),
  () => ({ initialRows: 0 }),
  () => ({ drift: 0 }),
]

/**
 * The shortest steps, and the fewest faults, that still break the same invariant under the same seed: parts are left out,
 * large ones first, as long as it goes on failing (Zeller's delta debugging, one-minimal where the runs suffice).
 */
export async function shrink(
  failed: Outcome,
  plan: Plan,
  run: (plan: Plan) => Promise<Outcome>,
  mostRuns: number,
): Promise<Shrunk> {
  let best = { plan, outcome: failed }
  let runs = 0
  const attempt = async (candidate: Plan): Promise<boolean> => {
    runs++
    const outcome = await run(candidate)
    if (outcome.failure?.invariant !== failed.failure!.invariant) return false
    best = { plan: candidate, outcome }
    return true
  }
  for (let size = Math.ceil(plan.steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < best.plan.steps.length && runs < mostRuns;) {
      const { steps } = best.plan
      const left = [...steps.slice(0, at), ...steps.slice(at + size)]
      if (left.length === 0 || !(await attempt({ ...best.plan, steps: left }))) at += size
    }
  }
  for (const simpler of SIMPLER) {
    const change = simpler(best.plan)
    if (runs < mostRuns && JSON.stringify({ ...best.plan, ...change }) !== JSON.stringify(best.plan)) {
      await attempt({ ...best.plan, ...change })
    }
  }
  return { ...best, runs }
}

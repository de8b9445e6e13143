import type { Plan } from './plan.ts'
import type { Outcome } from './run.ts'
import { scriptOf, stepsOf } from './steps.ts'

/** A run that failed once: it is repeated with every test. */
export interface Regression {
  readonly seed: number
  /** What was broken, when it was found. */
  readonly found: string
  readonly plan: Plan
}

/** The text of a file of the corpus. */
export function regressionText({ seed, failure }: Outcome, plan: Plan): string {
  const { steps, ...rest } = plan
  const found = failure === undefined ? '' : `${failure.invariant}: ${failure.message}`
  return `${JSON.stringify({ seed, found, plan: rest, script: scriptOf(steps).split('\n').slice(0, -1) }, undefined, 2)}\n`
}

/** Throws a SyntaxError where it isn't one. */
export function readRegression(text: string): Regression {
  const { seed, found, plan, script } = JSON.parse(text) as {
    seed: number
    found: string
    plan: Omit<Plan, 'steps'>
    script: string[]
  }
  return { seed, found, plan: { ...plan, steps: stepsOf(script.join('\n')) } }
}

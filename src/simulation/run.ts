import { MerganserError } from '../core/errors.ts'
import type { EngineSetup } from '../engine/setup.ts'
import { allCheckers } from './checkers/all.ts'
import { Violation } from './checkers/checker.ts'
import type { RowWatch } from './database.ts'
import { Driver } from './driver.ts'
import { History } from './history.ts'
import { Unreadable } from './logs.ts'
import type { Plan } from './plan.ts'
import { Stuck } from './schedule.ts'
import { World } from './world.ts'

/** More events than any run of so many steps needs. */
const EVENTS = 200_000
const EVENTS_A_STEP = 2_000

export interface Failure {
  /** `I4`; or what else went wrong: `stuck`, an error's code, `error`. */
  readonly invariant: string
  readonly message: string
  readonly stack: string | undefined
}

export interface Outcome {
  readonly seed: number
  readonly failure: Failure | undefined
  readonly statements: number
  readonly results: number
  readonly sessions: number
  readonly events: number
  /** Of virtual time. */
  readonly seconds: number
  /** How often each fault was injected. */
  readonly injected: ReadonlyMap<string, number>
  /** The same for the same seed and plan, everywhere. */
  readonly digest: string
  readonly trace: readonly string[] | undefined
}

/** Runs one plan under one seed in a world of its own. Never rejects. */
export async function simulate(
  seed: number,
  plan: Plan,
  makeState: EngineSetup['makeState'],
  keepTrace = false,
): Promise<Outcome> {
  const checkers = allCheckers()
  let found: unknown
  const fail = (error: unknown) => {
    found ??= error
  }
  const watch = (replica: number): RowWatch => {
    return (table, before, after) => {
      try {
        for (const checker of checkers) checker.wrote?.(replica, table, before, after)
      } catch (error) {
        fail(error)
      }
    }
  }
  const world = new World(seed, plan, watch, keepTrace)
  const history = new History(plan.replicas)
  const driver = new Driver(world, history, checkers, makeState, fail)
  const stackTraceLimit = Error.stackTraceLimit
  // Faults make thousands of errors; where they came from is told by the run that keeps its trace.
  if (!keepTrace) Error.stackTraceLimit = 0
  let done = false
  void driver.run().then(() => {
    done = true
  }, fail)
  try {
    const limit = EVENTS + EVENTS_A_STEP * plan.steps.length
    await world.schedule.run(() => done || found !== undefined, limit)
  } catch (error) {
    fail(error)
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
  const failure = found === undefined ? undefined : failureOf(found)
  if (failure !== undefined) world.tell(`${failure.invariant}: ${failure.message}`)
  return {
    seed,
    failure,
    statements: history.statements,
    results: history.shown,
    sessions: driver.sessions,
    events: world.schedule.happened,
    seconds: world.schedule.now / 1_000_000,
    injected: world.injected,
    digest: world.trace.digest,
    trace: world.trace.lines,
  }
}

function failureOf(error: unknown): Failure {
  if (error instanceof Violation) return { invariant: error.invariant, message: error.message, stack: undefined }
  if (error instanceof Unreadable) return { invariant: 'I7', message: error.message, stack: undefined }
  if (error instanceof Stuck) return { invariant: 'stuck', message: error.message, stack: undefined }
  if (error instanceof MerganserError) return { invariant: error.code, message: error.message, stack: error.stack }
  const message = error instanceof Error ? error.message : String(error)
  return { invariant: 'error', message, stack: error instanceof Error ? error.stack : undefined }
}

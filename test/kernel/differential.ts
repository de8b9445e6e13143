import { ModelState, type ModelLimits } from '../../src/core/model/model-state.ts'
import type { ReplicaState } from '../../src/core/state.ts'
import { Unaligned } from './differential/both.ts'
import { Generator, type Settings } from './differential/generate.ts'
import type { Kind, Operation } from './differential/operations.ts'
import { Session } from './differential/session.ts'
import { shrink } from './differential/shrink.ts'

/** Makes the state that is held against the model. */
export type MakeSubject = (limits: ModelLimits) => ReplicaState

export interface Options {
  readonly make: MakeSubject
  /** What to hold it against; by default the model. */
  readonly model?: MakeSubject
  /** Whether the subject may run out of memory. */
  readonly limited?: boolean
  /** Begins with SETs of new keys until the subject refuses the smallest. */
  readonly fill?: boolean
  /** Weights of operations beside each theme's own. */
  readonly bias?: Readonly<Partial<Record<Kind, number>>>
  /** Operations of one session; a slow one has a fifth of them. */
  readonly length?: number
  /** Milliseconds in which a failing list of operations is made shorter. */
  readonly shrinkFor?: number
  readonly now?: () => number
}

export interface Failure {
  readonly seed: number
  readonly message: string
  readonly settings: Settings
  readonly operations: readonly Operation[]
}

export interface Outcome {
  readonly operations: number
  readonly refused: ReadonlyMap<Kind, number>
  /** Sessions that ended because memory ran out where nothing more could be compared. */
  readonly unaligned: number
  readonly failure: Failure | undefined
}

const LENGTH = 2500
/** Sizes of values that fill the memory, and how many of them are too many. */
const FILLERS = [100_000, 9000, 17]
const MOST_FILLED = 100_000

/** Runs sessions of seeds from `seed` on until there were `operations` of them, or `goesOn` says no. */
export function runSessions(
  seed: number,
  operations: number,
  options: Options,
  goesOn: (done: number, seed: number) => boolean = () => true,
): Outcome {
  const refused = new Map<Kind, number>()
  let done = 0
  let unaligned = 0
  for (let next = seed; done < operations && goesOn(done, next); next++) {
    const result = runSession(next, Math.min(options.length ?? LENGTH, operations - done), options)
    done += result.operations
    unaligned += result.unaligned
    for (const [kind, times] of result.refused) refused.set(kind, (refused.get(kind) ?? 0) + times)
    if (result.failure !== undefined) return { operations: done, refused, unaligned, failure: result.failure }
  }
  return { operations: done, refused, unaligned, failure: undefined }
}

function runSession(seed: number, length: number, options: Options): Outcome {
  const generator = new Generator(seed, options.bias)
  const { settings } = generator
  const done: Operation[] = []
  let session: Session | undefined
  const end = (failure: Failure | undefined, unaligned = 0): Outcome => ({
    ...{ operations: done.length, refused: session?.refused ?? new Map<Kind, number>() },
    ...{ unaligned, failure },
  })
  try {
    session = newSession(settings, options)
    const run = (operation: Operation) => {
      done.push(operation)
      session!.run(operation)
    }
    if (options.fill === true) fill(generator, session, run)
    const most = generator.isSlow ? Math.ceil(length / 5) : length
    for (let i = 1; i < most; i++) run(generator.next())
    run({ kind: 'compare' })
    return end(undefined)
  } catch (error) {
    if (error instanceof Unaligned) return end(undefined, 1)
    return end(minimal(settings, done, messageOf(error), options))
  }
}

/** SETs of large values until one is refused, then of smaller ones. */
function fill(generator: Generator, session: Session, run: (operation: Operation) => void): void {
  let key = 0
  for (const bytes of FILLERS) {
    const refused = session.refused.get('set') ?? 0
    while ((session.refused.get('set') ?? 0) === refused) {
      if (key === MOST_FILLED) throw new Error('the memory has no limit')
      run(generator.filler(key++, bytes))
    }
  }
}

function newSession(settings: Settings, options: Options): Session {
  const model = (options.model ?? ((limits) => new ModelState(limits)))(settings.limits)
  return new Session(model, options.make(settings.limits), settings, options.limited)
}

function minimal(settings: Settings, operations: readonly Operation[], message: string, options: Options): Failure {
  const now = options.now ?? (() => performance.now())
  const until = now() + (options.shrinkFor ?? 30_000)
  const why = (tried: readonly Operation[]) => reasonOf(settings, tried, options)
  const least = shrink(operations, why, () => now() < until)
  return { seed: settings.seed, message: least.why ?? message, settings, operations: least.operations }
}

/** What a list of operations fails with, from its beginning; undefined where it doesn't fail. */
export function reasonOf(settings: Settings, operations: readonly Operation[], options: Options): string | undefined {
  try {
    const session = newSession(settings, options)
    for (const operation of operations) session.run(operation)
    return undefined
  } catch (error) {
    return error instanceof Unaligned ? undefined : messageOf(error)
  }
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}` : String(error)

/** A failure for people: its seed, and the operations that lead to it. */
export function failureText({ seed, message, settings, operations }: Failure): string {
  const begin = JSON.stringify(settings, (_, value: unknown) =>
    typeof value === 'bigint' ? `${String(value)}n` : value,
  )
  const lines = operations.map((operation, i) => `  ${String(i + 1)}. ${JSON.stringify(operation)}`)
  return [`seed ${String(seed)}: ${message}`, `  settings ${begin}`, ...lines].join('\n')
}

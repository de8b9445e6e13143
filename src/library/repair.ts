import { dirname, join, resolve } from 'node:path'
import type { Config, ReplicaConfig } from '../config/config.ts'
import { MerganserError } from '../core/errors.ts'
import type { SessionEvents } from '../engine/events.ts'
import { repairReplicas, type RepairEvents, type RepairResult, type RepairWork } from '../verify/repair-run.ts'
import { replicaOf, tablesOf, type Tools } from './tools.ts'

/** What of two replicas is repaired, and how. */
export interface RepairOptions {
  /** Only these tables; all by default. */
  readonly tables?: readonly string[]
  /** One of the two: its values stand where stamps settle nothing, under a new stamp. Without it, they are left. */
  readonly prefer?: string
  /** Writes a script that does it into this file, and `undo.in` beside it; nothing else is done. */
  readonly plan?: string
  /** Counts what would be done, and writes nothing. */
  readonly dryRun?: boolean
  /** Milliseconds that a row written lately is given to become equal by itself; 2,000 by default, as with `diff`. */
  readonly settle?: number
  /** Ends it with INTERRUPTED: rows are whole, what was done is durable, and a second repair does the rest. */
  readonly signal?: AbortSignal
  /** Told of each row that is left as it is, and why. */
  readonly onLeft?: (what: string) => void
}

/** As the command line asks for it; what it tells goes to `events`. */
export async function repairSides(
  tools: Tools,
  config: Config,
  sides: readonly [ReplicaConfig, ReplicaConfig],
  work: Pick<RepairWork, 'tables' | 'prefer' | 'extent' | 'files' | 'settle' | 'signal'>,
  events: RepairEvents & Pick<SessionEvents, 'message' | 'problem'>,
): Promise<RepairResult> {
  if (sides[0].name === sides[1].name) {
    throw new MerganserError('SAME_REPLICA', `${sides[0].name} can't be repaired by itself`, {
      place: { replica: sides[0].name },
      advice: 'name two replicas',
    })
  }
  const session: SessionEvents = {
    message: (text) => {
      events.message(text)
    },
    problem: (error) => {
      events.problem(error)
    },
    expectationFailed: () => undefined,
  }
  const setup = await tools.setup({ ...config, replicas: [...sides] }, session)
  const names = config.replicas.map(({ name }) => name)
  return await repairReplicas({ ...work, setup, names, events })
}

/** As a program asks for it. Rejects with the first thing that keeps a side from getting what it lacks. */
export async function repairNamed(
  tools: Tools,
  config: Config,
  message: (text: string) => void,
  names: readonly [string, string],
  options: RepairOptions,
): Promise<RepairResult> {
  const sides = [replicaOf(config, names[0]), replicaOf(config, names[1])] as const
  const { plan, onLeft, signal = new AbortController().signal } = options
  const failures: MerganserError[] = []
  const failed = (error: MerganserError) => {
    failures.push(error)
  }
  const work = {
    tables: tablesOf(config, options.tables),
    prefer: options.prefer === undefined ? undefined : preferred(config, sides, options.prefer),
    signal,
    extent: options.dryRun === true ? 'nothing' : plan === undefined ? 'all' : 'plan',
    ...(options.settle === undefined ? {} : { settle: options.settle }),
    ...(plan === undefined ? {} : { files: { plan: resolve(plan), undo: join(dirname(resolve(plan)), 'undo.in') } }),
  } as const
  const result = await repairSides(tools, config, sides, work, {
    message,
    ...{ problem: failed, failed },
    left: (what) => {
      onLeft?.(what)
    },
    pending: (replica, records) => {
      message(`${replica}: ${String(records)} records of its oplog aren't in its database yet`)
    },
    planned: () => undefined,
    done: () => undefined,
  })
  if (failures.length > 0) throw failures[0] as Error
  return result
}

function preferred(config: Config, sides: readonly [ReplicaConfig, ReplicaConfig], name: string): 0 | 1 {
  const side = sides.indexOf(replicaOf(config, name))
  if (side === 0 || side === 1) return side
  throw new MerganserError('USAGE', `prefer takes ${sides[0].name} or ${sides[1].name}, which are repaired`)
}

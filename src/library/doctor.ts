import type { Config, ReplicaConfig } from '../config/config.ts'
import { ExitStatus } from '../core/errors.ts'
import type { Finding } from '../connectors/connector.ts'
import { openingFinding, problem } from '../connectors/findings.ts'
import { databaseDirectory } from '../engine/opening.ts'
import { refuseStateLinks } from '../engine/state-links.ts'
import { commonFindings, type CommonFinding } from './doctor-common.ts'
import type { Tools } from './tools.ts'

/** A finding, and whose it is. */
export interface DoctorFinding extends Finding {
  /** Undefined: of the machine, the configuration or the state directory. */
  readonly replica: string | undefined
  /** What a process that meets it ends with: `ExitStatus.done` but for problems. */
  readonly status: ExitStatus
}

/** What is looked at together: a replica, or what all have in common. */
export interface Part {
  readonly replica: ReplicaConfig | undefined
  readonly findings: AsyncIterable<DoctorFinding>
}

export interface DoctorWork {
  readonly replicas: readonly ReplicaConfig[]
  /** The longest look at one replica. */
  readonly seconds: number
  readonly signal: AbortSignal
}

/** What is to be looked at; nothing is, before findings are asked for. They throw nothing. */
export function partsOf(tools: Tools, config: Config, work: DoctorWork): Part[] {
  const common = told(undefined, commonFindings(tools.environment, config, work.signal))
  return [
    { replica: undefined, findings: common },
    ...work.replicas.map((replica) => {
      return { replica, findings: told(replica.name, replicaFindings(tools, config, replica, work)) }
    }),
  ]
}

/** All findings as they come, every part looked at side by side. */
export async function* findingsOf(parts: readonly Part[]): AsyncGenerator<DoctorFinding, void, undefined> {
  const iterators = parts.map(({ findings }) => findings[Symbol.asyncIterator]())
  const next = (i: number) => iterators[i]!.next().then((result) => ({ i, result }))
  const waiting = new Map(iterators.map((_, i) => [i, next(i)]))
  try {
    while (waiting.size > 0) {
      const { i, result } = await Promise.race(waiting.values())
      if (result.done === true) waiting.delete(i)
      else {
        waiting.set(i, next(i))
        yield result.value
      }
    }
  } finally {
    for (const iterator of iterators) void iterator.return?.().catch(() => undefined)
  }
}

async function* told(
  replica: string | undefined,
  findings: AsyncIterable<CommonFinding>,
): AsyncGenerator<DoctorFinding, void, undefined> {
  for await (const { damage, ...finding } of findings) {
    yield { ...finding, replica, status: finding.level === 'problem' ? statusOf(finding, damage) : ExitStatus.done }
  }
}

function statusOf(finding: Finding, damage: boolean | undefined): ExitStatus {
  if (damage === true) return ExitStatus.state
  return finding.fault === 'configuration' ? ExitStatus.input : ExitStatus.database
}

/** What is found at one replica, for at most so many seconds. Throws nothing. */
async function* replicaFindings(
  tools: Tools,
  config: Config,
  replica: ReplicaConfig,
  { seconds, signal }: DoctorWork,
): AsyncGenerator<Finding, void, undefined> {
  const stop = new AbortController()
  const limit = stop.signal
  const abort = () => {
    stop.abort()
  }
  // A timer of its own: a signal that only a look holds on to may be collected before it fires.
  const timer = new AbortController()
  void tools.environment.timers.sleep(seconds * 1000, timer.signal).then(abort, () => undefined)
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
  const ended = new Promise<'ended'>((resolve) => {
    const end = () => {
      resolve('ended')
    }
    if (limit.aborted) end()
    else limit.addEventListener('abort', end, { once: true })
  })
  const findings = diagnosis(tools, config, replica, limit)[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await Promise.race([findings.next().catch((error: unknown) => failed(error, limit)), ended])
      if (next === 'ended') break
      if (next.done === true) return
      yield next.value
    }
  } finally {
    timer.abort()
    signal.removeEventListener('abort', abort)
    void findings.return?.().catch(() => undefined)
  }
  if (signal.aborted) return
  yield {
    level: 'problem',
    check: 'time',
    message: `no answer within ${String(seconds)} second${seconds === 1 ? '' : 's'}`,
    advice: 'look for a firewall or proxy that swallows connections, or give it more time: --timeout',
    fault: 'database',
  }
}

function failed(error: unknown, limit: AbortSignal): IteratorResult<Finding, undefined> | 'ended' {
  if (limit.aborted) return 'ended'
  throw error
}

async function* diagnosis(
  tools: Tools,
  config: Config,
  replica: ReplicaConfig,
  signal: AbortSignal,
): AsyncGenerator<Finding, void, undefined> {
  try {
    const { connector, options } = await tools.connector(replica)
    const directory = databaseDirectory(config.state, replica.name)
    await refuseStateLinks(tools.environment.disk, config.state, [directory])
    const context = { access: 'read', directory, replica: replica.name, signal, tables: config.tables } as const
    if (connector.diagnose === undefined) yield await openingFinding(connector, options, context)
    else yield* connector.diagnose(options, context)
  } catch (error) {
    signal.throwIfAborted()
    yield problem('configuration', error)
  }
}

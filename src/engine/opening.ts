import { join } from 'node:path'
import { MerganserError } from '../core/errors.ts'
import type { Environment } from '../environment/environment.ts'
import { archive } from '../oplog/archive.ts'
import { readPositions } from '../oplog/positions.ts'
import { inspectLog, openLog } from '../oplog/recover.ts'
import type { LogReport } from '../oplog/report.ts'
import type { OplogWriter } from '../oplog/writer.ts'
import { decodePositions, type Positions, type ReplicaPosition } from './positions.ts'
import type { EngineSetup } from './setup.ts'
import { refuseStateLinks } from './state-links.ts'

/** The state directory, opened: its lock, the positions, and each replica's log. */
export interface OpenedState {
  readonly release: () => Promise<void>
  readonly logs: readonly OpenedReplicaLog[]
  /** What was recorded of replicas that aren't configured now: kept for the day that they come back. */
  readonly others: Positions
}

export interface OpenedReplicaLog {
  readonly name: string
  readonly report: LogReport
  /** Undefined for a dry run. */
  readonly writer: OplogWriter | undefined
  readonly logId: string
  /** As recorded, set back where the log turned out to hold less. */
  readonly position: ReplicaPosition | undefined
  /** The log was, or is to be, read from the record after this one. */
  readonly from: number
}

export const positionsPath = (stateDirectory: string) => join(stateDirectory, 'positions')
export const databaseDirectory = (stateDirectory: string, replica: string) =>
  join(stateDirectory, 'databases', replica.toLowerCase())

/** Opens the state directory for a session; for a dry run only reads it, without a lock. */
export async function openState(setup: EngineSetup): Promise<OpenedState> {
  const { environment, stateDirectory, dryRun } = setup
  const { disk } = environment
  await refuseStateLinks(
    disk,
    stateDirectory,
    setup.replicas.map(({ name }) => databaseDirectory(stateDirectory, name)),
  )
  if (dryRun) return { release: () => Promise.resolve(), ...(await openLogs(setup)) }
  await prepare(environment, stateDirectory)
  const release = await lockState(environment, stateDirectory)
  try {
    if (setup.fresh) {
      // A server whose Merganser was killed may still be stopping in what is moved away now.
      for (const { name, connector } of setup.replicas)
        await connector.settled?.(databaseDirectory(stateDirectory, name))
      const names = (await disk.list(stateDirectory)).filter(
        (name) => name.startsWith('oplogs.') || name === 'positions' || name === 'databases',
      )
      const moved = await archive(environment, stateDirectory, names)
      if (moved !== undefined) setup.events.message(`the old state is in ${moved}`)
    }
    return { release, ...(await openLogs(setup)) }
  } catch (error) {
    await release()
    throw error
  }
}

/** What the system says of a state directory that can't be made or written. */
function unusable(error: unknown, what: 'made' | 'written', directory: string): MerganserError {
  const code = (error as { code?: string }).code ?? 'unknown'
  return new MerganserError(
    code === 'ENOSPC' || code === 'EDQUOT' ? 'STATE_FULL' : 'STATE_UNUSABLE',
    `the state directory can't be ${what}: ${code}`,
    { place: { file: directory }, advice: 'choose a directory that can be written, with --state DIR', cause: error },
  )
}

async function prepare({ disk }: Environment, directory: string): Promise<void> {
  try {
    await disk.makeDirectory(directory)
  } catch (error) {
    throw unusable(error, 'made', directory)
  }
}

/** Takes the state directory's lock (I9): one living process at a time. */
export async function lockState({ processes }: Environment, directory: string): Promise<() => Promise<void>> {
  const path = join(directory, 'lock')
  let taken
  try {
    taken = await processes.lock(path)
  } catch (error) {
    throw unusable(error, 'written', directory)
  }
  const { lock, holder } = taken
  if (lock === undefined) {
    throw new MerganserError('STATE_LOCKED', `the state directory is in use by ${holder ?? 'another process'}`, {
      place: { file: directory },
      advice: 'wait for it to end, or use another one with --state DIR',
    })
  }
  return () => lock.release()
}

async function openLogs(setup: EngineSetup): Promise<Pick<OpenedState, 'logs' | 'others'>> {
  const recorded = await positionsOf(setup)
  const names = new Set(setup.replicas.map(({ name }) => name))
  const others = new Map([...recorded].filter(([name]) => !names.has(name)))
  const opened: OpenedReplicaLog[] = []
  try {
    for (const { name } of setup.replicas) opened.push(await openReplicaLog(setup, name, recorded))
    if (opened.every(({ report }) => report.loss === undefined)) return { logs: opened, others }
    const left = setBack(recorded, opened)
    return { logs: await Promise.all(opened.map((log) => readFurtherBack(setup, log, left))), others }
  } catch (error) {
    await closeLogs(opened)
    throw error
  }
}

/** Closes logs that no commit group drives yet. */
export async function closeLogs(logs: readonly OpenedReplicaLog[]): Promise<void> {
  await Promise.allSettled(logs.flatMap(({ writer }) => (writer === undefined ? [] : [writer.close()])))
}

async function positionsOf(setup: EngineSetup): Promise<Positions> {
  const path = positionsPath(setup.stateDirectory)
  try {
    const content = await readPositions(setup.environment.disk, path)
    return content === undefined ? new Map() : decodePositions(content, path)
  } catch (error) {
    const lost = error instanceof MerganserError && error.code === 'OPLOG_DAMAGED'
    if (!lost || !setup.acceptLoss) throw error
    setup.events.message(`${error.message}; going on without them: everything is merged and flushed again`)
    return new Map()
  }
}

async function openReplicaLog(setup: EngineSetup, name: string, recorded: Positions): Promise<OpenedReplicaLog> {
  const { environment, stateDirectory, acceptLoss, dryRun } = setup
  const position = recorded.get(name)
  const from = leastNeeded(setup, name, recorded)
  const options = {
    from,
    acceptLoss,
    ...(position === undefined ? {} : { expect: { logId: position.log, records: position.records } }),
  }
  if (dryRun) {
    const report = await inspectLog(environment.disk, stateDirectory, name, options)
    tell(setup, report)
    return { name, report, writer: undefined, logId: report.logId ?? '', position, from }
  }
  const { writer, report } = await openLog(environment, stateDirectory, name, {
    ...options,
    segmentBytes: setup.durability.segmentBytes,
  })
  tell(setup, report)
  return { name, report, writer, logId: writer.logId, position, from }
}

/** The least record that a flush, another replica's merge, or a row that its database can't hold still needs. */
function leastNeeded(setup: EngineSetup, name: string, positions: Positions): number {
  const position = positions.get(name)
  if (position === undefined) return 0
  let least = position.opened ? position.flushed : 0
  for (const { since } of position.quarantined) least = Math.min(least, since)
  for (const other of setup.replicas) {
    if (other.name === name) continue
    const seen = positions.get(other.name)?.seen.get(name)
    least = Math.min(least, seen !== undefined && seen.log === position.log ? seen.position : 0)
  }
  return least
}

/**
 * The positions after an accepted loss (I7): nobody has seen more of a log than is left of it, and a replica that lost
 * records can't know which of the rows that it had taken from others were among them.
 */
function setBack(recorded: Positions, opened: readonly OpenedReplicaLog[]): Positions {
  const lost = new Map(opened.filter(({ report }) => report.loss !== undefined).map((log) => [log.name, log.report]))
  const left = new Map<string, ReplicaPosition>()
  for (const [name, position] of recorded) {
    const own = lost.get(name)
    if (own !== undefined && own.logId !== position.log) continue
    const seen = [...position.seen].map(([other, { log, position: at }]) => {
      return [other, { log, position: Math.min(at, lost.get(other)?.records ?? at) }] as const
    })
    const none = { seen: new Map<string, never>(), vector: new Map<string, never>() }
    left.set(name, {
      ...position,
      seen: new Map(seen),
      ...(own === undefined ? {} : { ...none, records: own.records, flushed: Math.min(position.flushed, own.records) }),
    })
  }
  return left
}

/** The log with what the positions that were set back say of it, read from where they need it. */
async function readFurtherBack(
  setup: EngineSetup,
  log: OpenedReplicaLog,
  positions: Positions,
): Promise<OpenedReplicaLog> {
  const { name, report } = log
  const from = Math.min(leastNeeded(setup, name, positions), report.records)
  const position = positions.get(name)
  if (from >= log.from) return { ...log, position }
  const again = await inspectLog(setup.environment.disk, setup.stateDirectory, name, { from })
  return { ...log, position, from, report: { ...again, loss: report.loss, torn: report.torn } }
}

function tell({ events }: EngineSetup, { replica, torn, loss }: LogReport): void {
  if (torn !== undefined) {
    events.message(
      `${replica}: ${String(torn.bytes)} bytes after the last seal of the oplog were never acknowledged; ` +
        `they were set aside${torn.setAside === undefined ? '' : ` in ${torn.setAside}`}`,
    )
  }
  if (loss !== undefined) events.message(`${replica}: ${loss.message}`)
}

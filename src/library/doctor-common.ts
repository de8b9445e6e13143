import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import { MerganserError } from '../core/errors.ts'
import type { Finding } from '../connectors/connector.ts'
import { ok, problem, spaceFinding } from '../connectors/findings.ts'
import { positionsPath } from '../engine/opening.ts'
import { decodePositions, type Positions } from '../engine/positions.ts'
import type { Environment } from '../environment/environment.ts'
import { lockHolder } from '../environment/node-processes.ts'
import { roomOf } from '../environment/node-space.ts'
import { readPositions } from '../oplog/positions.ts'
import { inspectLog } from '../oplog/recover.ts'

/** `damage`: the state directory can't be used, which has an exit status of its own. */
export type CommonFinding = Finding & { readonly damage?: boolean }

const NANOSECONDS = 1_000_000n
/** How long the two clocks are watched side by side, and how far they may drift apart meanwhile, in milliseconds. */
const WATCHED = 250
const DRIFT = 50
/** A state whose newest stamp is further ahead of the clock than this is told of. */
const AHEAD = 2_000n * NANOSECONDS
const LEAST_NODE = [20, 19] as const

/** What no single replica is to blame for: Node, the configuration, clock and state directory. Throws nothing. */
export async function* commonFindings(
  environment: Environment,
  config: Config,
  signal: AbortSignal,
): AsyncGenerator<CommonFinding> {
  yield nodeFinding()
  const tables = config.tables.map(({ name }) => name).join(', ')
  yield ok('configuration', `${config.file ?? 'the defaults'}: tables ${tables}`)
  const positions = await recorded(environment, config)
  yield* stateFindings(config)
  if (positions instanceof MerganserError) yield damaged(positions)
  else {
    for (const { name } of config.replicas) yield* oplogFindings(environment, config, name, positions)
  }
  if (signal.aborted) return
  yield* clockFindings(environment, positions instanceof MerganserError ? undefined : positions)
}

function nodeFinding(): CommonFinding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const message = `Node ${process.versions.node} on ${process.platform} ${process.arch}`
  if (major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1])) return ok('node', message)
  return { level: 'warning', check: 'node', message, advice: `use ${LEAST_NODE.join('.')} or newer` }
}

async function* stateFindings({ state }: Config): AsyncGenerator<CommonFinding> {
  try {
    const { exists, path, refused, freeBytes } = await roomOf(state)
    if (refused === undefined) yield ok('state', exists ? `${path} can be written` : `${state} will be made`)
    else {
      const advice = 'change its owner or mode, or name another one with --state'
      const message = `${path} can't be written: ${refused}`
      yield { level: 'problem', check: 'state', message, advice, damage: true }
    }
    yield spaceFinding(freeBytes)
    const lock = await lockHolder(join(state, 'lock'))
    if (lock?.alive === true) {
      const advice = 'only one session at a time: wait for it to end, or give this one its own --state'
      yield { level: 'warning', check: 'lock', message: `${lock.holder} has the state directory open`, advice }
    } else if (lock !== undefined) {
      yield ok('lock', `free: ${lock.holder} left it and ended; the next session goes on from its oplogs`)
    } else yield ok('lock', 'nobody has the state directory open')
  } catch (error) {
    yield { ...problem('state', error), damage: true }
  }
}

async function recorded({ disk }: Environment, { state }: Config): Promise<Positions | MerganserError> {
  const path = positionsPath(state)
  try {
    const content = await readPositions(disk, path)
    return content === undefined ? new Map() : decodePositions(content, path)
  } catch (error) {
    if (error instanceof MerganserError) return error
    return new MerganserError('STATE_UNUSABLE', "the file positions can't be read", { place: { file: path } })
  }
}

/** Reads the end of a log, from the segment that the positions recorded last: `merganser oplog` reads it whole. */
async function* oplogFindings(
  { disk }: Environment,
  config: Config,
  name: string,
  positions: Positions,
): AsyncGenerator<CommonFinding> {
  const position = positions.get(name)
  const check = 'oplog'
  try {
    const expect = position === undefined ? undefined : { logId: position.log, records: position.records }
    const report = await inspectLog(disk, config.state, name, { from: position?.records, expect })
    const torn = report.torn?.bytes ?? 0
    const message = `${name}: ${report.records.toLocaleString('en')} records`
    if (torn === 0) yield ok(check, message)
    else yield ok(check, `${message}; ${String(torn)} bytes after the last seal, never acknowledged`)
  } catch (error) {
    yield error instanceof MerganserError
      ? { ...damaged(error), message: `${name}: ${error.message}` }
      : { level: 'problem', check, message: `the oplog of ${name} can't be read`, damage: true }
  }
}

function damaged({ message, advice }: MerganserError): CommonFinding {
  return { level: 'problem', check: 'oplog', message, damage: true, ...(advice === undefined ? {} : { advice }) }
}

/** Whether the wall clock runs as fast as the one that can't be set, and isn't behind what was written before. */
async function* clockFindings(
  { clock, timers }: Environment,
  positions: Positions | undefined,
): AsyncGenerator<CommonFinding> {
  const start = { wall: clock.nanoseconds(), steady: clock.milliseconds() }
  await timers.sleep(WATCHED)
  const wall = Number((clock.nanoseconds() - start.wall) / NANOSECONDS)
  const drift = Math.round(wall - (clock.milliseconds() - start.steady))
  const check = 'clock'
  if (Math.abs(drift) <= DRIFT) yield ok(check, 'runs evenly')
  else {
    const advice = 'look at what sets it; stamps still rise, but may be far from the time of others'
    yield { level: 'warning', check, message: `it was set by ${String(drift)} ms just now`, advice }
  }
  const newest = [...(positions?.values() ?? [])].reduce((most, { highWater }) => {
    return highWater > most ? highWater : most
  }, 0n)
  const ahead = newest - clock.nanoseconds()
  if (ahead <= AHEAD) return
  const message = `it is ${(Number(ahead / NANOSECONDS) / 1000).toFixed(1)} s behind the newest stamp of the state`
  yield { level: 'warning', check, message, advice: 'set it right: new writes get stamps just above that one' }
}

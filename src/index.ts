import type { Config } from './config/config.ts'
import { connectorTypes, loadConnector } from './connectors/registry.ts'
import type { Connector } from './connectors/connector.ts'
import { MerganserError } from './core/errors.ts'
import type { SessionEvents } from './engine/events.ts'
import type { Sink } from './engine/output.ts'
import type { EngineSetup, ReplicaSetup } from './engine/setup.ts'
import type { Environment } from './environment/environment.ts'
import { readAsset } from './environment/asset.ts'
import { nodeEnvironment } from './environment/node.ts'
import { compile } from './kernel/kernel.ts'
import { KernelState } from './kernel/kernel-state.ts'
import type { WasmModule } from './kernel/webassembly.ts'
import { configOf, type SessionOptions, type TableShapes } from './library/options.ts'
import { openTyped, type TypedSession } from './library/session.ts'
import type { TableSchema } from './core/table.ts'
import { columnNumbers, rowMeets, type RowCondition } from './verify/conditions.ts'
import type { Difference, DifferencesOptions } from './verify/difference.ts'
import { differences } from './verify/differences.ts'
import { withSides } from './verify/sides.ts'

export { MerganserError, type ErrorCode, type Place } from './core/errors.ts'
export type { Report, ReplicaReport } from './engine/report.ts'
export type { SessionOptions, TableShapes } from './library/options.ts'
export type { KeyOf, RowOf, TypedSession, ValuesOf } from './library/session.ts'
export { foundIn, newTally, type Difference, type DifferenceKind, type Tally } from './verify/difference.ts'
export type { StampedCell, StampedRow } from './core/batch.ts'
export type { RowCondition } from './verify/conditions.ts'
export { connectorTypes }

/** What one run of a configured session adds to its configuration. */
export interface SetupOptions {
  readonly dryRun?: boolean
  readonly flush?: boolean
  readonly fresh?: boolean
  readonly acceptLoss?: boolean
  readonly sink?: Sink
  readonly events: SessionEvents
}

/** The real environment: its threads start from the compiled `worker.js` beside this file. */
export function realEnvironment(): Environment {
  return nodeEnvironment(new URL('./worker.js', import.meta.url))
}

let compiled: WasmModule | undefined

/** The kernel, compiled once a process from the file that lies beside this one. */
function kernel(): WasmModule {
  return (compiled ??= compile(readAsset(new URL('./kernel/kernel.wasm', import.meta.url))))
}

/** The connector of a configured type and its checked options. Throws BAD_CONFIG. */
export async function configuredConnector({ name, type, options }: Config['replicas'][number]): Promise<ReplicaSetup> {
  const connector: Connector | undefined = await loadConnector(type)
  if (connector === undefined) {
    throw new MerganserError('BAD_CONFIG', `replica ${name}: there is no connector of type ${type}`, {
      place: { replica: name },
      advice: `known types: ${connectorTypes.join(', ')}`,
    })
  }
  return { name, connector, options: connector.options(options) }
}

/** Everything that an engine's session is opened with. */
export async function sessionSetup(
  config: Config,
  options: SetupOptions,
  environment: Environment = realEnvironment(),
): Promise<EngineSetup> {
  return {
    environment,
    stateDirectory: config.state,
    tables: config.tables,
    replicas: await Promise.all(config.replicas.map(configuredConnector)),
    aliases: config.aliases,
    dryRun: options.dryRun ?? false,
    flush: options.flush ?? true,
    fresh: options.fresh ?? false,
    acceptLoss: options.acceptLoss ?? false,
    workers: config.workers,
    limits: config.limits,
    durability: config.durability,
    retrySeconds: config.retry.seconds,
    makeState: ({ undoStatements, undoRows }) => new KernelState(kernel(), { undoStatements, undoRows }),
    sink: options.sink,
    events: options.events,
  }
}

/**
 * Opens a session over replicas that keep the same tables, typed by their schema.
 *
 * Throws a MerganserError: BAD_CONFIG, BAD_SCHEMA; STATE_LOCKED, STATE_UNUSABLE, OPLOG_DAMAGED where the state
 * directory can't be used.
 */
export async function openSession<const Tables extends TableShapes>(
  options: SessionOptions<Tables>,
): Promise<TypedSession<Tables>> {
  const { config, events, flags } = configOf(options)
  return await openTyped<Tables>(await sessionSetup(config, { ...flags, events }))
}

/** What of two replicas is compared, and how. */
export interface DiffOptions extends Pick<
  DifferencesOptions,
  'valuesOnly' | 'settle' | 'digests' | 'signal' | 'tally'
> {
  /** Only rows of which one side meets all of these; values are canonical texts, null is null. */
  readonly where?: readonly RowCondition[]
  /** Only these value columns. */
  readonly columns?: readonly string[]
}

/**
 * The rows of a table that differ between two replicas, in key order and bounded memory, read from their databases;
 * what is in caches and oplogs only isn't in them. No session is needed, no lock is taken, nothing is written. Both are
 * read at the same time, in threads; where both databases can work out digests, equal ranges of keys aren't read. Rows
 * that differ are read again before they are given out, so that writes going on aren't taken for differences.
 *
 *     const tally = newTally()
 *     for await (const { key, kind } of diff({ tables, replicas }, 'HIVE', 'POSTGRESQL', 'grades', { tally })) …
 *
 * Throws a MerganserError: BAD_CONFIG, BAD_SCHEMA, UNKNOWN_REPLICA, SAME_REPLICA, UNKNOWN_TABLE, UNKNOWN_COLUMN; those
 * of a database that can't be reached or refuses; the reason of `signal`.
 */
export async function* diff<const Tables extends TableShapes>(
  options: Pick<SessionOptions<Tables>, 'tables' | 'replicas' | 'state' | 'onMessage'>,
  left: string,
  right: string,
  table: keyof Tables & string,
  question: DiffOptions = {},
): AsyncGenerator<Difference, void, undefined> {
  const { config, events } = configOf(options)
  const schema = config.tables.find(({ name }) => name === table)
  if (schema === undefined) {
    throw new MerganserError('UNKNOWN_TABLE', `there is no table ${table.slice(0, 80)}`)
  }
  const replicas = [left, right].map((name) => {
    const found = config.replicas.find((replica) => replica.name === name.toUpperCase())
    if (found !== undefined) return found
    throw new MerganserError('UNKNOWN_REPLICA', `there is no replica ${name.slice(0, 80)}`)
  })
  yield* diffConfigured(config, [replicas[0]!, replicas[1]!], schema, question, (text) => {
    events.message(text)
  })
}

/** As `diff`, for replicas and a table of a configuration. */
export async function* diffConfigured(
  config: Config,
  replicas: readonly [Config['replicas'][number], Config['replicas'][number]],
  table: TableSchema,
  { where, columns, ...rest }: DiffOptions,
  message: (text: string) => void,
): AsyncGenerator<Difference, void, undefined> {
  const environment = realEnvironment()
  const asked = {
    ...rest,
    environment,
    ...(where === undefined || where.length === 0 ? {} : { where: rowMeets(table, where) }),
    ...(columns === undefined ? {} : { columns: columnNumbers(table, columns) }),
  }
  const setups = await Promise.all([configuredConnector(replicas[0]), configuredConnector(replicas[1])])
  yield* withSides({ environment, stateDirectory: config.state, message }, setups, (a, b) =>
    differences(a, b, table, asked),
  )
}

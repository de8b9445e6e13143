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
import { copyNamed, type CopyOptions, type TableCopy } from './library/copy.ts'
import { findingsOf, partsOf, type DoctorFinding, type DoctorWork, type Part } from './library/doctor.ts'
import { configOf, type SessionOptions, type TableShapes } from './library/options.ts'
import { repairNamed, repairSides, type RepairOptions } from './library/repair.ts'
import { openTyped, type TypedSession } from './library/session.ts'
import { replicaOf, tablesOf, type Tools } from './library/tools.ts'
import type { TableSchema } from './core/table.ts'
import { columnNumbers, rowMeets, type RowCondition } from './verify/conditions.ts'
import type { Difference, DifferencesOptions } from './verify/difference.ts'
import { differences } from './verify/differences.ts'
import type { RepairResult } from './verify/repair-run.ts'
import { withSides } from './verify/sides.ts'

export { MerganserError, type ErrorCode, type Place } from './core/errors.ts'
export type { Report, ReplicaReport } from './engine/report.ts'
export type { CopyOptions, TableCopy } from './library/copy.ts'
export { findingsOf, type DoctorFinding, type Part } from './library/doctor.ts'
export type { SessionOptions, TableShapes } from './library/options.ts'
export type { RepairOptions } from './library/repair.ts'
export type { KeyOf, RowOf, TypedSession, ValuesOf } from './library/session.ts'
export { foundIn, newTally, type Difference, type DifferenceKind, type Tally } from './verify/difference.ts'
export type { StampedCell, StampedRow } from './core/batch.ts'
export type { RowCondition } from './verify/conditions.ts'
export type { RepairFiles, RepairResult } from './verify/repair-run.ts'
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

/** The implementation of the replicas' state that every session has. */
export const productionState: EngineSetup['makeState'] = ({ undoStatements, undoRows }) =>
  new KernelState(kernel(), { undoStatements, undoRows })

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
    makeState: productionState,
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
  const [schema] = tablesOf(config, [table])
  const replicas = [replicaOf(config, left), replicaOf(config, right)] as const
  yield* diffConfigured(config, replicas, schema!, question, (text) => {
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
  const { signal } = rest
  const setup = {
    ...{ environment, stateDirectory: config.state, message, retrySeconds: config.retry.seconds },
    ...(signal === undefined ? {} : { signal }),
  }
  yield* withSides(setup, setups, (a, b) => differences(a, b, table, asked))
}

/** What the library's functions are made of. */
function tools(): Tools {
  const environment = realEnvironment()
  return {
    environment,
    connector: configuredConnector,
    setup: (config, events) => sessionSetup(config, { events }, environment),
  }
}

type Replicated<Tables extends TableShapes> = Omit<SessionOptions<Tables>, 'dryRun' | 'flush' | 'fresh'>
type Names<Tables extends TableShapes> = readonly (keyof Tables & string)[]

/**
 * Makes two replicas equal where their databases differ, as `merganser repair` does: each gets what the other one has
 * under a greater stamp, through the oplogs; what stamps don't settle only by `prefer`, under a new stamp. A session of
 * the state directory must not be open meanwhile.
 *
 *     const { rows, different, files } = await repair({ tables, replicas }, 'HIVE', 'POSTGRESQL', { prefer: 'HIVE' })
 *
 * What was done is durable on return; a script that takes it back is in `files`. Throws a MerganserError: those of
 * `diff` and `openSession`; USAGE; BAD_OUTPUT_FILE; DATABASE_UNREACHABLE and others where a database stays away;
 * INTERRUPTED by the signal. What was written is in the oplogs then, and the next repair does the rest.
 */
export async function repair<const Tables extends TableShapes>(
  options: Replicated<Tables>,
  left: string,
  right: string,
  question: RepairOptions & { readonly tables?: Names<Tables> } = {},
): Promise<RepairResult> {
  const { config, events } = configOf(options)
  const message = (text: string) => {
    events.message(text)
  }
  return await repairNamed(tools(), config, message, [left, right], question)
}

/** As `repair`, for replicas and tables of a configuration; what it tells as it goes on goes to `events`. */
export async function repairConfigured(
  config: Config,
  ...rest: DropFirst<DropFirst<Parameters<typeof repairSides>>>
): Promise<RepairResult> {
  return await repairSides(tools(), config, ...rest)
}

/**
 * Fills the database of one replica from another one's, as `merganser copy` does: rows keep their stamps and are joined
 * with what is there, in order and bounded memory. The first is only read; a session of the state directory must not be
 * open meanwhile. One that was interrupted, in whatever way, goes on behind what was durable.
 *
 *     const [grades] = await copy({ tables, replicas }, 'POSTGRESQL', 'HIVE', { tables: ['grades'] })
 *
 * Durable on return; rows that the database can't hold are left out and listed in a file (`rejected`, `rejects`).
 * After the signal the last of the results is not `whole`. Throws as `openSession`; SAME_REPLICA, UNKNOWN_REPLICA,
 * UNKNOWN_TABLE; those of a database that stays away or refuses.
 */
export async function copy<const Tables extends TableShapes>(
  options: Replicated<Tables>,
  from: string,
  to: string,
  question: CopyOptions & { readonly tables?: Names<Tables> } = {},
): Promise<readonly TableCopy[]> {
  const { config, events } = configOf(options)
  return await copyNamed(tools(), config, events, [from, to], question)
}

/**
 * Looks for what would keep a session from working, as `merganser doctor` does: findings as they come, each with what to
 * do. Changes nothing and takes no lock; what goes wrong is a finding, `status` what a process would end with. Throws
 * BAD_CONFIG, BAD_SCHEMA and UNKNOWN_REPLICA only.
 *
 *     for await (const { replica, level, check, message, advice } of doctor({ tables, replicas })) …
 */
export async function* doctor<const Tables extends TableShapes>(
  options: Replicated<Tables>,
  question: { readonly replicas?: readonly string[]; readonly seconds?: number; readonly signal?: AbortSignal } = {},
): AsyncGenerator<DoctorFinding, void, undefined> {
  const { config } = configOf(options)
  const { replicas, seconds = 30, signal = new AbortController().signal } = question
  const chosen = replicas === undefined ? config.replicas : replicas.map((name) => replicaOf(config, name))
  yield* findingsOf(doctorParts(config, { replicas: chosen, seconds, signal }))
}

/** As `doctor`, for replicas of a configuration, by what belongs together. */
export function doctorParts(config: Config, work: DoctorWork): readonly Part[] {
  return partsOf(tools(), config, work)
}

type DropFirst<T extends readonly unknown[]> = T extends readonly [unknown, ...infer Rest] ? Rest : never

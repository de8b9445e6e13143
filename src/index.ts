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

export { MerganserError, type ErrorCode, type Place } from './core/errors.ts'
export type { Report, ReplicaReport } from './engine/report.ts'
export type { SessionOptions, TableShapes } from './library/options.ts'
export type { KeyOf, RowOf, TypedSession, ValuesOf } from './library/session.ts'
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

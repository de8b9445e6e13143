import type { ReplicaState } from '../core/state.ts'
import type { TableSchema } from '../core/table.ts'
import type { Connector, ConnectorOptions } from '../connectors/connector.ts'
import type { Environment } from '../environment/environment.ts'
import type { SessionEvents } from './events.ts'
import type { Sink } from './output.ts'

export interface ReplicaSetup {
  /** In capitals. */
  readonly name: string
  readonly connector: Connector
  /** As `connector.options` gave them. */
  readonly options: ConnectorOptions
}

export interface EngineSetup {
  readonly environment: Environment
  readonly stateDirectory: string
  readonly tables: readonly TableSchema[]
  readonly replicas: readonly ReplicaSetup[]
  readonly aliases: Readonly<Record<string, string>>
  /** `dryRun`: nothing is written anywhere, databases are opened for reading only. */
  readonly dryRun: boolean
  /** False: oplogs are written, the databases get the rows at another time. */
  readonly flush: boolean
  /** Archives the old state first. */
  readonly fresh: boolean
  /** Goes on with what damaged or missing logs left, and says what is missing. */
  readonly acceptLoss: boolean
  /** Threads at most. */
  readonly workers: number
  readonly limits: {
    readonly keyBytes: number
    readonly valueBytes: number
    readonly lineBytes: number
    readonly undoStatements: number
    readonly undoRows: number
    readonly memoryRows: number
    readonly pendingReads: number
    readonly futureSeconds: number
  }
  readonly durability: {
    readonly commitMilliseconds: number
    readonly commitBytes: number
    readonly segmentBytes: number
  }
  /** How long a database may stay away. */
  readonly retrySeconds: number
  /** The implementation of the replicas' state. */
  readonly makeState: (limits: { readonly undoStatements: number; readonly undoRows: number }) => ReplicaState
  /** Where results go; undefined: nowhere. */
  readonly sink: Sink | undefined
  readonly events: SessionEvents
}

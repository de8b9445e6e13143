import { join } from 'node:path'
import { DEFAULT_TABLE, MAX_KEY_BYTES, MAX_VALUE_BYTES, type TableSchema } from '../core/table.ts'

/** One copy of the tables: a database of a type, with what its connector needs to know. */
export interface ReplicaConfig {
  /** In capitals. */
  readonly name: string
  readonly type: string
  /** Everything else that stands there, plain; the connector checks it. */
  readonly options: Readonly<Record<string, unknown>>
  /** Options that hold a variable with a secret's name: `printConfig` hides them whole. */
  readonly hidden: readonly string[]
}

/** Bounds of a session. At each there is a clear error before anything is half done (I11). */
export interface Limits {
  readonly keyBytes: number
  readonly valueBytes: number
  readonly lineBytes: number
  readonly undoStatements: number
  readonly undoRows: number
  /** How far in the future a stamp from others may be. */
  readonly futureSeconds: number
  /** Distinct rows that a session holds in memory, over all replicas. */
  readonly memoryRows: number
  /** Keys whose look-up in a database is under way or waiting, per replica. */
  readonly pendingReads: number
}

/** When a group of operations goes to disk: what comes first, the time or the size. */
export interface Durability {
  readonly commitMilliseconds: number
  readonly commitBytes: number
  /** An oplog begins a new segment at this size. */
  readonly segmentBytes: number
}

export interface Retry {
  /** How long a database may stay away before the run ends. */
  readonly seconds: number
}

/** The effective configuration: checked, complete, plain data. */
export interface Config {
  /** The file that it was read from; undefined where there is none. */
  readonly file: string | undefined
  readonly tables: readonly TableSchema[]
  /** In configured order. */
  readonly replicas: readonly ReplicaConfig[]
  /** Other name of a replica, in capitals, to its name. */
  readonly aliases: Readonly<Record<string, string>>
  /** Most worker threads of the session. */
  readonly workers: number
  readonly limits: Limits
  readonly durability: Durability
  readonly retry: Retry
  /** The state directory, absolute. */
  readonly state: string
}

export type Environment = Readonly<Record<string, string | undefined>>

const STATE_DIRECTORY = '.merganser'

export const DEFAULT_LIMITS: Limits = {
  keyBytes: MAX_KEY_BYTES,
  valueBytes: MAX_VALUE_BYTES,
  lineBytes: 1024 * 1024,
  undoStatements: 10_000,
  undoRows: 1_000_000,
  futureSeconds: 86_400,
  memoryRows: 2_000_000,
  pendingReads: 10_000,
}

export const DEFAULT_DURABILITY: Durability = {
  commitMilliseconds: 10,
  commitBytes: 4 * 1024 * 1024,
  segmentBytes: 256 * 1024 * 1024,
}

export const DEFAULT_RETRY: Retry = { seconds: 30 }
export const DEFAULT_WORKERS = 50

export const DEFAULT_REPLICAS: readonly ReplicaConfig[] = [
  { name: 'HIVE', type: 'embedded-warehouse', options: {}, hidden: [] },
  { name: 'POSTGRESQL', type: 'embedded-postgres', options: {}, hidden: [] },
  { name: 'MONGODB', type: 'embedded-documents', options: {}, hidden: [] },
]

const DEFAULT_ALIASES: Readonly<Record<string, string>> = { SQL: 'POSTGRESQL', MONGO: 'MONGODB' }

/** The default aliases of the replicas that are there; a replica of an alias's name goes first. */
export function defaultAliases(replicas: readonly ReplicaConfig[]): Record<string, string> {
  const names = new Set(replicas.map((replica) => replica.name))
  return Object.fromEntries(
    Object.entries(DEFAULT_ALIASES).filter(([alias, name]) => names.has(name) && !names.has(alias)),
  )
}

/** What holds without a file: the default table on three embedded replicas, state in `.merganser` under `cwd`. */
export function defaultConfig(cwd: string): Config {
  return {
    file: undefined,
    tables: [DEFAULT_TABLE],
    replicas: DEFAULT_REPLICAS,
    aliases: defaultAliases(DEFAULT_REPLICAS),
    workers: DEFAULT_WORKERS,
    limits: DEFAULT_LIMITS,
    durability: DEFAULT_DURABILITY,
    retry: DEFAULT_RETRY,
    state: join(cwd, STATE_DIRECTORY),
  }
}

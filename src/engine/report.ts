import type { ErrorCode, ExitStatus } from '../core/errors.ts'
import type { Digest } from '../core/state.ts'
import type { Quarantined } from './positions.ts'

/** Counts of one replica. */
export interface ReplicaCounts {
  /** Rows taken by merges. */
  merged: number
  /** Rows handed to the database, those that changed it, and those of which it held the same or newer. */
  flushed: number
  written: number
  stale: number
  batches: number
  /** Time spent waiting for the database's writes. */
  flushMilliseconds: number
  retries: number
  /** Values that changed in the database under an unchanged stamp. */
  foreign: number
}

/** What a session did, as it counts while it runs. */
export class Counts {
  readonly statements = {
    set: 0,
    get: 0,
    delete: 0,
    merge: 0,
    fullSync: 0,
    sync: 0,
    undo: 0,
    commit: 0,
    rollback: 0,
  }
  /** GETs that found a row, and those for which a database was asked. */
  found = 0
  lookups = 0
  conflicts = 0
  /** Values that met another one under the same stamp: edited or lost logs. */
  twins = 0
  undoneRows = 0
  expectations = 0
  expectationsFailed = 0
  /** Errors that `--keep-going` went past. */
  errors = 0
  readonly replicas: ReplicaCounts[]

  constructor(replicas: number) {
    this.replicas = Array.from({ length: replicas }, () => ({
      merged: 0,
      flushed: 0,
      written: 0,
      stale: 0,
      batches: 0,
      flushMilliseconds: 0,
      retries: 0,
      foreign: 0,
    }))
  }
}

export interface ReplicaReport extends ReplicaCounts {
  readonly name: string
  readonly type: string
  /** Records in its oplog. */
  readonly records: number
  /** Where the live segment of its oplog is; undefined for a dry run. */
  readonly oplog: string | undefined
  /** Rows that wait for its database. */
  readonly pending: number
  /** Those whose oplogs hold changes of earlier sessions that it isn't known to have merged. */
  readonly behind: readonly string[]
  /** Of the rows that this session knows, per table; undefined where the database couldn't be asked. */
  readonly digests: Readonly<Record<string, Digest>> | undefined
  readonly quarantined: readonly Quarantined[]
  /** Why its database doesn't hold everything. */
  readonly failure: { readonly code: ErrorCode; readonly message: string } | undefined
}

/** A conflict as people read it. */
export interface ListedConflict {
  readonly replica: string
  readonly table: string
  readonly key: string
  readonly column: string
  readonly won: string
  readonly lost: string
}

export interface Report {
  readonly statements: Readonly<Counts['statements']>
  readonly found: number
  readonly lookups: number
  readonly conflicts: number
  /** The first of them. */
  readonly listedConflicts: readonly ListedConflict[]
  readonly twins: number
  readonly undoneRows: number
  readonly expectations: number
  readonly expectationsFailed: number
  readonly errors: number
  readonly replicas: readonly ReplicaReport[]
  /** The digests of all replicas are equal, none is behind another, and nothing is quarantined or pending. */
  readonly converged: boolean
  readonly seconds: number
  readonly exitStatus: ExitStatus
  /** What would have been written, per replica: a dry run's. */
  readonly plan: readonly PlannedRows[] | undefined
}

export interface PlannedRows {
  readonly replica: string
  readonly table: string
  readonly rows: number
}

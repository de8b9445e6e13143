import type { HybridClock } from '../core/clock.ts'
import type { Row } from '../core/row.ts'
import type { Conflict, Foreign, ReplicaId, ReplicaState } from '../core/state.ts'
import { stampText, type Stamp } from '../core/stamp.ts'
import type { Capabilities } from '../connectors/connector.ts'
import type { WallClock } from '../environment/environment.ts'
import type { Lane } from '../lanes/lane.ts'
import type { Catalog } from '../script/catalog.ts'
import type { SessionEvents } from './events.ts'
import type { Flusher } from './flusher.ts'
import type { Journal } from './journal.ts'
import type { PositionKeeper, Unmerged } from './position-keeper.ts'
import type { Reads } from './reads.ts'
import type { Counts, ListedConflict } from './report.ts'
import type { Sequencer } from './sequencer.ts'
import type { SessionLog } from './session-log.ts'

/** Where a statement stands; nothing for a library call. */
export interface Origin {
  file?: string
  line?: number
  /** The line's bytes, for statements that may be copied into the log. */
  buffer?: Buffer
  /** Called with what a GET found, when its answer is known. */
  answer?: (row: Row | undefined) => void
}

/** One replica while a session runs. */
export interface Replica {
  readonly id: ReplicaId
  readonly name: string
  readonly type: string
  readonly capabilities: Capabilities
  readonly lane: Lane
  readonly flusher: Flusher
  /** Whether its database is known to hold nothing yet. */
  readonly absent: () => Promise<boolean>
}

/** The parts of a session that statements work on. */
export interface EngineContext {
  readonly catalog: Catalog
  readonly state: ReplicaState
  readonly clock: HybridClock
  readonly wall: WallClock
  readonly replicas: readonly Replica[]
  readonly sequencer: Sequencer
  readonly journal: Journal
  readonly reads: Reads
  readonly log: SessionLog
  readonly keeper: PositionKeeper
  readonly counts: Counts
  /** What earlier sessions have left to be merged. */
  readonly unmerged: readonly Unmerged[]
  readonly conflicts: ListedConflict[]
  /** Foreign values that were reported: a row may be met many times. */
  readonly foreign: Set<string>
  readonly events: SessionEvents
  readonly limits: EngineLimits
  /** False under `--no-flush` and `--dry-run`: databases get nothing. */
  readonly flushes: boolean
  /** Lets callbacks in. */
  readonly yield: () => Promise<void>
}

export interface EngineLimits {
  /** Distinct rows that a session may hold, all replicas together. */
  readonly memoryRows: number
  /** GETs that may wait for a database. */
  readonly pendingReads: number
}

/** The next stamp of a replica. */
export function nextStamp(context: EngineContext, replica: ReplicaId): Stamp {
  return { time: context.clock.next(), origin: context.catalog.replicas[replica]! }
}

/** Foreign values of which is remembered that they were reported, and those of a replica that are told one by one. */
const FOREIGN_KNOWN = 100_000
const FOREIGN_TOLD = 20

/** Says that databases hold values that changed under an unchanged stamp (I15). */
export function reportForeign(context: EngineContext, replica: ReplicaId, foreign: readonly Foreign[]): void {
  const counts = context.counts.replicas[replica]!
  for (const { table, key, column, stamp } of foreign) {
    const schema = context.catalog.tables[table]!
    const what =
      `${context.catalog.replicas[replica]!}: ${schema.name} ${context.journal.keyText(table, key)} ` +
      `${schema.values[column]!.name} was changed in the database under its stamp ${stamp}`
    if (context.foreign.has(what)) continue
    // Beyond this many, some are counted twice: that is better than no bound.
    if (context.foreign.size < FOREIGN_KNOWN) context.foreign.add(what)
    if (++counts.foreign <= FOREIGN_TOLD) context.events.message(`${what}; it stays there as it is`)
  }
}

/** A conflict as people read it. */
export function readableConflict(context: EngineContext, replica: ReplicaId, conflict: Conflict): ListedConflict {
  const schema = context.catalog.tables[conflict.table]!
  return {
    replica: context.catalog.replicas[replica]!,
    table: schema.name,
    key: context.journal.keyText(conflict.table, conflict.key),
    column: schema.values[conflict.column]!.name,
    won: stampText(conflict.won),
    lost: stampText(conflict.lost),
  }
}

import type { StampedRow } from '../../core/batch.ts'
import type { MerganserError } from '../../core/errors.ts'
import { keyOf, type SimulatedDatabase } from '../database.ts'
import type { History, Matching } from '../history.ts'
import type { LogRecord } from '../logs.ts'
import type { ExpectedRecord } from '../reference.ts'
import type { Operation } from '../operations.ts'
import type { PlainRow, PlainRows } from '../rows.ts'
import type { Plan } from '../plan.ts'
import type { Report } from '../../engine/report.ts'

/** A promise that was broken. */
export class Violation extends Error {
  readonly invariant: string

  constructor(invariant: string, message: string) {
    super(message)
    this.invariant = invariant
  }
}

/** What is recorded beside the logs, as it lies on the disk. */
export interface RecordedPosition {
  readonly records: number
  readonly flushed: number
  readonly opened: boolean
  readonly seen: Readonly<Record<string, { readonly position: number }>>
  readonly quarantined: readonly { readonly table: string; readonly key: string }[]
}

/** The world between two sessions: the one before has ended, the next has just read what is there. */
export interface Between {
  readonly plan: Plan
  readonly columns: readonly number[]
  readonly history: History
  readonly databases: readonly SimulatedDatabase[]
  /** Per replica, the records of its log. */
  readonly logs: readonly (readonly LogRecord[])[]
  /** What each replica's database held before its log began. */
  readonly bases: readonly PlainRows[]
  /** The logs, joined into rows. */
  readonly rows: readonly PlainRows[]
  /** What the logs hold of what the session before was asked to do. */
  readonly matchings: readonly Matching[]
  /** By name; undefined where nothing is recorded yet. */
  readonly positions: Readonly<Record<string, RecordedPosition>> | undefined
}

/** The world at its end: faults are over, everything was merged and flushed, the session is closed. */
export interface AtEnd extends Between {
  readonly report: Report
  /** What every replica should hold. */
  readonly expected: PlainRows
}

/** One invariant, watched from outside. Each method throws a Violation. */
export interface Checker {
  readonly invariant: string
  readonly says: string
  /** The session before has ended, the next one has opened. */
  between?(world: Between): void
  /** A database's own statement changed a row. */
  wrote?(replica: number, table: string, before: StampedRow | undefined, after: StampedRow): void
  /** The product shows a result. */
  showed?(shown: Operation, expected: ExpectedRecord | undefined, history: History): void
  /** A session could not be opened; `flipped` is the file of which one bit had changed. */
  refused?(error: MerganserError, flipped: string | undefined): void
  /** Another process tried to use the state directory: the error that it got. */
  intruded?(error: MerganserError | undefined): void
  /** So many keys of a replica are being looked up, and so many may be. */
  reading?(replica: number, keys: number, most: number): void
  /** Statements were executed, from the virtual time `begun` on; refused ones are not among them. */
  ran?(operations: readonly Operation[], begun: number, lanes: Lanes): void
  /** A database has carried out what the lane of its replica asked: a write, or something else. */
  served?(replica: number, wrote: boolean, lanes: Lanes): void
  /** The session ends: its lanes begin nothing any more. */
  ended?(): void
  atEnd?(world: AtEnd): void
}

/** How the lanes of a session are, at a moment. Times are microseconds of virtual time. */
export interface Lanes {
  readonly now: number
  /** Statements that were issued, over all sessions. */
  readonly statements: number
  /** The oldest result that wasn't shown yet. */
  readonly awaited: { readonly statement: number; readonly replica: number } | undefined
  /** Whether a read, or the log, has failed for good: results that are missing won't come. */
  readonly unanswered: boolean
  /** Whether the lane has given up, as it says. */
  failed(replica: number): boolean
  /** When the replica's database, or the way to it, was last in trouble. */
  troubled(replica: number): number
}

export function violated(invariant: string, message: string): never {
  throw new Violation(invariant, message)
}

export const rowName = (plan: Plan, table: number, key: string): string =>
  `${plan.tables[table]!.name} (${keyOf(key).join(', ')})`

export const showRow = (row: PlainRow | undefined): string => JSON.stringify(row ?? null)

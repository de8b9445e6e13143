import type { StampedCell, StampedRow } from '../core/batch.ts'
import { timeText, TIME_TEXT_LENGTH } from '../core/stamp.ts'
import type { Environment } from '../environment/environment.ts'
import type { Capabilities, ReplicaStore } from '../connectors/connector.ts'

/** One of the two replicas that are compared. */
export interface Side {
  /** The replica's name. */
  readonly name: string
  readonly store: Pick<ReplicaStore, 'readRows' | 'scanRows' | 'digest' | 'splitKeys'>
  readonly capabilities: Capabilities
}

const UNSTAMPED = timeText(0n)

/**
 * The stamp of a value that stands in a replica's database without one: somebody wrote it there by hand. It counts as
 * stamped at the beginning of time by that replica.
 */
export function unstamped(replica: string): string {
  return `${UNSTAMPED}@${replica}`
}

/** Whether a cell of a difference has no stamp in its database. */
export function isUnstamped(cell: StampedCell | null): boolean {
  return cell !== null && cell.stamp.startsWith(UNSTAMPED) && cell.stamp[TIME_TEXT_LENGTH] === '@'
}

/**
 * How the two rows of a key differ, the first that applies:
 * - 'unstamped': a side holds values without stamps, and the other one not the same values without stamps, perhaps
 *   nothing at all; not where only values are compared
 * - 'left-only', 'right-only': the row exists on one side only; on the other one it is absent or deleted
 * - 'foreign': it exists on both, and a column holds another value under an equal stamp (I15)
 * - 'different': it exists on both, and shows another value in a column
 * - 'stamps': both show the same (perhaps no row at all), only stamps differ
 */
export type DifferenceKind = 'unstamped' | 'left-only' | 'right-only' | 'foreign' | 'different' | 'stamps'

/**
 * The rows of one key where they aren't equal, in normal form. Values without stamps have that of `unstamped`; a
 * tombstone beside them, which a database may hold, doesn't hide them.
 */
export interface Difference {
  /** Canonical texts of the key columns. */
  readonly key: readonly string[]
  readonly kind: DifferenceKind
  /** A deleted row is there, with its tombstone; undefined where there is nothing. */
  readonly left: StampedRow | undefined
  readonly right: StampedRow | undefined
  /**
   * Rising numbers of the compared value columns whose value or stamp differs; of a row that exists on one side only,
   * of those that it has.
   */
  readonly columns: readonly number[]
  /** Those of them that hold another value under an equal stamp (I15), in rows of any kind. */
  readonly foreign: readonly number[]
  /** Those of them in which a side holds a value without a stamp (`isUnstamped`), in rows of any kind. */
  readonly unstamped: readonly number[]
  /** It still changed while it was looked at again: writes go on, it may become equal yet. */
  readonly moving: boolean
}

export interface DifferencesOptions {
  /** For the waits between looks and the age of stamps. */
  readonly environment: Pick<Environment, 'timers' | 'clock'>
  /** Numbers of the value columns that are compared; all by default. */
  readonly columns?: readonly number[]
  /** Of the differences only those of which a row, left or right, is asked for. */
  readonly where?: (row: StampedRow) => boolean
  /** True: only what shows is compared, existence and values, not stamps and tombstones. */
  readonly valuesOnly?: boolean
  /** Milliseconds that a row written lately is given to become equal; 2,000 by default, 0 for one look only. */
  readonly settle?: number
  /** False: every row is read, no digests. */
  readonly digests?: boolean
  /** Ends with its reason. */
  readonly signal?: AbortSignal
  /** Counts while it goes on; the caller reads it when it likes. */
  readonly tally?: Tally
}

/** What a comparison has met so far. */
export interface Tally {
  /** Keys compared, row by row or by a digest. */
  compared: number
  /** Of them by a digest: nobody read them. */
  skipped: number
  /** Ranges of keys whose digests were equal; and not. */
  equalRanges: number
  unequalRanges: number
  /** Rows that were there, tombstones included. */
  leftRows: number
  rightRows: number
  /** Differences that became equal while they were looked at again. */
  settled: number
  /** Differences given out, by kind; and how many of them were moving. */
  readonly found: Record<DifferenceKind, number>
  moving: number
}

export function newTally(): Tally {
  return {
    ...{ compared: 0, skipped: 0, equalRanges: 0, unequalRanges: 0, leftRows: 0, rightRows: 0, settled: 0 },
    found: { unstamped: 0, 'left-only': 0, 'right-only': 0, foreign: 0, different: 0, stamps: 0 },
    moving: 0,
  }
}

/** All differences that were given out. */
export function foundIn(tally: Tally): number {
  return Object.values(tally.found).reduce((sum, count) => sum + count, 0)
}

import type { HybridClock } from './clock.ts'
import type { ReplicaId } from './ids.ts'

/** What the fast path is told before the first statement. */
export interface FastSettings {
  /** False where nobody reads the logs' lines: they are counted, not written. */
  readonly keepsLines: boolean
  /** False where nobody reads what GETs show. */
  readonly keepsResults: boolean
  /** Bytes of log lines that may be taken and not yet given back. */
  readonly logBytes: number
  /** Most bytes of a canonical key, of a value, of a line. */
  readonly limits: { readonly keyBytes: number; readonly valueBytes: number; readonly lineBytes: number }
  /** Every name and alias of a replica. */
  readonly names: readonly { readonly name: string; readonly replica: ReplicaId }[]
  /** Per replica what its database holds of keys and values; any limit may be lower than those above. */
  readonly replicas: readonly {
    readonly keyBytes: number
    readonly valueBytes: number
    /** Per table, whether every value that the fast path takes of its columns' types fits: else it takes no SET. */
    readonly fits: readonly boolean[]
  }[]
}

/** Why `run` ended: the input's end; a line for the parser; logs, results, memory or rows at their limit. */
export type FastStop = 'end' | 'line' | 'logFull' | 'resultsFull' | 'memory' | 'rows'

/** What one `run` did. One object, filled anew by each run. */
export interface FastResult {
  stop: FastStop
  /** Where the first line begins that wasn't executed; `end` where all were. */
  at: number
  /** Lines executed, empty ones and remarks included. */
  lines: number
  sets: number
  deletes: number
  gets: number
  /** GETs that showed a row. */
  found: number
  /** SETs under a stamp that met another value (I1); the parser's way is taken for them, so this is what restore met. */
  twins: number
  /** Records added, per replica; by `restore`, those of its replica that were passed, GETs too. */
  readonly records: number[]
}

/** Bytes in the state's memory; whole lines. They stand until `release`. */
export interface FastBytes {
  readonly bytes: Uint8Array
  release(): void
}

/**
 * The way of the common lines: whole blocks of script are scanned, executed and logged in the state itself. Any line
 * that it doesn't know is left to the parser, which is the specification. Only a state that has it offers it.
 */
export interface FastPath {
  begin(settings: FastSettings): void

  /** Buffers in the state's memory that scripts are read into, of one size; the same views until memory grows. */
  input(index: 0 | 1): Uint8Array

  /**
   * Executes the whole lines (each with its line end) in `input(index)[start .. end)` until one needs the parser or a
   * limit is met. What was executed is complete: rows, records, log lines, results. Stamps come from `clock`, which is
   * raised; its wall reading is the one it was refreshed with.
   * @param rows how many rows may be added
   */
  run(index: 0 | 1, start: number, end: number, clock: HybridClock, rows: number): FastResult

  /**
   * Reads back whole lines of a replica's own log (as `ReplicaState.restore`), records counted from `first`; remarks
   * are skipped. Stops at a line that it doesn't know ('line') or 'memory'. `greatest` is the greatest time met.
   * @param upTo records after this one are left ('end', with `at` before the first of them)
   */
  restore(
    index: 0 | 1,
    start: number,
    end: number,
    replica: ReplicaId,
    first: number,
    upTo: number,
    count: boolean,
  ): FastResult & { readonly greatest: bigint }

  /** Bytes of log lines of a replica that wait to be taken. */
  logged(replica: ReplicaId): number
  /** Takes them, in order; undefined where there are none. */
  takeLog(replica: ReplicaId): FastBytes | undefined
  /** Takes what GETs showed, in order. */
  takeResults(): FastBytes | undefined
}

import type { FastPath } from './fast-path.ts'
import type { KeyBatch, RowBatch } from './batch.ts'
import type { ReplicaId, TableId } from './ids.ts'
import type { Row } from './row.ts'
import type { Stamp } from './stamp.ts'
import { ShortTexts } from './short-texts.ts'
import { MAX_COLUMNS, type TableSchema } from './table.ts'

export type { ReplicaId, TableId }

const texts = new ShortTexts()

/**
 * The canonical bytes of one row operation: key bytes (`key.ts`), and for a SET the cells. One object is filled by the
 * parser, read by the state, and filled again: nothing is allocated per operation.
 */
export class RowInput {
  key = Buffer.allocUnsafeSlow(4096)
  keyLength = 0
  /** Number of cells; their column numbers in `columns`. */
  count = 0
  readonly columns = new Uint16Array(MAX_COLUMNS)
  /** Canonical texts of the cells, one after the other, cell `i` ending at `ends[i]`; null where `nulls[i]` is 1. */
  values = Buffer.allocUnsafeSlow(4096)
  readonly ends = new Uint32Array(MAX_COLUMNS)
  readonly nulls = new Uint8Array(MAX_COLUMNS)

  setKey(bytes: Uint8Array): void {
    if (bytes.length > this.key.length) this.key = Buffer.allocUnsafeSlow(bytes.length * 2)
    this.key.set(bytes)
    this.keyLength = bytes.length
  }

  /** Begins the cells anew. */
  clear(): void {
    this.count = 0
  }

  addCell(column: number, text: string | null): void {
    const start = this.count === 0 ? 0 : this.ends[this.count - 1]!
    let end = start
    if (text !== null) {
      this.reserve(start + text.length * 3)
      end += this.values.write(text, start, 'utf8')
    }
    this.columns[this.count] = column
    this.nulls[this.count] = text === null ? 1 : 0
    this.ends[this.count++] = end
  }

  /** Makes room for `bytes` of values in all. */
  reserve(bytes: number): void {
    if (bytes <= this.values.length) return
    const values = Buffer.allocUnsafeSlow(bytes * 2)
    this.values.copy(values)
    this.values = values
  }

  /** The text of cell `i`. */
  cell(i: number): string | null {
    if (this.nulls[i] === 1) return null
    return texts.text(this.values, i === 0 ? 0 : this.ends[i - 1]!, this.ends[i]!)
  }
}

/**
 * What a SET or DELETE did: 'unchanged' where a replayed line is older than what is there, 'twin' where its stamp met
 * an equal one with another value, which only edited or lost logs bring (I1).
 */
export type Outcome = 'changed' | 'unchanged' | 'twin'

/** Rows of one table. */
export interface TableRows {
  readonly table: TableId
  readonly batch: RowBatch
}

/** Keys of one table. */
export interface TableKeys {
  readonly table: TableId
  readonly keys: KeyBatch
}

/** Two values of one column of which neither side had seen the other; the loser stays in its oplog. */
export interface Conflict {
  readonly table: TableId
  /** Canonical texts of the key columns. */
  readonly key: readonly string[]
  readonly column: number
  readonly won: Stamp
  readonly lost: Stamp
  /** Two values under one stamp, which only edited or lost logs bring: the greater bytes won (I1). */
  readonly sameStamp: boolean
}

/** A value in a database that changed under an unchanged stamp (I15). */
export interface Foreign {
  readonly table: TableId
  readonly key: readonly string[]
  readonly column: number
  readonly stamp: string
}

/** How much one call walks at the most; always at least a row. */
export interface Bounds {
  readonly rows: number
  /** Bytes of keys, values and stamps. */
  readonly bytes: number
}

export interface MergeResult {
  /** Where to go on, a record number of `from`; where `done`, how far `into` has now seen `from`. */
  readonly position: number
  /** False where the bounds ended it: call again with `position`. Nothing may be recorded as seen before the last. */
  readonly done: boolean
  /** What `into`'s log takes, per table: only the registers and tombstones that are new to it, with their own stamps. */
  readonly took: readonly TableRows[]
  /** The state wrote those lines itself (`FastPath`); `took` is empty then. */
  readonly logged?: boolean
  /** Rows whose normal form changed. */
  readonly rows: number
  readonly conflicts: number
  /** Those of them in which the stamps are the same (I1). */
  readonly twins: number
  /** The first of them, as many as asked for. */
  readonly listed: readonly Conflict[]
  /** How many of them the state wrote remarks of; absent where it writes none. */
  readonly remarked?: number
  /** Rows that must be looked up and learned first; nothing was done then. */
  readonly incomplete?: readonly TableKeys[]
}

/** Compensating writes of an UNDO or ROLLBACK, already applied. Rows of which no register changed are not among them. */
export interface UndoResult {
  /** Per replica in the order of their application; a deletion is a row with a tombstone and without cells. */
  readonly writes: readonly { readonly replica: ReplicaId; readonly rows: readonly TableRows[] }[]
  /** Rows that must be looked up and learned first; nothing was done then. */
  readonly incomplete?: { readonly replica: ReplicaId; readonly keys: readonly TableKeys[] }
}

export interface ChangeResult {
  /** The rows changed after the position asked from, each once, as they are now, in any order. */
  readonly changed: readonly TableRows[]
  readonly rows: number
  /**
   * Where to go on. A row that changes again moves to the end, so that an earlier change of it may still be to come:
   * only the last of the calls, with `done`, completes the prefix of the log up to here.
   */
  readonly upTo: number
  /** False where the bounds ended it: call again with `upTo`. */
  readonly done: boolean
  /**
   * The replica's record count now: these rows hold nothing beyond it, so they may go to a database once the log is
   * durable up to here.
   */
  readonly records: number
  /** Rows among them whose before-image an undo point can reach and that were not looked up yet. */
  readonly lookups: readonly TableKeys[]
}

/** `core/model/digest.ts` defines the hash. */
export interface Digest {
  /** 16 hexadecimal digits; equal for equal rows whatever their order. */
  readonly hash: string
  /** Rows that exist. */
  readonly rows: number
}

/**
 * The rows of all replicas in memory: what a session wrote or learned since it was opened. Pure and synchronous; time
 * comes in as stamps, bytes come out. Two implementations: the model in `core/model/`, which is the specification, and
 * the kernel.
 *
 * Positions are record numbers that were handed out: by `records`, `merge` or `changes`, in this session or one whose
 * log was read back. What is asked for from such a position on is complete; from another it may not be.
 *
 * Records: each SET, DELETE and GET is one record of its replica's log; a row that a merge takes is one for each of its
 * distinct stamps, an undone row one. The state counts them; the engine writes them, and both counts must agree.
 */
export interface ReplicaState {
  /** The way of the common lines, where the implementation has one. */
  readonly fast?: FastPath

  addTable(schema: TableSchema): TableId
  addReplica(name: string): ReplicaId

  /** Records so far; `startAt` sets the count of a replica whose log's beginning isn't read again. */
  records(replica: ReplicaId): number
  startAt(replica: ReplicaId, records: number): void

  /**
   * The greatest time that the replica's database may have held when the session opened (I14). Rows that aren't looked
   * up are incomplete from then on; without a floor every row is complete.
   */
  floor(replica: ReplicaId, time: bigint): void

  /** Joins the cells into the row under one stamp. Counts a record, whatever the outcome. */
  set(replica: ReplicaId, table: TableId, input: RowInput, stamp: Stamp): Outcome
  /** Joins a tombstone. Counts a record. */
  remove(replica: ReplicaId, table: TableId, input: RowInput, stamp: Stamp): Outcome
  /** The cached row, and whether that is all there is. Counts a record. */
  get(
    replica: ReplicaId,
    table: TableId,
    input: RowInput,
  ): { readonly row: Row | undefined; readonly complete: boolean }

  /**
   * Joins rows that a database held: no new stamp, no record, no change to flush; completes pending before-images.
   * `keys` are all that were asked for: those without a row are complete too. `greatest` is the greatest time met.
   */
  learn(
    replica: ReplicaId,
    table: TableId,
    keys: KeyBatch,
    rows: RowBatch,
  ): { readonly foreign: readonly Foreign[]; readonly greatest: bigint }

  /**
   * Joins what was read back from the replica's own log, at the present record count: a change to flush and to merge,
   * but no record, no undo and no key of the digest. With `deleted` the stamp is a tombstone's.
   */
  restore(replica: ReplicaId, table: TableId, input: RowInput, stamp: Stamp, deleted: boolean): void

  /**
   * Merges what `from`'s log holds after `position` into `into`: at most about `bounds` of rows and bytes a call,
   * `list` conflicts listed. A state that writes logs itself also writes a remark for each of the first `remarks`
   * conflicts. What `from` only learned does not travel, so that it doesn't matter when it was looked up.
   */
  merge(into: ReplicaId, from: ReplicaId, position: number, bounds: Bounds, list: number, remarks?: number): MergeResult

  /** Takes back the last write of a replica, or of all; empty `writes` where there is none. */
  undo(replica: ReplicaId | undefined, next: (replica: ReplicaId) => Stamp): UndoResult
  /** Takes back everything since the last point, replica by replica; then sets a point. */
  rollback(next: (replica: ReplicaId) => Stamp): UndoResult
  /**
   * Sets a point: UNDO reaches back to any, ROLLBACK to a commit. 'open' is a commit, and the digest's keys begin anew:
   * what was read back from the logs is not this session's.
   */
  mark(kind: 'open' | 'commit' | 'fullSync'): void

  /** Rows changed after record `from`, at most about `bounds` of them. */
  changes(replica: ReplicaId, from: number, bounds: Bounds): ChangeResult
  /** Whether any row changed after record `from`. */
  changed(replica: ReplicaId, from: number): boolean
  /** Rows changed after record `from`, per table. */
  pending(replica: ReplicaId, from: number): number[]
  /** Forgets change-list entries up to a record that no merge or flush will ask for again. */
  forget(replica: ReplicaId, upTo: number): void

  /** Keys that any replica wrote or took in this session and that this replica must look up before its digest. */
  unresolved(replica: ReplicaId, limit: number): readonly TableKeys[]
  /** Over the keys that any replica of the session wrote or took. */
  digest(replica: ReplicaId, table: TableId): Digest
  /** Distinct rows held, all tables and replicas: what memory grows with (I11). */
  rows(): number

  /** Per origin, the greatest time up to which the replica holds everything from that origin. */
  vector(replica: ReplicaId): Map<string, bigint>
  /** Raises the version vector, for a session that goes on from recorded positions. */
  raise(replica: ReplicaId, vector: ReadonlyMap<string, bigint>): void
}

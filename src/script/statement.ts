import { RowInput, type ReplicaId, type TableId } from '../core/state.ts'
import type { Stamp } from '../core/stamp.ts'

/** `none` is a line without a statement: blank, or a comment. */
export type Op =
  'none' | 'set' | 'get' | 'delete' | 'merge' | 'sync' | 'undo' | 'fullSync' | 'commit' | 'rollback' | 'exit'

/** What a GET should find in some of the value columns. */
export interface ExpectedCells {
  /** Column numbers, rising. */
  readonly columns: readonly number[]
  /** Canonical texts, or null, one for each of `columns`. */
  readonly texts: readonly (string | null)[]
}

/**
 * One parsed line. There is one object per parser, filled anew by each line: copy what must stay. Positions are those
 * of the buffer that was parsed and mean nothing once it is used again.
 */
export class Statement {
  op: Op = 'none'
  /** -1 where the statement names none: FULL_SYNC, COMMIT, a bare SYNC or UNDO, … */
  replica: ReplicaId = -1
  /** MERGE's source, else -1. */
  other: ReplicaId = -1
  /** Of SET, GET and DELETE; else 0. */
  table: TableId = 0
  /** Key and cells of SET (cells by rising column), key of GET and DELETE. */
  readonly input = new RowInput()
  /** The full-stamp prefix; its origin is the line's replica where it names none. */
  stamp: Stamp | undefined = undefined
  /** The digits prefix; a bigint only beyond 2^53 - 1. */
  sequence: number | bigint | undefined = undefined
  /** What a GET asserts. */
  expected: 'none' | ExpectedCells | undefined = undefined
  /**
   * Whether the raw bytes of key items and value are what a log line shows, so that they may be copied: bare,
   * printable ASCII, string columns, no blanks around the key's commas. Set for SET, GET and DELETE only.
   */
  plain = false
  /** Whether key and values are printable ASCII of types that fit every database, but for their length. */
  common = false
  /** The key's items without parentheses, where `plain`. */
  keyStart = 0
  keyEnd = 0
  /** SET's value, where `plain`. */
  valueStart = 0
  valueEnd = 0

  /** Makes it the statement of a blank line. */
  clear(): void {
    this.op = 'none'
    this.replica = -1
    this.other = -1
    this.table = 0
    this.input.keyLength = 0
    this.input.count = 0
    this.stamp = undefined
    this.sequence = undefined
    this.expected = undefined
    this.plain = false
    this.common = false
  }
}

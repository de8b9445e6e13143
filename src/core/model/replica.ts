import type { Row } from '../row.ts'
import { ChangeList } from './change-list.ts'

/** One replica's rows in memory. */
export interface Replica {
  readonly name: string
  /** By row number. */
  readonly rows: (Row | undefined)[]
  /**
   * What the log alone holds of the rows to which a look-up added something. A merge is over the log (I14): it must not
   * depend on which look-ups happened before it (I13).
   */
  readonly logged: Map<number, Row | undefined>
  /** By row number, true where the row was looked up in the database. */
  readonly complete: (boolean | undefined)[]
  readonly changes: ChangeList
  /** Of the other origins; `vectorOf` adds the replica's own entry, which each write raises. */
  readonly vector: Map<string, bigint>
  own: bigint
  floor: bigint | undefined
  records: number
}

export function newReplica(name: string): Replica {
  return {
    name,
    rows: [],
    logged: new Map(),
    complete: [],
    changes: new ChangeList(),
    vector: new Map(),
    own: -1n,
    floor: undefined,
    records: 0,
  }
}

/** What the log alone holds of a row. */
export function loggedRow(state: Replica, row: number): Row | undefined {
  return state.logged.has(row) ? state.logged.get(row) : state.rows[row]
}

/** The version vector, own entry included. */
export function vectorOf(state: Replica): ReadonlyMap<string, bigint> {
  if (state.own >= 0n) state.vector.set(state.name, state.own)
  return state.vector
}

/**
 * Whether the database can't add anything to the cached row: it was looked up, there is no floor, or all that it may
 * hold is older than what every column has.
 */
export function isComplete(state: Replica, row: number, held: Row | undefined): boolean {
  const { floor } = state
  if (floor === undefined || state.complete[row] === true) return true
  if (held === undefined) return false
  if (held.tombstone !== undefined && held.tombstone.time > floor) return true
  return held.registers.every((register) => register !== undefined && register.stamp.time > floor)
}

/** Whether the database may hold something newer than a register or tombstone that a merge brings (I14). */
export function mustLookUp(ours: Replica, row: number, theirs: Row | undefined): boolean {
  const { floor } = ours
  if (floor === undefined || theirs === undefined || isComplete(ours, row, ours.rows[row])) return false
  if (theirs.tombstone !== undefined && theirs.tombstone.time <= floor) return true
  return theirs.registers.some((register) => register !== undefined && register.stamp.time <= floor)
}

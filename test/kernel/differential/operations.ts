/*
 * Operations are plain data, so that they can be printed and left out one by one. Numbers of replicas, tables and
 * positions are taken modulo what there is when an operation is run: leaving some out leaves the others valid.
 */

/** A column's number and a value's (`valueNumber`). */
export type Cell = readonly [column: number, value: number]

interface Place {
  readonly replica: number
  readonly table: number
  /** `keyNumber` */
  readonly key: number
}

interface MergeOptions {
  /** Most rows of a step, 0 for any number. */
  readonly rows: number
  /** Conflicts to list. */
  readonly list: number
  /** Decides what look-ups find. */
  readonly seed: number
}

export type Operation =
  | ({ readonly kind: 'set'; readonly cells: readonly Cell[]; readonly stamp: number } & Place)
  | ({ readonly kind: 'remove'; readonly stamp: number } & Place)
  | ({ readonly kind: 'get' } & Place)
  /** `records` are counted first, as a log is read: one at the least. Without cells a tombstone. */
  | ({
      readonly kind: 'restore'
      readonly cells: readonly Cell[]
      readonly stamp: number
      readonly records: number
    } & Place)
  /** `bad`: with a stamp that can't be read. */
  | {
      readonly kind: 'learn'
      readonly replica: number
      readonly table: number
      readonly keys: readonly number[]
      readonly seed: number
      readonly bad: boolean
    }
  /** From where the last merge of the two ended (0), from the beginning (1) or from another position (2 and above). */
  | ({
      readonly kind: 'merge'
      readonly into: number
      readonly from: number
      readonly start: number
      /** After so many steps it is left where it is, if that is the same for both; 0: it goes to the end. */
      readonly leave: number
    } & MergeOptions)
  | ({ readonly kind: 'fullSync' } & MergeOptions)
  /** Replica -1 is all. */
  | { readonly kind: 'undo'; readonly replica: number; readonly seed: number }
  | { readonly kind: 'rollback'; readonly seed: number }
  | { readonly kind: 'mark'; readonly mark: 'open' | 'commit' | 'fullSync' }
  | { readonly kind: 'changes'; readonly replica: number; readonly from: number; readonly rows: number }
  /** A step of a walk that other operations interrupt. */
  | {
      readonly kind: 'walk'
      readonly walker: number
      readonly replica: number
      readonly from: number
      readonly rows: number
    }
  | { readonly kind: 'changed' | 'pending'; readonly replica: number; readonly from: number }
  | { readonly kind: 'forget'; readonly replica: number; readonly from: number }
  | { readonly kind: 'unresolved'; readonly replica: number; readonly limit: number }
  | { readonly kind: 'digest'; readonly replica: number; readonly table: number }
  | { readonly kind: 'rows' }
  | { readonly kind: 'vector' | 'records'; readonly replica: number }
  /** Stamps by number. */
  | { readonly kind: 'raise'; readonly replica: number; readonly stamps: readonly number[] }
  | { readonly kind: 'floor'; readonly replica: number; readonly time: number }
  | { readonly kind: 'startAt'; readonly replica: number; readonly more: number }
  | { readonly kind: 'addReplica' | 'addTable' }
  /** Compares all that both hold. */
  | { readonly kind: 'compare' }

export type Kind = Operation['kind']

/** What an operation would be if it were simpler, for shrinking. */
export function* simpler(operation: Operation): Generator<Operation> {
  switch (operation.kind) {
    case 'set':
    case 'restore':
      for (let i = 0; operation.cells.length > 1 && i < operation.cells.length; i++) {
        yield { ...operation, cells: operation.cells.filter((_, other) => other !== i) }
      }
      if (operation.cells.some(([, value]) => value > 0)) {
        yield { ...operation, cells: operation.cells.map(([column]) => [column, 0]) }
      }
      if (operation.key > 0) yield { ...operation, key: 0 }
      break
    case 'learn':
      for (let i = 0; operation.keys.length > 1 && i < operation.keys.length; i++) {
        yield { ...operation, keys: operation.keys.filter((_, other) => other !== i) }
      }
      break
    case 'merge':
      if (operation.start > 0) yield { ...operation, start: 0 }
      if (operation.leave > 0) yield { ...operation, leave: 0 }
      if (operation.rows > 0) yield { ...operation, rows: 0 }
      break
    case 'fullSync':
      yield { ...operation, kind: 'merge', into: 0, from: 1, start: 0, leave: 0 }
      yield { ...operation, kind: 'merge', into: 1, from: 0, start: 0, leave: 0 }
      break
    case 'walk':
      yield { kind: 'changes', replica: operation.replica, from: operation.from, rows: 0 }
      break
    default:
  }
}

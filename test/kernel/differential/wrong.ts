import { rowAt, batchOf, keysOf, keyAt, type KeyBatch, type RowBatch } from '../../../src/core/batch.ts'
import { ModelState } from '../../../src/core/model/model-state.ts'
import type { Stamp } from '../../../src/core/stamp.ts'
import {
  RowInput,
  type Bounds,
  type ChangeResult,
  type Digest,
  type MergeResult,
  type Outcome,
  type ReplicaId,
  type TableId,
  type TableKeys,
  type UndoResult,
} from '../../../src/core/state.ts'
import type { TableSchema } from '../../../src/core/table.ts'
import type { MakeSubject } from '../differential.ts'

/** A SET's input with other cells. */
function withCells(input: RowInput, change: (text: string | null) => string | null): RowInput {
  const changed = withKey(input, () => undefined)
  for (let i = 0; i < input.count; i++) changed.addCell(input.columns[i]!, change(input.cell(i)))
  return changed
}

/** An input without cells under another key. */
function withKey(input: RowInput, change: (key: Buffer) => void): RowInput {
  const changed = new RowInput()
  const key = Buffer.from(input.key.subarray(0, input.keyLength))
  change(key)
  changed.setKey(key)
  return changed
}

function keepSchemas(state: ModelState): TableSchema[] {
  const schemas: TableSchema[] = []
  const add = state.addTable.bind(state)
  state.addTable = (schema) => {
    schemas.push(schema)
    return add(schema)
  }
  return schemas
}

/** Models that are wrong in one thing each, by what is wrong: the machine has to find them all. */
export const WRONG: Readonly<Record<string, MakeSubject>> = {
  'null is the empty text': (limits) =>
    new (class extends ModelState {
      override set(replica: ReplicaId, table: TableId, input: RowInput, stamp: Stamp): Outcome {
        return super.set(
          replica,
          table,
          withCells(input, (text) => text ?? ''),
          stamp,
        )
      }
    })(limits),
  'values are cut at 64 KiB': (limits) =>
    new (class extends ModelState {
      override set(replica: ReplicaId, table: TableId, input: RowInput, stamp: Stamp): Outcome {
        return super.set(
          replica,
          table,
          withCells(input, (text) => text?.slice(0, 65535) ?? null),
          stamp,
        )
      }
    })(limits),
  'the end of a key does not count': (limits) =>
    new (class extends ModelState {
      override remove(replica: ReplicaId, table: TableId, input: RowInput, stamp: Stamp): Outcome {
        const cut = withKey(input, (key) => {
          if (key.length > 1000) key.fill(120, 1000, key.length - 2)
        })
        return super.remove(replica, table, cut, stamp)
      }
    })(limits),
  'times have 53 bits': (limits) =>
    new (class extends ModelState {
      override remove(replica: ReplicaId, table: TableId, input: RowInput, stamp: Stamp): Outcome {
        return super.remove(replica, table, input, { ...stamp, time: BigInt(Number(stamp.time)) })
      }
    })(limits),
  'twins are not told': (limits) =>
    new (class extends ModelState {
      override set(replica: ReplicaId, table: TableId, input: RowInput, stamp: Stamp): Outcome {
        const outcome = super.set(replica, table, input, stamp)
        return outcome === 'twin' ? 'changed' : outcome
      }
    })(limits),
  'a restored line is a record': (limits) =>
    new (class extends ModelState {
      override restore(replica: ReplicaId, table: TableId, input: RowInput, stamp: Stamp, deleted: boolean): void {
        super.restore(replica, table, input, stamp, deleted)
        this.startAt(replica, this.records(replica) + 1)
      }
    })(limits),
  'absent rows are not complete once looked up': (limits) => {
    const state = new ModelState(limits)
    const schemas = keepSchemas(state)
    const learn = state.learn.bind(state)
    state.learn = (replica: ReplicaId, table: TableId, keys: KeyBatch, rows: RowBatch) => {
      // Only in twos and more: a merge that asks for one again and again would come to no end.
      const found = keysOf(
        schemas[table]!,
        Array.from({ length: rows.rows }, (_, i) => rowAt(rows, i).key),
      )
      return learn(replica, table, rows.rows > 0 && keys.rows > 1 ? found : keys, rows)
    }
    return state
  },
  'foreign values are not told': (limits) =>
    new (class extends ModelState {
      override learn(replica: ReplicaId, table: TableId, keys: KeyBatch, rows: RowBatch) {
        return { ...super.learn(replica, table, keys, rows), foreign: [] }
      }
    })(limits),
  'a higher floor is ignored': (limits) => {
    const state = new ModelState(limits)
    const floors = new Set<ReplicaId>()
    const floor = state.floor.bind(state)
    state.floor = (replica, time) => {
      if (!floors.has(replica)) floor(replica, time)
      floors.add(replica)
    }
    return state
  },
  'a merge forgets the last row it took': (limits) => {
    const state = new ModelState(limits)
    const schemas = keepSchemas(state)
    const merge = state.merge.bind(state)
    state.merge = (...args): MergeResult => {
      const result = merge(...args)
      const took = result.took.map(({ table, batch }) => {
        const rows = Array.from({ length: batch.rows }, (_, i) => rowAt(batch, i))
        return { table, batch: batchOf(schemas[table]!, rows.slice(0, Math.max(1, rows.length - 1))) }
      })
      return { ...result, took }
    }
    return state
  },
  'a bounded merge goes on a record too far': (limits) =>
    new (class extends ModelState {
      override merge(into: ReplicaId, from: ReplicaId, position: number, bounds: Bounds, list: number): MergeResult {
        const result = super.merge(into, from, position, bounds, list)
        return result.done || result.incomplete !== undefined ? result : { ...result, position: result.position + 1 }
      }
    })(limits),
  'conflicts are counted once a step': (limits) =>
    new (class extends ModelState {
      override merge(into: ReplicaId, from: ReplicaId, position: number, bounds: Bounds, list: number): MergeResult {
        const result = super.merge(into, from, position, bounds, list)
        return { ...result, conflicts: Math.min(1, result.conflicts) }
      }
    })(limits),
  'UNDO of all takes back the first replica': (limits) =>
    new (class extends ModelState {
      override undo(replica: ReplicaId | undefined, next: (replica: ReplicaId) => Stamp): UndoResult {
        return super.undo(replica ?? 0, next)
      }
    })(limits),
  'UNDO reaches back further than it should': (limits) =>
    new ModelState({ ...limits, undoStatements: limits.undoStatements + 1 }),
  'ROLLBACK goes backwards': (limits) =>
    new (class extends ModelState {
      override rollback(next: (replica: ReplicaId) => Stamp): UndoResult {
        const result = super.rollback(next)
        return { ...result, writes: result.writes.toReversed() }
      }
    })(limits),
  'opening keeps the keys of the digest': (limits) =>
    new (class extends ModelState {
      override mark(kind: 'open' | 'commit' | 'fullSync'): void {
        super.mark(kind === 'open' ? 'commit' : kind)
      }
    })(limits),
  'FULL_SYNC is a point of ROLLBACK': (limits) =>
    new (class extends ModelState {
      override mark(kind: 'open' | 'commit' | 'fullSync'): void {
        super.mark(kind === 'fullSync' ? 'commit' : kind)
      }
    })(limits),
  'before-images are not asked for': (limits) =>
    new (class extends ModelState {
      override changes(replica: ReplicaId, from: number, bounds: Bounds): ChangeResult {
        return { ...super.changes(replica, from, bounds), lookups: [] }
      }
    })(limits),
  'changes begin with the position': (limits) =>
    new (class extends ModelState {
      override changed(replica: ReplicaId, from: number): boolean {
        return super.changed(replica, from - 1)
      }
    })(limits),
  'pending rows are counted in all tables': (limits) =>
    new (class extends ModelState {
      override pending(replica: ReplicaId, from: number): number[] {
        const counts = super.pending(replica, from)
        return counts.map(() => counts.reduce((sum, count) => sum + count, 0))
      }
    })(limits),
  'one record too many is forgotten': (limits) =>
    new (class extends ModelState {
      #least = 0
      override forget(replica: ReplicaId, upTo: number): void {
        super.forget(replica, upTo)
        this.#least = upTo
      }

      override changes(replica: ReplicaId, from: number, bounds: Bounds): ChangeResult {
        return super.changes(replica, from === this.#least && from > 0 ? from + 1 : from, bounds)
      }
    })(limits),
  'one key less is unresolved': (limits) => {
    const state = new ModelState(limits)
    const schemas = keepSchemas(state)
    const unresolved = state.unresolved.bind(state)
    state.unresolved = (replica, limit): readonly TableKeys[] =>
      unresolved(replica, limit).map(({ table, keys }) => {
        const texts = Array.from({ length: keys.rows }, (_, i) => keyAt(keys, i))
        return { table, keys: keysOf(schemas[table]!, texts.slice(0, Math.max(1, texts.length - 1))) }
      })
    return state
  },
  'the digest counts deleted rows': (limits) =>
    new (class extends ModelState {
      override digest(replica: ReplicaId, table: TableId): Digest {
        const digest = super.digest(replica, table)
        return digest.hash === '0000000000000000' ? digest : { ...digest, rows: Math.max(1, digest.rows) }
      }
    })(limits),
  'the vector lacks whom the state never saw as a replica': (limits) =>
    new (class extends ModelState {
      override vector(replica: ReplicaId): Map<string, bigint> {
        const vector = super.vector(replica)
        vector.delete('POSTGRESQL_APP')
        return vector
      }
    })(limits),
  'an absent key gets a row by reading': (limits) =>
    new (class extends ModelState {
      #read = 0
      override get(replica: ReplicaId, table: TableId, input: RowInput) {
        const found = super.get(replica, table, input)
        if (found.row === undefined) this.#read = 1
        return found
      }

      override rows(): number {
        return super.rows() + this.#read
      }
    })(limits),
}

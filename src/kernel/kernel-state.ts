import { BatchKeys } from '../core/batch-keys.ts'
import { keyAt, textAt, type KeyBatch, type RowBatch, type TextColumn } from '../core/batch.ts'
import { assert, fullMemory } from '../core/errors.ts'
import type { Row } from '../core/row.ts'
import type { Stamp } from '../core/stamp.ts'
import type {
  Bounds,
  ChangeResult,
  Conflict,
  Digest,
  Foreign,
  MergeResult,
  Outcome,
  ReplicaId,
  ReplicaState,
  RowInput,
  TableId,
  TableKeys,
  UndoResult,
} from '../core/state.ts'
import { stampOfText } from '../core/stamped.ts'
import type { TableSchema } from '../core/table.ts'
import { Batches, keyWidth } from './batches.ts'
import { KernelFastPath } from './fast-path.ts'
import { Inputs } from './inputs.ts'
import { Kernel, type KernelFunction, type KernelOptions } from './kernel.ts'
import { CONFLICT, NO_MEMORY, TWIN } from './layout.ts'
import { Origins } from './origins.ts'
import { RowReader } from './row-reader.ts'
import type { WasmModule } from './webassembly.ts'

const POINTS = { open: 0, commit: 1, fullSync: 2 } as const

/** Of `mergeStep`. */
const GOES_ON = 1
const INCOMPLETE = 2
const OUT_OF_MEMORY = 3
const LOG_FULL = 4

const OUTCOMES: readonly Outcome[] = ['unchanged', 'changed', 'twin']

/**
 * `ReplicaState` in the compiled kernel: the same as the model, row by row, for rows by the million. Throws
 * MEMORY_LIMIT where its memory is full, before anything of the operation is done, and KERNEL_FAILED where it broke.
 */
export class KernelState implements ReplicaState {
  readonly kernel: Kernel
  readonly #call: Readonly<Record<string, KernelFunction>>
  readonly fast: KernelFastPath
  readonly #tables: TableSchema[] = []
  readonly #replicas: string[] = []
  readonly #inputs: Inputs
  readonly #origins: Origins
  readonly #reader: RowReader
  readonly #batches: Batches

  /** @param module the compiled file, of a build that fits `options.shared` */
  constructor(module: WasmModule, options: KernelOptions = {}) {
    this.kernel = new Kernel(module, options)
    this.#call = this.kernel.call
    this.#inputs = new Inputs(this.kernel)
    this.#origins = new Origins(this.kernel, this.#inputs)
    this.#reader = new RowReader(this.kernel, this.#tables, this.#origins)
    this.#batches = new Batches(this.kernel, this.#tables, this.#reader)
    this.fast = new KernelFastPath(this.kernel, this.#tables, this.#replicas)
  }

  /** Bytes of memory in use, all that is kept for the next rows included. */
  memoryBytes(): number {
    return this.#call['takenBytes']!()
  }

  addTable(schema: TableSchema): TableId {
    const names = schema.values.map((column) => Buffer.from(column.name, 'latin1'))
    const shape = Uint32Array.from([...schema.key.map(keyWidth), ...names.map((name) => name.length)])
    const area = this.#inputs.put(Buffer.concat([new Uint8Array(shape.buffer), ...names]))
    this.#room(schema.values.length * 64 + 4096)
    if (this.#call['addTable']!(schema.key.length, schema.values.length, area) === 0) throw fullMemory()
    return this.#tables.push(schema) - 1
  }

  addReplica(name: string): ReplicaId {
    this.#room(4096)
    const bytes = Buffer.from(name, 'latin1')
    if (this.#call['addReplica']!(this.#inputs.put(bytes), bytes.length) === 0) throw fullMemory()
    return this.#replicas.push(name) - 1
  }

  records(replica: ReplicaId): number {
    return this.#call['recordsOf']!(replica)
  }

  startAt(replica: ReplicaId, records: number): void {
    this.#call['startAt']!(replica, records)
  }

  floor(replica: ReplicaId, time: bigint): void {
    this.#call['raiseFloor']!(replica, time)
  }

  set(replica: ReplicaId, table: TableId, input: RowInput, stamp: Stamp): Outcome {
    const origin = this.#origins.numberOf(stamp.origin)
    this.#inputs.write(input)
    const outcome = this.#call['setInput']!(replica, table, input.keyLength, input.count, stamp.time, origin)
    if (outcome === NO_MEMORY) throw fullMemory()
    return OUTCOMES[outcome]!
  }

  remove(replica: ReplicaId, table: TableId, input: RowInput, stamp: Stamp): Outcome {
    const origin = this.#origins.numberOf(stamp.origin)
    this.#inputs.writeKey(input)
    const outcome = this.#call['removeInput']!(replica, table, input.keyLength, stamp.time, origin)
    if (outcome === NO_MEMORY) throw fullMemory()
    assert(outcome !== TWIN, 'a DELETE has no value to meet')
    return OUTCOMES[outcome]!
  }

  get(replica: ReplicaId, table: TableId, input: RowInput): { row: Row | undefined; complete: boolean } {
    this.#inputs.writeKey(input)
    const row = this.#call['findInput']!(table, input.keyLength)
    this.#call['countRecord']!(replica)
    const complete = this.#call['isComplete']!(replica, row) !== 0
    return { row: row === -1 ? undefined : this.#reader.row(replica, row, table), complete }
  }

  learn(
    replica: ReplicaId,
    table: TableId,
    keys: KeyBatch,
    rows: RowBatch,
  ): { foreign: readonly Foreign[]; greatest: bigint } {
    const schema = this.#tables[table]!
    const asked = new BatchKeys(schema, keys)
    const given = new BatchKeys(schema, rows)
    if (this.#call['roomForRows']!(replica, table, keys.rows, bytesOf(rows) * 2) === 0) throw fullMemory()
    const found = new Map<string, number>()
    for (let i = 0; i < rows.rows; i++) found.set(given.name(i), i)
    // All are readable before anything is learned.
    const stamps = rows.stamps.map((column) => stampsOf(column, rows.rows))
    const read = { batch: rows, stamps, deleted: stampsOf(rows.deleted, rows.rows) }
    const foreign: Foreign[] = []
    for (let i = 0; i < keys.rows; i++) {
      const at = found.get(asked.name(i))
      const row = this.#intern(replica, table, asked.at(i))
      if (at !== undefined) this.#incoming(replica, table, row, read, at, foreign)
      this.#call['learnRow']!(replica, row, at === undefined ? 0 : 1)
    }
    return { foreign, greatest: greatestTime([...stamps, read.deleted]) }
  }

  restore(replica: ReplicaId, table: TableId, input: RowInput, stamp: Stamp, deleted: boolean): void {
    const origin = this.#origins.numberOf(stamp.origin)
    this.#inputs.write(input)
    const { keyLength, count } = input
    const restore = this.#call['restoreInput']!
    const answer = restore(replica, table, keyLength, deleted ? 0 : count, stamp.time, origin, Number(deleted))
    if (answer === NO_MEMORY) throw fullMemory()
  }

  merge(into: ReplicaId, from: ReplicaId, position: number, bounds: Bounds, list: number, remarks = 0): MergeResult {
    assert(into !== from, 'a replica is not merged into itself')
    const logged = this.fast.begun
    const rows = Math.min(bounds.rows, 0xffffffff)
    const ended = this.#call['mergeStep']!(into, from, position, rows, bounds.bytes, list, remarks, logged ? 0 : 1)
    if (ended === OUT_OF_MEMORY) throw fullMemory()
    const result: MergeResult = {
      position: this.#call['mergedUpTo']!(),
      done: ended !== GOES_ON && ended !== INCOMPLETE && ended !== LOG_FULL,
      took: ended === INCOMPLETE ? [] : this.#batches.rows(into, false),
      rows: this.#call['mergedRows']!(),
      conflicts: this.#call['mergedConflicts']!(),
      twins: this.#call['mergedTwins']!(),
      listed: this.#conflicts(),
      ...(logged ? { logged, remarked: this.#call['mergedRemarks']!() } : {}),
      ...(ended === INCOMPLETE ? { incomplete: this.#batches.keys(into) } : {}),
    }
    this.#call['endResult']!()
    return result
  }

  undo(replica: ReplicaId | undefined, next: (replica: ReplicaId) => Stamp): UndoResult {
    const target = this.#call['undoTarget']!(replica ?? -1)
    if (target < 0) return { writes: [] }
    if (this.#call['roomToUndo']!() === 0) throw fullMemory()
    if (this.#call['pickUndoIncomplete']!() > 0) {
      return { writes: [], incomplete: { replica: target, keys: this.#takeKeys(target) } }
    }
    return { writes: [{ replica: target, rows: this.#compensate(target, 'nextUndo', next) }] }
  }

  rollback(next: (replica: ReplicaId) => Stamp): UndoResult {
    const replicas = this.#replicas.length
    if (this.#call['roomToRollBack']!() === 0) throw fullMemory()
    for (let replica = 0; replica < replicas; replica++) {
      this.#call['rollbackOf']!(replica)
      if (this.#call['pickRollbackIncomplete']!() > 0) {
        return { writes: [], incomplete: { replica, keys: this.#takeKeys(replica) } }
      }
    }
    const writes = []
    for (let replica = 0; replica < replicas; replica++) {
      this.#call['rollbackOf']!(replica)
      writes.push({ replica, rows: this.#compensate(replica, 'nextRollback', next) })
    }
    this.mark('commit')
    return { writes: writes.filter(({ rows }) => rows.length > 0) }
  }

  mark(kind: 'open' | 'commit' | 'fullSync'): void {
    this.#call['mark']!(POINTS[kind])
  }

  changes(replica: ReplicaId, from: number, bounds: Bounds): ChangeResult {
    const records = this.records(replica)
    const rows = Math.min(bounds.rows, 0xffffffff)
    if (this.#call['pickChanges']!(replica, from, rows, bounds.bytes) === 0) {
      // Where memory is full, one row at a time: what is there must find its way into its database.
      if (this.#call['pickChanges']!(replica, from, 1, 0) === 0) throw fullMemory()
    }
    const picked = this.#call['pickCount']!()
    const upTo = this.#call['flushUpTo']!()
    const done = this.#call['flushDone']!() !== 0
    const changed = this.#batches.rows(replica, true)
    if (this.#call['pickLookups']!(replica, from, picked) === 0) throw fullMemory()
    return { changed, rows: picked, upTo, done, records, lookups: this.#takeKeys(replica) }
  }

  changed(replica: ReplicaId, from: number): boolean {
    return this.#call['hasChanged']!(replica, from) !== 0
  }

  pending(replica: ReplicaId, from: number): number[] {
    return this.#tables.map((_, table) => this.#call['pending']!(replica, table, from))
  }

  forget(replica: ReplicaId, upTo: number): void {
    this.#call['forget']!(replica, upTo)
  }

  unresolved(replica: ReplicaId, limit: number): readonly TableKeys[] {
    if (this.#call['pickUnresolved']!(replica, Math.min(limit, 0xffffffff)) === 0) throw fullMemory()
    return this.#takeKeys(replica)
  }

  digest(replica: ReplicaId, table: TableId): Digest {
    this.#call['digest']!(replica, table)
    const hex = (lane: number) => (lane >>> 0).toString(16).padStart(8, '0')
    return { hash: hex(this.#call['digestA']!()) + hex(this.#call['digestB']!()), rows: this.#call['digestRows']!() }
  }

  rows(): number {
    return this.#call['rowCount']!()
  }

  vector(replica: ReplicaId): Map<string, bigint> {
    const vector = new Map<string, bigint>()
    for (let origin = 0; origin < this.#call['originCount']!(); origin++) {
      const time = this.#call['seenOf']!(replica, origin) as unknown as bigint
      if (time >= 0n) vector.set(this.#origins.nameOf(origin), time)
    }
    return vector
  }

  raise(replica: ReplicaId, vector: ReadonlyMap<string, bigint>): void {
    this.#room(vector.size * 128 + 4096)
    for (const [origin, time] of vector) {
      const number = this.#origins.numberOf(origin)
      if (this.#call['raiseSeen']!(replica, number, time) === 0) throw fullMemory()
    }
  }

  /** Throws MEMORY_LIMIT where there is no room for so many bytes. */
  #room(bytes: number): void {
    if (this.#call['roomForBytes']!(bytes) === 0) throw fullMemory()
  }

  #takeKeys(replica: ReplicaId): TableKeys[] {
    const keys = this.#batches.keys(replica)
    this.#call['endResult']!()
    return keys
  }

  /** The key's row, with everything that a write or look-up of it needs. */
  #intern(replica: ReplicaId, table: TableId, key: Buffer): number {
    this.#inputs.putKey(key)
    const row = this.#call['internInput']!(replica, table, key.length)
    if (row === -2) throw fullMemory()
    return row
  }

  /** Writes a row that a database held into the kernel's area for it; notes what is foreign (I15). */
  #incoming(
    replica: ReplicaId,
    table: TableId,
    row: number,
    { batch, stamps, deleted }: ReadBatch,
    at: number,
    foreign: Foreign[],
  ): void {
    const schema = this.#tables[table]!
    this.#call['clearIncoming']!(schema.values.length)
    for (const [column, cells] of stamps.entries()) {
      const stamp = cells[at]
      if (stamp === undefined) continue
      const origin = this.#origins.numberOf(stamp.origin)
      const length = this.#inputs.putValue(textAt(batch.values[column]!, at))
      if (this.#call['incomingCell']!(column, length, stamp.time, origin) === 0) {
        this.#call['dropIncoming']!(schema.values.length)
        throw fullMemory()
      }
    }
    const tombstone = deleted[at]
    if (tombstone !== undefined) {
      this.#call['incomingTombstone']!(tombstone.time, this.#origins.numberOf(tombstone.origin))
    }
    this.#call['normaliseIncoming']!(schema.values.length)
    for (let column = 0; column < schema.values.length; column++) {
      if (this.#call['isForeign']!(replica, row, column) === 0) continue
      foreign.push({ table, key: keyAt(batch, at), column, stamp: textAt(batch.stamps[column]!, at)! })
    }
  }

  /** Restores row by row; gives what was written. */
  #compensate(replica: ReplicaId, step: 'nextUndo' | 'nextRollback', next: (replica: ReplicaId) => Stamp) {
    while (this.#call[step]!() !== 0) {
      const stamp = next(replica)
      this.#call['applyCompensation']!(stamp.time, this.#origins.numberOf(stamp.origin))
    }
    const rows = this.#batches.rows(replica, false)
    this.#call['endResult']!()
    return rows
  }

  #conflicts(): Conflict[] {
    const count = this.#call['listedConflicts']!()
    return Array.from({ length: count }, (_, i) => {
      const at = this.#call['conflictAt']!(i) >>> 0
      const { view } = this.kernel
      const row = view.getUint32(at + CONFLICT.row, true)
      const table = this.#call['tableOf']!(row)
      return {
        table,
        key: this.#reader.key(row, table),
        column: view.getUint32(at + CONFLICT.column, true),
        won: {
          time: view.getBigInt64(at + CONFLICT.won, true),
          origin: this.#origins.nameOf(view.getUint32(at + CONFLICT.wonBy, true)),
        },
        lost: {
          time: view.getBigInt64(at + CONFLICT.lost, true),
          origin: this.#origins.nameOf(view.getUint32(at + CONFLICT.lostBy, true)),
        },
        sameStamp: view.getUint32(at + CONFLICT.sameStamp, true) !== 0,
      }
    })
  }
}

/** Bytes of a batch's values. */
function bytesOf(rows: RowBatch): number {
  return rows.values.reduce((sum, { bytes }) => sum + bytes.length, 0)
}

type Stamps = readonly (Stamp | undefined)[]

/** A database's rows with their stamps read. */
interface ReadBatch {
  readonly batch: RowBatch
  /** One per value column. */
  readonly stamps: readonly Stamps[]
  readonly deleted: Stamps
}

/** Throws SCHEMA_MISMATCH where one is unreadable. */
function stampsOf(column: TextColumn, rows: number): Stamps {
  return Array.from({ length: rows }, (_, i) => {
    const text = textAt(column, i)
    return text === null ? undefined : stampOfText(text)
  })
}

function greatestTime(columns: readonly Stamps[]): bigint {
  let greatest = 0n
  for (const stamps of columns) {
    for (const stamp of stamps) if (stamp !== undefined && stamp.time > greatest) greatest = stamp.time
  }
  return greatest
}

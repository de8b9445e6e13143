import { keyAt, rowAt, type KeyBatch, type RowBatch } from '../batch.ts'
import { assert } from '../errors.ts'
import { exists, joinRows, laterRegister, normalRow, sameStamp, type Register, type Row } from '../row.ts'
import { laterStamp, stampText, type Stamp } from '../stamp.ts'
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
} from '../state.ts'
import { keyBytes, type TableSchema } from '../table.ts'
import { rowOfStamped, withoutForeign } from '../stamped.ts'
import { conflictsOf } from './conflicts.ts'
import { DigestSum, rowHash, type RowHash } from './digest.ts'
import { Keys } from './keys.ts'
import { distinctStamps, rowBytes, sameAfterWrite, sameRegister, takenPart } from './row-parts.ts'
import { isComplete, loggedRow, mustLookUp, newReplica, vectorOf, type Replica } from './replica.ts'
import { RowsByTable } from './rows-by-table.ts'
import { UndoLog, type Image, type Write } from './undo-log.ts'

export interface ModelLimits {
  readonly undoStatements: number
  readonly undoRows: number
}

/** The specification of `ReplicaState`: rows that never change in place, on Maps and arrays. */
export class ModelState implements ReplicaState {
  readonly #replicas: Replica[] = []
  readonly #keys = new Keys(() => {
    for (const replica of this.#replicas) replica.rows.push(undefined)
  })
  /** By row number, whether a replica wrote or took it in this session. */
  readonly #touched: boolean[] = []
  #touchedRows: number[] = []
  /** By row number, its last hash: replicas that agree mostly hold the very same row. */
  readonly #hashes: (RowHash | undefined)[] = []
  readonly #undo: UndoLog
  /** The greatest time of all stamps met. */
  #greatest = -1n
  /** The merge that a limit interrupted. */
  #unfinished: { into: ReplicaId; from: ReplicaId; position: number; write: Write } | undefined

  constructor(limits: ModelLimits = { undoStatements: 10_000, undoRows: 1_000_000 }) {
    this.#undo = new UndoLog(limits.undoStatements, limits.undoRows)
  }

  addTable(schema: TableSchema): TableId {
    return this.#keys.addTable(schema)
  }

  addReplica(name: string): ReplicaId {
    this.#undo.addReplica()
    return this.#replicas.push(newReplica(name)) - 1
  }

  records(replica: ReplicaId): number {
    return this.#replica(replica).records
  }

  startAt(replica: ReplicaId, records: number): void {
    this.#replica(replica).records = records
  }

  floor(replica: ReplicaId, time: bigint): void {
    const state = this.#replica(replica)
    if (state.floor !== undefined && state.floor >= time) return
    state.floor = time
    state.complete.length = 0
  }

  set(replica: ReplicaId, table: TableId, input: RowInput, stamp: Stamp): Outcome {
    const state = this.#replica(replica)
    const row = this.#keys.intern(table, input)
    const mine = state.rows[row]
    if (this.#isNewest(stamp)) {
      const next = this.#newest(table, mine, input, stamp)
      return this.#write(state, replica, row, mine, next, stamp, 'changed')
    }
    const registers = mine === undefined ? this.#emptyRegisters(table) : mine.registers.slice()
    let outcome: Outcome = 'unchanged'
    for (let i = 0; i < input.count; i++) {
      const column = input.columns[i]!
      const current = registers[column]
      const incoming = { value: input.cell(i), stamp }
      if (current !== undefined && sameStamp(current.stamp, stamp) && current.value !== incoming.value) outcome = 'twin'
      if (laterRegister(current, incoming) !== incoming) continue
      registers[column] = incoming
      if (outcome === 'unchanged') outcome = 'changed'
    }
    const next = normalRow(registers, mine?.tombstone)
    const changed = mine === undefined || !sameAfterWrite(mine, next)
    return this.#write(state, replica, row, mine, changed ? next : undefined, stamp, outcome)
  }

  remove(replica: ReplicaId, table: TableId, input: RowInput, stamp: Stamp): Outcome {
    const state = this.#replica(replica)
    const row = this.#keys.intern(table, input)
    const mine = state.rows[row]
    const next = normalRow(mine?.registers ?? this.#emptyRegisters(table), laterStamp(mine?.tombstone, stamp))
    const changed = this.#isNewest(stamp) || mine === undefined || !sameAfterWrite(mine, next)
    return this.#write(state, replica, row, mine, changed ? next : undefined, stamp, 'changed')
  }

  get(replica: ReplicaId, table: TableId, input: RowInput): { row: Row | undefined; complete: boolean } {
    const state = this.#replica(replica)
    state.records++
    const row = this.#keys.find(table, input)
    if (row === undefined) return { row: undefined, complete: state.floor === undefined }
    return { row: state.rows[row], complete: isComplete(state, row, state.rows[row]) }
  }

  learn(
    replica: ReplicaId,
    table: TableId,
    keys: KeyBatch,
    rows: RowBatch,
  ): { foreign: readonly Foreign[]; greatest: bigint } {
    const state = this.#replica(replica)
    const schema = this.#keys.tables[table]!.schema
    const found = new Map<number, Row>()
    const foreign: Foreign[] = []
    let greatest = 0n
    for (let i = 0; i < rows.rows; i++) {
      const stored = rowAt(rows, i)
      const row = this.#keys.internBytes(table, keyBytes(schema, stored.key))
      const learned = rowOfStamped(stored)
      for (const stamp of [...learned.registers.map((register) => register?.stamp), learned.tombstone]) {
        if (stamp !== undefined && stamp.time > greatest) greatest = stamp.time
      }
      const kept = withoutForeign(state.rows[row], learned, (column) => {
        foreign.push({ table, key: stored.key, column, stamp: stampText(learned.registers[column]!.stamp) })
      })
      found.set(row, kept)
    }
    for (let i = 0; i < keys.rows; i++) {
      const row = this.#keys.internBytes(table, keyBytes(schema, keyAt(keys, i)))
      const learned = found.get(row)
      state.complete[row] = true
      this.#undo.learn(replica, row, learned)
      if (learned === undefined) continue
      const mine = state.rows[row]
      if (!state.logged.has(row)) state.logged.set(row, mine)
      state.rows[row] = joinRows(mine, learned)
    }
    if (greatest > this.#greatest) this.#greatest = greatest
    return { foreign, greatest }
  }

  restore(replica: ReplicaId, table: TableId, input: RowInput, stamp: Stamp, deleted: boolean): void {
    const state = this.#replica(replica)
    const row = this.#keys.intern(table, input)
    const registers = this.#emptyRegisters(table)
    for (let i = 0; i < input.count; i++) registers[input.columns[i]!] = { value: input.cell(i), stamp }
    const read = { registers, tombstone: deleted ? stamp : undefined }
    state.rows[row] = joinRows(state.rows[row], read)
    if (state.logged.has(row)) state.logged.set(row, joinRows(state.logged.get(row), read))
    state.changes.add(row, state.records)
    if (stamp.time > this.#greatest) this.#greatest = stamp.time
    if (stamp.origin === state.name && stamp.time > state.own) state.own = stamp.time
  }

  merge(into: ReplicaId, from: ReplicaId, position: number, bounds: Bounds, list: number): MergeResult {
    const ours = this.#replica(into)
    const theirs = this.#replica(from)
    assert(ours !== theirs, 'a replica is not merged into itself')
    const walked: number[] = []
    const walk = theirs.changes.walkBounded(position, bounds, (row) => {
      walked.push(row)
      return this.#keys.bytesOf[row]!.length + rowBytes(theirs.rows[row]!)
    })
    const { done } = walk
    const reached = done ? theirs.records : walk.reached
    const unknown =
      ours.floor === undefined ? [] : walked.filter((row) => mustLookUp(ours, row, loggedRow(theirs, row)))
    const incomplete = this.#keys.batches(unknown)
    if (incomplete.length > 0)
      return { position, done: false, took: [], rows: 0, conflicts: 0, twins: 0, listed: [], incomplete }

    let write = this.#mergeWrite(into, from, position)
    const ourVector = vectorOf(ours)
    const theirVector = vectorOf(theirs)
    const took = new RowsByTable(this.#keys)
    const listed: Conflict[] = []
    let conflicts = 0
    let twins = 0
    let rows = 0
    for (const row of walked) {
      const mine = ours.rows[row]
      const other = loggedRow(theirs, row)
      if (other === undefined || mine === other) continue
      const table = this.#keys.tableOf[row]!
      for (const conflict of conflictsOf(mine, other, ourVector, theirVector)) {
        conflicts++
        if (conflict.sameStamp) twins++
        if (listed.length < list) listed.push({ table, key: this.#keys.textsOf(row), ...conflict })
      }
      // The log takes what it lacks, also what the cache had learned from its database: whoever has seen this log up to
      // here has then seen `from`'s log too.
      const held = loggedRow(ours, row)
      const joined = joinRows(mine, other)
      const inLog = held === mine ? joined : joinRows(held, other)
      if (inLog === held) continue
      const part = takenPart(held, inLog)
      took.push(table, row, part)
      ours.records += distinctStamps(part)
      if (joined === mine) {
        ours.changes.add(row, ours.records)
      } else {
        rows++
        // A merge that takes nothing is nothing to take back.
        write ??= this.#undo.begin(into)
        this.#undo.note(write, into, row, mine, joined, isComplete(ours, row, mine))
        this.#put(ours, row, mine, joined)
      }
      if (ours.logged.has(row)) ours.logged.set(row, inLog)
    }
    if (done) this.#raise(ours, theirVector)
    this.#unfinished = done || write === undefined ? undefined : { into, from, position: reached, write }
    return { position: reached, done, took: took.parts, rows, conflicts, twins, listed }
  }

  undo(replica: ReplicaId | undefined, next: (replica: ReplicaId) => Stamp): UndoResult {
    const write = this.#undo.last(replica)
    if (write === undefined) return { writes: [] }
    const incomplete = this.#incompleteImages(write.images)
    if (incomplete.length > 0) return { writes: [], incomplete: { replica: write.replica, keys: incomplete } }
    this.#undo.pop(write.replica)
    const rows = new RowsByTable(this.#keys)
    for (const image of write.images) this.#compensate(write.replica, image, image.after, next, rows)
    return { writes: [{ replica: write.replica, rows: rows.parts }] }
  }

  rollback(next: (replica: ReplicaId) => Stamp): UndoResult {
    const images = this.#replicas.map((_, replica) => [...this.#undo.sinceCommit(replica)])
    for (const [replica, mine] of images.entries()) {
      const keys = this.#incompleteImages(mine)
      if (keys.length > 0) return { writes: [], incomplete: { replica, keys } }
    }
    const writes = images.map((mine, replica) => {
      const rows = new RowsByTable(this.#keys)
      for (const image of mine) this.#compensate(replica, image, this.#replica(replica).rows[image.row]!, next, rows)
      return { replica, rows: rows.parts }
    })
    this.mark('commit')
    return { writes: writes.filter((write) => write.rows.length > 0) }
  }

  mark(kind: 'open' | 'commit' | 'fullSync'): void {
    if (kind === 'fullSync') this.#undo.clearWrites()
    else this.#undo.commit()
    if (kind !== 'open') return
    this.#touchedRows = []
    this.#touched.length = 0
  }

  changes(replica: ReplicaId, from: number, bounds: Bounds): ChangeResult {
    const state = this.#replica(replica)
    const changed = new RowsByTable(this.#keys)
    const lookups: number[] = []
    const { reached, done } = state.changes.walkBounded(from, bounds, (row) => {
      const held = state.rows[row]!
      changed.push(this.#keys.tableOf[row]!, row, held)
      if (this.#undo.pending(replica, row)) lookups.push(row)
      return this.#keys.bytesOf[row]!.length + rowBytes(held)
    })
    return {
      changed: changed.parts,
      rows: changed.rows,
      upTo: done ? state.records : reached,
      done,
      records: state.records,
      lookups: this.#keys.batches(lookups),
    }
  }

  changed(replica: ReplicaId, from: number): boolean {
    let changed = false
    this.#replica(replica).changes.walk(from, () => {
      changed = true
      return false
    })
    return changed
  }

  pending(replica: ReplicaId, from: number): number[] {
    const counts = this.#keys.tables.map(() => 0)
    this.#replica(replica).changes.walk(from, (row) => {
      counts[this.#keys.tableOf[row]!]!++
      return true
    })
    return counts
  }

  forget(replica: ReplicaId, upTo: number): void {
    this.#replica(replica).changes.forget(upTo)
  }

  unresolved(replica: ReplicaId, limit: number): readonly TableKeys[] {
    const state = this.#replica(replica)
    if (state.floor === undefined) return []
    const rows: number[] = []
    for (const row of this.#touchedRows) {
      if (rows.length === limit) break
      if (!isComplete(state, row, state.rows[row])) rows.push(row)
    }
    return this.#keys.batches(rows)
  }

  digest(replica: ReplicaId, table: TableId): Digest {
    const state = this.#replica(replica)
    const sum = new DigestSum()
    const { columns } = this.#keys.tables[table]!
    for (const row of this.#touchedRows) {
      const held = state.rows[row]
      if (this.#keys.tableOf[row] !== table || held === undefined) continue
      let hash = this.#hashes[row]
      if (hash?.row !== held) {
        while (this.#hashes.length < row) this.#hashes.push(undefined)
        this.#hashes[row] = hash = rowHash(this.#keys.bytesOf[row]!, columns, held)
      }
      sum.add(hash)
    }
    return sum.result()
  }

  rows(): number {
    return this.#keys.bytesOf.length
  }

  vector(replica: ReplicaId): Map<string, bigint> {
    return new Map(vectorOf(this.#replica(replica)))
  }

  raise(replica: ReplicaId, vector: ReadonlyMap<string, bigint>): void {
    this.#raise(this.#replica(replica), vector)
  }

  #replica(id: ReplicaId): Replica {
    return this.#replicas[id]!
  }

  #emptyRegisters(table: TableId): (Register | undefined)[] {
    const { columns } = this.#keys.tables[table]!
    return columns.length === 1 ? [undefined] : new Array<Register | undefined>(columns.length).fill(undefined)
  }

  /** Whether a stamp is later than all that were met, so that it wins without being compared. */
  #isNewest(stamp: Stamp): boolean {
    if (stamp.time <= this.#greatest) return false
    this.#greatest = stamp.time
    return true
  }

  /** The row after a SET that is later than everything: nothing has to be compared. */
  #newest(table: TableId, mine: Row | undefined, input: RowInput, stamp: Stamp): Row {
    // Every column: of what was there nothing is left.
    if (input.count === this.#keys.tables[table]!.columns.length) {
      const registers: Register[] = [{ value: input.cell(0), stamp }]
      for (let i = 1; i < input.count; i++) registers.push({ value: input.cell(i), stamp })
      return { registers, tombstone: undefined }
    }
    const registers = mine === undefined ? this.#emptyRegisters(table) : mine.registers.slice()
    for (let i = 0; i < input.count; i++) registers[input.columns[i]!] = { value: input.cell(i), stamp }
    return normalRow(registers, mine?.tombstone)
  }

  /** A SET or DELETE of one row; `next` is undefined where it changed nothing. */
  #write(
    state: Replica,
    replica: ReplicaId,
    row: number,
    mine: Row | undefined,
    next: Row | undefined,
    stamp: Stamp,
    outcome: Outcome,
  ): Outcome {
    state.records++
    if (stamp.origin === state.name && stamp.time > state.own) state.own = stamp.time
    if (next === undefined) {
      // A line that is replayed is flushed whatever was flushed before: its database may have lost the row.
      state.changes.add(row, state.records)
      return outcome === 'twin' ? 'twin' : 'unchanged'
    }
    this.#undo.one(replica, row, mine, next, isComplete(state, row, mine))
    this.#put(state, row, mine, next)
    return outcome
  }

  /** Puts a changed row in its place: on the change list, among the digest's keys. */
  #put(state: Replica, row: number, before: Row | undefined, after: Row): void {
    state.rows[row] = after
    const { logged } = state
    if (logged.has(row)) logged.set(row, joinRows(logged.get(row), takenPart(before, after)))
    state.changes.add(row, state.records)
    if (this.#touched[row] === true) return
    while (this.#touched.length < row) this.#touched.push(false)
    this.#touched[row] = true
    this.#touchedRows.push(row)
  }

  /** The write of the merge's part before, where nothing came between: else it would no longer be the last. */
  #mergeWrite(into: ReplicaId, from: ReplicaId, position: number): Write | undefined {
    const last = this.#unfinished
    const goesOn = last?.into === into && last.from === from && last.position === position
    return goesOn && this.#undo.last(into)?.sequence === last.write.sequence ? last.write : undefined
  }

  /** Restores what a row showed before `image`'s write: one new stamp, one record. */
  #compensate(
    replica: ReplicaId,
    image: Pick<Image, 'row' | 'before'>,
    after: Row,
    next: (replica: ReplicaId) => Stamp,
    rows: RowsByTable,
  ): void {
    const { before } = image
    const showed = exists(before)
    // No register changed: there is nothing to restore, and a SET of no column is no statement.
    if (showed && after.registers.every((register, c) => sameRegister(register, before.registers[c]))) return
    const state = this.#replica(replica)
    const stamp = next(replica)
    const mine = state.rows[image.row]!
    let registers: (Register | undefined)[]
    let tombstone: Stamp | undefined
    if (showed) {
      registers = after.registers.map((register, c) => {
        const old = before.registers[c]
        return sameRegister(register, old) ? undefined : { value: old?.value ?? null, stamp }
      })
    } else {
      registers = after.registers.map(() => undefined)
      tombstone = stamp
    }
    state.records++
    if (stamp.time > state.own) state.own = stamp.time
    this.#isNewest(stamp)
    const part = { registers, tombstone }
    rows.push(this.#keys.tableOf[image.row]!, image.row, part)
    const restored = joinRows(mine, part)
    this.#undo.note(undefined, replica, image.row, mine, restored, isComplete(state, image.row, mine))
    this.#put(state, image.row, mine, restored)
  }

  #incompleteImages(images: readonly Pick<Image, 'row' | 'complete'>[]): TableKeys[] {
    return this.#keys.batches(images.filter((image) => !image.complete).map((image) => image.row))
  }

  #raise(state: Replica, vector: ReadonlyMap<string, bigint>): void {
    for (const [origin, time] of vector) {
      const known = state.vector.get(origin)
      if (known === undefined || known < time) state.vector.set(origin, time)
      if (origin === state.name && time > state.own) state.own = time
    }
  }
}

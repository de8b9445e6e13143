import { KeyBatchBuilder, keyAt, rowAt, type KeyBatch, type RowBatch } from '../batch.ts'
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
import { keyBytes, keyTexts, type TableSchema } from '../table.ts'
import { rowOfStamped, withoutForeign } from '../stamped.ts'
import { ChangeList } from './change-list.ts'
import { conflictsOf } from './conflicts.ts'
import { DigestSum } from './digest.ts'
import { distinctStamps, rowBytes, sameAfterWrite, sameRegister, takenPart } from './row-parts.ts'
import { RowsByTable } from './rows-by-table.ts'
import { UndoLog, type Image, type Write } from './undo-log.ts'

/** A table and the keys met in it, each with a dense row number that all replicas share. */
interface Table {
  readonly schema: TableSchema
  readonly columns: readonly string[]
  /** All key columns are strings. */
  readonly textKey: boolean
  /** From canonical key bytes, held as a string of one unit per byte. */
  readonly ids: Map<string, number>
}

interface Replica {
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

export interface ModelLimits {
  readonly undoStatements: number
  readonly undoRows: number
}

/** The specification of `ReplicaState`: rows that never change in place, on Maps and arrays. */
export class ModelState implements ReplicaState {
  readonly #tables: Table[] = []
  readonly #replicas: Replica[] = []
  /** By row number: its table, its key bytes, and whether a replica wrote or took it in this session. */
  readonly #tableOf: TableId[] = []
  readonly #keyOf: string[] = []
  readonly #touched: boolean[] = []
  #touchedRows: number[] = []
  readonly #undo: UndoLog
  /** The greatest time of all stamps met. */
  #greatest = -1n
  /** The merge that a limit interrupted. */
  #unfinished: { into: ReplicaId; from: ReplicaId; position: number; write: Write } | undefined

  constructor(limits: ModelLimits = { undoStatements: 10_000, undoRows: 1_000_000 }) {
    this.#undo = new UndoLog(limits.undoStatements, limits.undoRows)
  }

  addTable(schema: TableSchema): TableId {
    const columns = schema.values.map((column) => column.name)
    const textKey = schema.key.every((column) => column.type.name === 'string')
    return this.#tables.push({ schema, columns, textKey, ids: new Map() }) - 1
  }

  addReplica(name: string): ReplicaId {
    this.#undo.addReplica()
    const replica: Replica = {
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
    return this.#replicas.push(replica) - 1
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
    const row = this.#intern(table, input)
    const mine = state.rows[row]
    const registers = mine === undefined ? this.#emptyRegisters(table) : mine.registers.slice()
    if (this.#isNewest(stamp)) {
      // No register is later: nothing has to be compared.
      for (let i = 0; i < input.count; i++) registers[input.columns[i]!] = { value: input.cell(i), stamp }
      return this.#write(state, replica, row, mine, normalRow(registers, mine?.tombstone), stamp, 'changed')
    }
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
    const row = this.#intern(table, input)
    const mine = state.rows[row]
    const next = normalRow(mine?.registers ?? this.#emptyRegisters(table), laterStamp(mine?.tombstone, stamp))
    const changed = this.#isNewest(stamp) || mine === undefined || !sameAfterWrite(mine, next)
    return this.#write(state, replica, row, mine, changed ? next : undefined, stamp, 'changed')
  }

  get(replica: ReplicaId, table: TableId, input: RowInput): { row: Row | undefined; complete: boolean } {
    const state = this.#replica(replica)
    state.records++
    const row = this.#tables[table]!.ids.get(input.key.toString('latin1', 0, input.keyLength))
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
    const schema = this.#tables[table]!.schema
    const found = new Map<number, Row>()
    const foreign: Foreign[] = []
    let greatest = 0n
    for (let i = 0; i < rows.rows; i++) {
      const stored = rowAt(rows, i)
      const row = this.#internBytes(table, keyBytes(schema, stored.key).toString('latin1'))
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
      const row = this.#internBytes(table, keyBytes(schema, keyAt(keys, i)).toString('latin1'))
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
    const row = this.#intern(table, input)
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
    let reached = theirs.records
    let done = true
    let bytes = 0
    theirs.changes.walk(position, (row, record) => {
      if (walked.length >= bounds.rows || bytes >= bounds.bytes) {
        done = false
        return false
      }
      walked.push(row)
      bytes += this.#keyOf[row]!.length + rowBytes(theirs.rows[row]!)
      reached = record
      return true
    })
    if (done) reached = theirs.records
    const incomplete = this.#keysOf(walked.filter((row) => mustLookUp(ours, row, loggedRow(theirs, row))))
    if (incomplete.length > 0) return { position, done: false, took: [], rows: 0, conflicts: 0, listed: [], incomplete }

    const write = this.#mergeWrite(into, from, position)
    const ourVector = vectorOf(ours)
    const theirVector = vectorOf(theirs)
    const took = new RowsByTable(this.#tables)
    const listed: Conflict[] = []
    let conflicts = 0
    let rows = 0
    for (const row of walked) {
      const mine = ours.rows[row]
      const other = loggedRow(theirs, row)
      if (other === undefined || mine === other) continue
      const table = this.#tableOf[row]!
      for (const conflict of conflictsOf(mine, other, ourVector, theirVector)) {
        conflicts++
        if (listed.length < list) listed.push({ table, key: this.#keyTexts(row), ...conflict })
      }
      // The log takes what it lacks, also what the cache had learned from its database: whoever has seen this log up to
      // here has then seen `from`'s log too.
      const held = loggedRow(ours, row)
      const joined = joinRows(mine, other)
      const inLog = held === mine ? joined : joinRows(held, other)
      if (inLog === held) continue
      const part = takenPart(held, inLog)
      took.push(table, this.#keyTexts(row), part.registers, part.tombstone)
      ours.records += distinctStamps(part)
      if (joined === mine) {
        ours.changes.add(row, ours.records)
      } else {
        rows++
        this.#undo.note(write, into, row, mine, joined, isComplete(ours, row, mine))
        this.#put(ours, row, mine, joined)
      }
      if (ours.logged.has(row)) ours.logged.set(row, inLog)
    }
    if (done) this.#raise(ours, theirVector)
    if (done && write.images.length === 0) this.#undo.pop(into)
    this.#unfinished = done ? undefined : { into, from, position: reached, write }
    return { position: reached, done, took: took.build(), rows, conflicts, listed }
  }

  undo(replica: ReplicaId | undefined, next: (replica: ReplicaId) => Stamp): UndoResult {
    const write = this.#undo.last(replica)
    if (write === undefined) return { writes: [] }
    const incomplete = this.#incompleteImages(write.images)
    if (incomplete.length > 0) return { writes: [], incomplete: { replica: write.replica, keys: incomplete } }
    this.#undo.pop(write.replica)
    const rows = new RowsByTable(this.#tables)
    for (const image of write.images) this.#compensate(write.replica, image, image.after, next, rows)
    return { writes: [{ replica: write.replica, rows: rows.build() }] }
  }

  rollback(next: (replica: ReplicaId) => Stamp): UndoResult {
    const images = this.#replicas.map((_, replica) => [...this.#undo.sinceCommit(replica)])
    for (const [replica, mine] of images.entries()) {
      const keys = this.#incompleteImages(mine)
      if (keys.length > 0) return { writes: [], incomplete: { replica, keys } }
    }
    const writes = images.map((mine, replica) => {
      const rows = new RowsByTable(this.#tables)
      for (const image of mine) this.#compensate(replica, image, this.#replica(replica).rows[image.row]!, next, rows)
      return { replica, rows: rows.build() }
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
    const changed = new RowsByTable(this.#tables)
    const lookups: number[] = []
    let upTo = from
    let bytes = 0
    let cut = false
    state.changes.walk(from, (row, record) => {
      if (changed.rows >= bounds.rows || bytes >= bounds.bytes) {
        cut = true
        return false
      }
      const { registers, tombstone } = state.rows[row]!
      changed.push(this.#tableOf[row]!, this.#keyTexts(row), registers, tombstone)
      bytes += this.#keyOf[row]!.length + rowBytes({ registers, tombstone })
      if (this.#undo.pending(replica, row)) lookups.push(row)
      upTo = record
      return true
    })
    if (!cut) upTo = state.records
    return {
      changed: changed.build(),
      rows: changed.rows,
      upTo,
      done: !cut,
      records: state.records,
      lookups: this.#keysOf(lookups),
    }
  }

  pending(replica: ReplicaId, from: number): number[] {
    const counts = this.#tables.map(() => 0)
    this.#replica(replica).changes.walk(from, (row) => {
      counts[this.#tableOf[row]!]!++
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
    return this.#keysOf(rows)
  }

  digest(replica: ReplicaId, table: TableId): Digest {
    const state = this.#replica(replica)
    const sum = new DigestSum()
    const { columns } = this.#tables[table]!
    for (const row of this.#touchedRows) {
      const held = state.rows[row]
      if (this.#tableOf[row] === table && held !== undefined) sum.add(this.#keyOf[row]!, columns, held)
    }
    return sum.result()
  }

  rows(): number {
    return this.#keyOf.length
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
    const { columns } = this.#tables[table]!
    return columns.length === 1 ? [undefined] : new Array<Register | undefined>(columns.length).fill(undefined)
  }

  #intern(table: TableId, input: RowInput): number {
    return this.#internBytes(table, input.key.toString('latin1', 0, input.keyLength))
  }

  #internBytes(table: TableId, key: string): number {
    const { ids } = this.#tables[table]!
    const known = ids.get(key)
    if (known !== undefined) return known
    const row = this.#keyOf.length
    ids.set(key, row)
    this.#keyOf.push(key)
    this.#tableOf.push(table)
    for (const replica of this.#replicas) replica.rows.push(undefined)
    return row
  }

  #keyTexts(row: number): string[] {
    const { schema, textKey } = this.#tables[this.#tableOf[row]!]!
    const key = this.#keyOf[row]!
    const plain = textKey ? plainTexts(key, schema.key.length) : undefined
    return plain ?? keyTexts(schema, Buffer.from(key, 'latin1'))
  }

  /** Whether a stamp is later than all that were met, so that it wins without being compared. */
  #isNewest(stamp: Stamp): boolean {
    if (stamp.time <= this.#greatest) return false
    this.#greatest = stamp.time
    return true
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
    if (next === undefined) return outcome === 'twin' ? 'twin' : 'unchanged'
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

  #mergeWrite(into: ReplicaId, from: ReplicaId, position: number): Write {
    const last = this.#unfinished
    const goesOn = last?.into === into && last.from === from && last.position === position
    // Not where something came between: the write would no longer be the last.
    if (goesOn && this.#undo.last(into)?.sequence === last.write.sequence) return last.write
    return this.#undo.begin(into)
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
    rows.push(this.#tableOf[image.row]!, this.#keyTexts(image.row), registers, tombstone)
    const restored = joinRows(mine, { registers, tombstone })
    this.#undo.note(undefined, replica, image.row, mine, restored, isComplete(state, image.row, mine))
    this.#put(state, image.row, mine, restored)
  }

  #incompleteImages(images: readonly Pick<Image, 'row' | 'complete'>[]): TableKeys[] {
    return this.#keysOf(images.filter((image) => !image.complete).map((image) => image.row))
  }

  #keysOf(rows: readonly number[]): TableKeys[] {
    const builders = new Map<TableId, KeyBatchBuilder>()
    for (const row of rows) {
      const table = this.#tableOf[row]!
      let builder = builders.get(table)
      if (builder === undefined) builders.set(table, (builder = new KeyBatchBuilder(this.#tables[table]!.schema)))
      builder.push(this.#keyTexts(row))
    }
    return [...builders].map(([table, builder]) => ({ table, keys: builder.build() }))
  }

  #raise(state: Replica, vector: ReadonlyMap<string, bigint>): void {
    for (const [origin, time] of vector) {
      const known = state.vector.get(origin)
      if (known === undefined || known < time) state.vector.set(origin, time)
      if (origin === state.name && time > state.own) state.own = time
    }
  }
}

/** The texts of a key of strings, where they are ASCII without zero bytes; else undefined. */
function plainTexts(key: string, columns: number): string[] | undefined {
  const texts: string[] = []
  let start = 0
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i)
    if (unit > 127) return undefined
    if (unit !== 0) continue
    if (key.charCodeAt(i + 1) !== 1) return undefined
    texts.push(key.slice(start, i))
    start = ++i + 1
  }
  return texts.length === columns ? texts : undefined
}

function loggedRow(state: Replica, row: number): Row | undefined {
  return state.logged.has(row) ? state.logged.get(row) : state.rows[row]
}

/** The version vector, own entry included. */
function vectorOf(state: Replica): ReadonlyMap<string, bigint> {
  if (state.own >= 0n) state.vector.set(state.name, state.own)
  return state.vector
}

/**
 * Whether the database can't add anything to the cached row: it was looked up, there is no floor, or all that it may
 * hold is older than what every column has.
 */
function isComplete(state: Replica, row: number, held: Row | undefined): boolean {
  const { floor } = state
  if (floor === undefined || state.complete[row] === true) return true
  if (held === undefined) return false
  if (held.tombstone !== undefined && held.tombstone.time > floor) return true
  return held.registers.every((register) => register !== undefined && register.stamp.time > floor)
}

/** Whether the database may hold something newer than a register or tombstone that a merge brings (I14). */
function mustLookUp(ours: Replica, row: number, theirs: Row | undefined): boolean {
  const { floor } = ours
  if (floor === undefined || theirs === undefined || isComplete(ours, row, ours.rows[row])) return false
  if (theirs.tombstone !== undefined && theirs.tombstone.time <= floor) return true
  return theirs.registers.some((register) => register !== undefined && register.stamp.time <= floor)
}

import { keysOf } from '../../../src/core/batch.ts'
import type { ReplicaState } from '../../../src/core/state.ts'
import { Both, OutOfMemory, sameError } from './both.ts'
import { same } from './compare.ts'
import type { Settings } from './generate.ts'
import { mergeBoth } from './merges.ts'
import type { Kind, Operation } from './operations.ts'
import { FLOORS } from './stamps.ts'
import { keyNumber } from './tables.ts'
import { undoBoth } from './undo.ts'
import { Walker, walkBoth } from './walks.ts'
import {
  learnBoth,
  sameChanged,
  sameDigest,
  sameDigests,
  samePending,
  sameRecords,
  sameRow,
  sameRowCount,
  sameUnresolved,
  sameVector,
  sameWhole,
} from './whole.ts'

/** Of more keys than this the whole is compared after the first refused operation only, then digests. */
const FEW_KEYS = 1000

/** Runs operations on a model and a subject, and compares what they give. */
export class Session {
  /** How often each kind found no memory. */
  readonly refused = new Map<Kind, number>()
  readonly #both: Both
  /** How far one replica has seen another. */
  readonly #seen = new Map<string, number>()
  readonly #walkers: (Walker | undefined)[] = []

  constructor(model: ReplicaState, subject: ReplicaState, settings: Settings, limited = false) {
    this.#both = new Both(model, subject, settings, limited)
  }

  /** Throws Mismatch where the two differ, Unaligned where no more can be compared. */
  run(operation: Operation): void {
    try {
      this.#run(operation)
    } catch (error) {
      if (!(error instanceof OutOfMemory)) throw error
      const times = (this.refused.get(operation.kind) ?? 0) + 1
      this.refused.set(operation.kind, times)
      this.#unchanged(operation, times)
    }
  }

  #run(operation: Operation): void {
    const both = this.#both
    switch (operation.kind) {
      case 'set':
      case 'remove':
      case 'restore':
        this.#write(operation)
        return
      case 'get':
        sameRow(both, this.#replica(operation), this.#table(operation), operation.key)
        return
      case 'learn':
        this.#learn(operation)
        return
      case 'merge':
        this.#merge(operation)
        return
      case 'fullSync':
        this.#fullSync(operation)
        return
      case 'undo':
        this.#undo(operation)
        return
      case 'rollback':
        undoBoth(both, (state, next) => state.rollback(next), both.freeOrder.includes(true), operation.seed)
        both.freeOrder.fill(false)
        return
      case 'mark':
        both.subject.mark(operation.mark)
        both.model.mark(operation.mark)
        if (operation.mark !== 'fullSync') both.freeOrder.fill(false)
        return
      case 'changes':
        walkBoth(both, this.#replica(operation), this.#from(operation), operation.rows)
        return
      case 'walk':
        this.#walk(operation)
        return
      case 'forget':
        this.#forget(this.#replica(operation), this.#from(operation))
        return
      case 'raise':
      case 'floor':
      case 'startAt':
        this.#settle(operation)
        return
      case 'addReplica':
        both.addReplica()
        return
      case 'addTable':
        both.addTable()
        return
      default:
        this.#look(operation)
    }
  }

  /** Operations that only read. */
  #look(operation: Extract<Operation, { kind: ReadKind }>): void {
    const both = this.#both
    switch (operation.kind) {
      case 'changed':
        sameChanged(both, this.#replica(operation), this.#from(operation))
        return
      case 'pending':
        samePending(both, this.#replica(operation), this.#from(operation))
        return
      case 'unresolved':
        sameUnresolved(both, this.#replica(operation), operation.limit)
        return
      case 'digest':
        sameDigest(both, this.#replica(operation), this.#table(operation))
        return
      case 'rows':
        sameRowCount(both)
        return
      case 'vector':
        sameVector(both, this.#replica(operation))
        return
      case 'records':
        sameRecords(both, this.#replica(operation))
        return
      case 'compare':
        sameWhole(both)
        return
    }
  }

  #write(operation: Extract<Operation, { kind: 'set' | 'remove' | 'restore' }>): void {
    const both = this.#both
    const { model, subject, input } = both
    const replica = this.#replica(operation)
    const table = this.#table(operation)
    const { key } = operation
    const stamp = both.times.stamp(operation.stamp, both.names[replica]!)
    if (operation.kind === 'remove') {
      both.fill(table, key)
      const got = both.attempt(() => subject.remove(replica, table, input, stamp))
      same('what DELETE did', model.remove(replica, table, input, stamp), got)
    } else if (operation.kind === 'set') {
      both.fill(table, key, operation.cells)
      const got = both.attempt(() => subject.set(replica, table, input, stamp))
      same('what SET did', model.set(replica, table, input, stamp), got)
    } else {
      this.#count(replica, operation.records)
      both.fill(table, key, operation.cells)
      const deleted = operation.cells.length === 0
      both.attempt(() => {
        subject.restore(replica, table, input, stamp, deleted)
      })
      model.restore(replica, table, input, stamp, deleted)
    }
    both.meet(table, key)
  }

  #learn(operation: Extract<Operation, { kind: 'learn' }>): void {
    const both = this.#both
    const replica = this.#replica(operation)
    const table = this.#table(operation)
    const { keys, seed } = operation
    if (operation.bad && keys.every((key) => both.hasMet(table, key))) {
      const texts = keys.map((key) => keyNumber(both.tables[table]!, key).texts)
      const batch = keysOf(both.schema(table), texts)
      const rows = both.databaseRows(table, texts, seed, true)
      sameError(
        () => both.model.learn(replica, table, batch, rows),
        () => both.attempt(() => both.subject.learn(replica, table, batch, rows)),
      )
      return
    }
    learnBoth(both, replica, table, keys, seed)
    for (const key of keys) both.meet(table, key)
  }

  #merge(operation: Extract<Operation, { kind: 'merge' }>): void {
    const both = this.#both
    const replicas = both.names.length
    if (replicas < 2) return
    const into = operation.into % replicas
    const from = operation.from % replicas === into ? (into + 1) % replicas : operation.from % replicas
    const { start } = operation
    const seen = this.#seen.get(pairOf(into, from)) ?? 0
    const position = start === 0 ? seen : start === 1 ? 0 : both.position(from, start)
    this.#mergePair(into, from, Math.max(position, both.forgotten[from]!), operation)
  }

  #mergePair(
    into: number,
    from: number,
    position: number,
    options: Omit<MergeFrom, 'into' | 'from' | 'position'>,
  ): void {
    const note = (reached: number) => {
      this.#seen.set(pairOf(into, from), reached)
    }
    note(mergeBoth(this.#both, { ...options, into, from, position }, note))
    this.#both.handOut(from, this.#seen.get(pairOf(into, from))!)
  }

  #fullSync({ rows, list, seed }: Extract<Operation, { kind: 'fullSync' }>): void {
    const both = this.#both
    const others = [...both.names.keys()].slice(1)
    const merge = (into: number, from: number) => {
      const position = Math.max(this.#seen.get(pairOf(into, from)) ?? 0, both.forgotten[from]!)
      this.#mergePair(into, from, position, { rows, list, seed, leave: 0 })
    }
    for (const other of others) merge(0, other)
    for (const other of others) merge(other, 0)
    both.subject.mark('fullSync')
    both.model.mark('fullSync')
  }

  #undo({ replica, seed }: Extract<Operation, { kind: 'undo' }>): void {
    const both = this.#both
    const one = replica === -1 ? undefined : replica % both.names.length
    const free = one === undefined ? both.freeOrder.includes(true) : both.freeOrder[one]!
    undoBoth(both, (state, next) => state.undo(one, next), free, seed)
  }

  #walk(operation: Extract<Operation, { kind: 'walk' }>): void {
    const both = this.#both
    const { walker, rows } = operation
    const begun = this.#walkers[walker]
    const goesOn = begun !== undefined && begun.position >= both.forgotten[begun.replica]!
    const walk = goesOn ? begun : new Walker(both, this.#replica(operation), this.#from(operation))
    this.#walkers[walker] = walk.step(rows) ? undefined : walk
  }

  #forget(replica: number, upTo: number): void {
    const both = this.#both
    both.subject.forget(replica, upTo)
    both.model.forget(replica, upTo)
    if (upTo <= both.forgotten[replica]!) return
    both.forgotten[replica] = upTo
    both.positions[replica] = both.positions[replica]!.filter((position) => position >= upTo)
  }

  #settle(operation: Extract<Operation, { kind: 'raise' | 'floor' | 'startAt' }>): void {
    const both = this.#both
    const { model, subject, times } = both
    const replica = this.#replica(operation)
    if (operation.kind === 'startAt') {
      this.#count(replica, operation.more)
    } else if (operation.kind === 'floor') {
      const time = operation.time < FLOORS.length ? times.base + FLOORS[operation.time]! : times.now
      both.attempt(() => {
        subject.floor(replica, time)
      })
      model.floor(replica, time)
    } else {
      const stamps = operation.stamps.map((stamp) => times.stamp(stamp, both.names[replica]!))
      const vector = new Map(stamps.map(({ time, origin }) => [origin, time]))
      both.attempt(() => {
        subject.raise(replica, vector)
      })
      model.raise(replica, vector)
    }
  }

  #count(replica: number, more: number): void {
    const { model, subject } = this.#both
    if (more === 0) return
    const records = model.records(replica) + more
    subject.startAt(replica, records)
    model.startAt(replica, records)
  }

  /** After the subject found no memory: nothing of the operation was done. */
  #unchanged(operation: Operation, times: number): void {
    const both = this.#both
    sameRowCount(both)
    if ('key' in operation) sameRow(both, this.#replica(operation), this.#table(operation), operation.key)
    if ('replica' in operation && operation.replica >= 0) sameVector(both, this.#replica(operation))
    if (times % 8 !== 1) return
    const isFirst = times === 1 && this.refused.size === 1
    if (isFirst || both.met.size < FEW_KEYS) sameWhole(both)
    else sameDigests(both)
  }

  #replica({ replica }: { readonly replica: number }): number {
    return replica % this.#both.names.length
  }

  #table({ table }: { readonly table: number }): number {
    return table % this.#both.tables.length
  }

  #from(operation: { readonly replica: number; readonly from: number }): number {
    return this.#both.position(this.#replica(operation), operation.from)
  }
}

type ReadKind = 'changed' | 'pending' | 'unresolved' | 'digest' | 'rows' | 'vector' | 'records' | 'compare'
type MergeFrom = Parameters<typeof mergeBoth>[1]

const pairOf = (into: number, from: number): string => `${String(into)} ${String(from)}`

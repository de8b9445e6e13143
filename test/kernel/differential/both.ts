import { batchOf, keyAt, keysOf, type RowBatch, type StampedRow } from '../../../src/core/batch.ts'
import { MerganserError } from '../../../src/core/errors.ts'
import { stampText } from '../../../src/core/stamp.ts'
import { RowInput, type Foreign, type ReplicaState, type TableKeys } from '../../../src/core/state.ts'
import type { TableSchema } from '../../../src/core/table.ts'
import { Draws } from '../../core/random.ts'
import { byTable, keyTexts, Mismatch, same, sameSet, show } from './compare.ts'
import type { Settings } from './generate.ts'
import type { Cell } from './operations.ts'
import { NAMES, STAMP_TIMES, Times } from './stamps.ts'
import { keyNumber, TABLES, valueNumber } from './tables.ts'

/** The subject had no memory left for an operation. */
export class OutOfMemory extends Error {}
/** The subject had none in a merge at a point to which the model can't follow: nothing more can be compared. */
export class Unaligned extends Error {}

/** A model and the state that is held against it, with what a session knows of both. */
export class Both {
  readonly model: ReplicaState
  readonly subject: ReplicaState
  readonly times: Times
  /** By table number as the states count. */
  readonly tables: number[] = []
  readonly names: string[] = []
  readonly input = new RowInput()
  /** Keys that were met, by table and number. */
  readonly met = new Map<string, { readonly table: number; readonly key: number }>()
  /** Per replica, record numbers that both have handed out, and the one up to which changes were forgotten. */
  readonly positions: number[][] = []
  readonly forgotten: number[] = []
  /** Per replica, whether the order in which its rows were first written since the last commit is free. */
  readonly freeOrder: boolean[] = []
  /** Per replica, how often it learned. */
  readonly learned: number[] = []
  readonly #settings: Settings
  readonly #limited: boolean

  /** @param limited whether the subject may run out of memory */
  constructor(model: ReplicaState, subject: ReplicaState, settings: Settings, limited: boolean) {
    this.model = model
    this.subject = subject
    this.#settings = settings
    this.#limited = limited
    this.times = new Times(settings.base)
    for (let i = 0; i < settings.tablesAtFirst; i++) this.addTable()
    for (let i = 0; i < settings.replicasAtFirst; i++) this.addReplica()
  }

  addTable(): void {
    const table = this.#settings.tables[this.tables.length]
    if (table === undefined) return
    const schema = TABLES[table]!
    const got = this.attempt(() => this.subject.addTable(schema))
    same('the number of a new table', this.model.addTable(schema), got)
    this.tables.push(table)
  }

  addReplica(): void {
    const name = NAMES[this.names.length]
    if (name === undefined) return
    const got = this.attempt(() => this.subject.addReplica(name))
    same('the number of a new replica', this.model.addReplica(name), got)
    this.names.push(name)
    this.positions.push([0])
    this.forgotten.push(0)
    this.freeOrder.push(false)
    this.learned.push(0)
  }

  schema(table: number): TableSchema {
    return TABLES[this.tables[table]!]!
  }

  /** Calls the subject, before the model: where it has no memory the model isn't called. */
  attempt<T>(call: () => T): T {
    try {
      return call()
    } catch (error) {
      if (this.#limited && error instanceof MerganserError && error.code === 'MEMORY_LIMIT') {
        throw new OutOfMemory(error.message)
      }
      throw error
    }
  }

  /** Fills `input`. */
  fill(table: number, key: number, cells: readonly Cell[] = []): void {
    const { input } = this
    const { values } = this.schema(table)
    input.setKey(keyNumber(this.tables[table]!, key).bytes)
    input.clear()
    // An operation that shrinking has moved to another table may name columns that this one lacks.
    const known = cells.filter(([column]) => column < values.length)
    for (const [column, value] of known) input.addCell(column, valueNumber(values[column]!.type, value))
    if (cells.length > 0 && known.length === 0) input.addCell(0, valueNumber(values[0]!.type, cells[0]![1]))
  }

  meet(table: number, key: number): void {
    this.met.set(`${String(table)} ${String(key)}`, { table, key })
  }

  hasMet(table: number, key: number): boolean {
    return this.met.has(`${String(table)} ${String(key)}`)
  }

  /** A record number of a replica that both have handed out; 0 is the last one. */
  position(replica: number, number: number): number {
    const known = this.positions[replica]!
    return known[known.length - 1 - (number % known.length)]!
  }

  handOut(replica: number, position: number): void {
    const known = this.positions[replica]!
    if (known.includes(position) || position < this.forgotten[replica]!) return
    known.push(position)
    if (known.length > 24) known.shift()
  }

  /** Looks rows up. */
  learn(state: ReplicaState, replica: number, asked: readonly TableKeys[], seed: number): string[] {
    return asked.flatMap(({ table, keys }) => {
      const texts = Array.from({ length: keys.rows }, (_, i) => keyAt(keys, i))
      const rows = this.databaseRows(table, texts, seed)
      const result = state.learn(replica, table, keysOf(this.schema(table), texts), rows)
      this.learned[replica]!++
      return [...foreignTexts(result.foreign), String(result.greatest)]
    })
  }

  /** Both ask for the same keys: they learn the same. */
  learnAsked(replica: number, asked: readonly TableKeys[], got: readonly TableKeys[], seed: number): void {
    sameSet('keys to look up', keyTexts(asked), keyTexts(got))
    const theirs = byTable(got)
    byTable(asked).forEach((part, i) => {
      const learned = this.attempt(() => this.learn(this.subject, replica, [theirs[i]!], seed))
      sameSet('what was learned', this.learn(this.model, replica, [part], seed), learned)
    })
  }

  /** What the databases hold of some keys: the same for the same seed, whoever asks in whatever order. */
  databaseRows(table: number, keys: readonly (readonly string[])[], seed: number, bad = false): RowBatch {
    const rows = keys.map((key) => this.#databaseRow(table, key, seed)).filter((row) => row !== undefined)
    if (bad) rows.push({ key: keys[0]!, cells: this.schema(table).values.map(() => null), deleted: 'never' })
    return batchOf(this.schema(table), rows)
  }

  #databaseRow(table: number, key: readonly string[], seed: number): StampedRow | undefined {
    const draws = new Draws(seed ^ hash(key.join('\n')))
    if (draws.below(4) === 0) return undefined
    const stamp = () => stampText(this.times.stamp(1 + draws.below(STAMP_TIMES - 1) + 16 * draws.below(9), 'A'))
    const deleted = draws.below(4) === 0 ? stamp() : null
    const empty = draws.below(4)
    const cells = this.schema(table).values.map(({ type }) => {
      if (empty === 0 || draws.below(4) < empty - 1) return null
      return { value: valueNumber(type, draws.below(7) - 1), stamp: stamp() }
    })
    return deleted === null && cells.every((cell) => cell === null) ? undefined : { key, cells, deleted }
  }
}

function hash(text: string): number {
  let sum = text.length
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193)
  return sum
}

export function foreignTexts(foreign: readonly Foreign[]): string[] {
  return foreign.map(({ table, key, column, stamp }) => JSON.stringify([table, key, column, stamp]))
}

/** What a call throws, where it throws one of our errors; the two must agree. */
export function sameError(model: () => unknown, subject: () => unknown): void {
  const codeOf = (call: () => unknown): string => {
    try {
      return `a result: ${show(call())}`
    } catch (error) {
      if (error instanceof MerganserError) return error.code
      throw error
    }
  }
  const expected = codeOf(model)
  const got = codeOf(subject)
  if (expected !== got) throw new Mismatch(`expected the error ${expected}, got ${got}`)
}

import { batchOf, keyAt, keysOf, rowAt, type KeyBatch, type StampedRow } from '../../../src/core/batch.ts'
import type { Row } from '../../../src/core/row.ts'
import { parseStamp, stampText, type Stamp } from '../../../src/core/stamp.ts'
import { RowInput, type Bounds, type MergeResult, type Outcome, type TableRows } from '../../../src/core/state.ts'
import type { ReplicaState, TableKeys, UndoResult } from '../../../src/core/state.ts'
import { keyBytes, type TableSchema } from '../../../src/core/table.ts'

/** How far UNDO reaches; an implementation has its own defaults. */
export interface UndoLimits {
  readonly undoStatements: number
  readonly undoRows: number
}
export type MakeState = (limits?: UndoLimits) => ReplicaState

export const PAIRS: TableSchema = {
  name: 'pairs',
  key: [{ name: 'id', type: { name: 'string' } }],
  values: [
    { name: 'a', type: { name: 'string' } },
    { name: 'b', type: { name: 'string' } },
  ],
}
export const SINGLES: TableSchema = {
  name: 'singles',
  key: [
    { name: 'x', type: { name: 'int64' } },
    { name: 'y', type: { name: 'string' } },
  ],
  values: [{ name: 'v', type: { name: 'string' } }],
}

export const ALL: Bounds = { rows: 1e9, bytes: 1e12 }
export const rowsOf = (rows: number): Bounds => ({ rows, bytes: 1e12 })

export type Cells = Readonly<Record<string, string | null>>

const show = (value: string | null) => value ?? '\\N'
const mark = ({ time, origin }: Stamp) => `${String(time)}${origin}`

/** A row as `a=x@5A b=\N@6B !7A`; 'none' where nothing is held. */
export function rowText(schema: TableSchema, row: Row | undefined): string {
  if (row === undefined) return 'none'
  const parts = row.registers.flatMap((register, c) =>
    register === undefined ? [] : [`${schema.values[c]!.name}=${show(register.value)}@${mark(register.stamp)}`],
  )
  if (row.tombstone !== undefined) parts.push(`!${mark(row.tombstone)}`)
  return parts.join(' ')
}

export function stampedText(schema: TableSchema, row: StampedRow): string {
  const parts = row.cells.flatMap((cell, c) =>
    cell === null ? [] : [`${schema.values[c]!.name}=${show(cell.value)}@${mark(parseStamp(cell.stamp)!)}`],
  )
  if (row.deleted !== null) parts.push(`!${mark(parseStamp(row.deleted)!)}`)
  return `${row.key.join('/')}: ${parts.join(' ')}`
}

/** A state with replicas A, B, C and two tables, driven in words; one clock that counts from 1. */
export class World {
  readonly state: ReplicaState
  readonly schemas = [PAIRS, SINGLES]
  readonly names: readonly string[]
  now = 0n
  readonly #input = new RowInput()
  readonly #positions = new Map<string, number>()

  constructor(make: MakeState, { names = ['A', 'B', 'C'], limits }: { names?: string[]; limits?: UndoLimits } = {}) {
    this.state = make(limits)
    this.names = names
    for (const schema of this.schemas) this.state.addTable(schema)
    for (const name of names) this.state.addReplica(name)
  }

  id(name: string): number {
    return this.names.indexOf(name)
  }

  fill(key: string, cells: Cells = {}): { input: RowInput; table: number } {
    const table = key.includes('/') ? 1 : 0
    const schema = this.schemas[table]!
    this.#input.setKey(keyBytes(schema, key.split('/')))
    this.#input.clear()
    for (const [name, value] of Object.entries(cells)) {
      this.#input.addCell(
        schema.values.findIndex((column) => column.name === name),
        value,
      )
    }
    return { input: this.#input, table }
  }

  /** A SET with the next stamp, or a replayed one with the stamp given. */
  set(name: string, key: string, cells: Cells, stamp?: Stamp): Outcome {
    const { input, table } = this.fill(key, cells)
    return this.state.set(this.id(name), table, input, stamp ?? this.next(name))
  }

  remove(name: string, key: string, stamp?: Stamp): Outcome {
    const { input, table } = this.fill(key)
    return this.state.remove(this.id(name), table, input, stamp ?? this.next(name))
  }

  next(name: string): Stamp {
    return { time: ++this.now, origin: name }
  }

  held(name: string, key: string): { row: Row | undefined; complete: boolean } {
    const { input, table } = this.fill(key)
    return this.state.get(this.id(name), table, input)
  }

  /** What a replica holds under a key. Counts a record, as a GET does. */
  look(name: string, key: string): string {
    return rowText(this.schemas[key.includes('/') ? 1 : 0]!, this.held(name, key).row)
  }

  /** One call of merge, from where the last one ended. */
  mergeOnce(into: string, from: string, bounds: Bounds = ALL, list = 100): MergeResult {
    const pair = `${into}<${from}`
    const result = this.state.merge(this.id(into), this.id(from), this.#positions.get(pair) ?? 0, bounds, list)
    if (result.incomplete === undefined) this.#positions.set(pair, result.position)
    return result
  }

  /** Merges all that is new; what was taken as texts, and the conflicts. */
  merge(into: string, from: string, bounds: Bounds = ALL): { took: string[]; rows: number; conflicts: number } {
    const all = { took: [] as string[], rows: 0, conflicts: 0 }
    for (;;) {
      const result = this.mergeOnce(into, from, bounds)
      if (result.incomplete !== undefined) throw new Error('the merge needs a look-up')
      all.took.push(...this.texts(result.took))
      all.rows += result.rows
      all.conflicts += result.conflicts
      if (result.done) return all
    }
  }

  /** Every replica into the first, then the first into every other; gives the conflicts. */
  fullSync(order: readonly string[] = this.names, bounds: Bounds = ALL): number {
    const [first, ...others] = order
    let conflicts = 0
    for (const other of others) conflicts += this.merge(first!, other, bounds).conflicts
    for (const other of others) conflicts += this.merge(other, first!, bounds).conflicts
    this.state.mark('fullSync')
    return conflicts
  }

  undo(name?: string): string[] {
    return this.undone(
      this.state.undo(name === undefined ? undefined : this.id(name), (id) => this.next(this.names[id]!)),
    )
  }

  rollback(): string[] {
    return this.undone(this.state.rollback((id) => this.next(this.names[id]!)))
  }

  undone(result: UndoResult): string[] {
    if (result.incomplete !== undefined) {
      return [`look up ${this.names[result.incomplete.replica]!} ${this.keys(result.incomplete.keys).join(' ')}`]
    }
    return result.writes.flatMap(({ replica, rows }) =>
      this.texts(rows).map((text) => `${this.names[replica]!} ${text}`),
    )
  }

  /** Rows read from a replica's database: those asked for, and those found. */
  learn(name: string, asked: readonly string[], found: Readonly<Record<string, Partial<Found>>> = {}) {
    const rows = Object.entries(found).map(([key, { cells = {}, deleted }]) => ({
      key: [key],
      cells: PAIRS.values.map((column) => cells[column.name] ?? null),
      deleted: deleted ?? null,
    }))
    return this.state.learn(this.id(name), 0, this.keyBatch(asked), batchOf(PAIRS, rows))
  }

  keyBatch(keys: readonly string[]): KeyBatch {
    return keysOf(
      PAIRS,
      keys.map((key) => [key]),
    )
  }

  texts(tables: readonly TableRows[]): string[] {
    return tables.flatMap(({ table, batch }) =>
      Array.from({ length: batch.rows }, (_, i) => stampedText(this.schemas[table]!, rowAt(batch, i))),
    )
  }

  keys(tables: readonly TableKeys[]): string[] {
    return tables.flatMap(({ keys }) => Array.from({ length: keys.rows }, (_, i) => keyAt(keys, i).join('/')))
  }

  /** The digests of all tables. */
  digest(name: string): string {
    return this.schemas.map((_, table) => this.state.digest(this.id(name), table).hash).join(' ')
  }
}

export interface Found {
  readonly cells: Readonly<Record<string, { value: string | null; stamp: string }>>
  readonly deleted: string
}

/** A register as a database holds it. */
export function stored(value: string | null, time: bigint, origin: string): { value: string | null; stamp: string } {
  return { value, stamp: stampText({ time, origin }) }
}

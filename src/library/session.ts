import { MerganserError } from '../core/errors.ts'
import { exists, type Row } from '../core/row.ts'
import type { TableId } from '../core/state.ts'
import { keyBytes, type Column, type TableSchema } from '../core/table.ts'
import { fromJs, toJs } from '../core/types.ts'
import { finish } from '../engine/finish.ts'
import { openSession, type Session } from '../engine/session.ts'
import type { EngineSetup } from '../engine/setup.ts'
import type { Report } from '../engine/report.ts'
import { Statement } from '../script/statement.ts'
import type { TableShapes } from './options.ts'
import { RowWriter } from './row-writer.ts'

/** Writes between two looks at clock, logs and memory. */
const BLOCK = 64

/** A program's value of a type by its spelling. */
export type ValueOf<Spelling extends string> = Spelling extends 'int64'
  ? bigint
  : Spelling extends 'float64'
    ? number
    : Spelling extends 'boolean'
      ? boolean
      : Spelling extends 'bytes'
        ? Uint8Array
        : Spelling extends 'json'
          ? unknown
          : string

export type KeyOf<Table extends TableShapes[string]> = {
  readonly [Name in keyof Table['key']]: ValueOf<Table['key'][Name]>
}
/** What a SET may name: some of the value columns. */
export type ValuesOf<Table extends TableShapes[string]> = {
  readonly [Name in keyof Table['values']]?: ValueOf<Table['values'][Name]> | null
}
/** What a GET gives: all value columns, null where never set. */
export type RowOf<Table extends TableShapes[string]> = {
  readonly [Name in keyof Table['values']]: ValueOf<Table['values'][Name]> | null
}

/** Opens the engine's session and gives it its types. */
export async function openTyped<Tables extends TableShapes>(setup: EngineSetup): Promise<TypedSession<Tables>> {
  return new TypedSession<Tables>(await openSession(setup))
}

/**
 * A session as programs use it: the statements of the language as methods. A write takes effect at once and is
 * acknowledged by the next `await session.durable()` (or merge, sync, get …): until then a crash may undo it. Await
 * each promise before the next call.
 */
export class TypedSession<Tables extends TableShapes> {
  readonly #session: Session
  readonly #statement = new Statement()
  readonly #origin = {}
  /** By the table's number. */
  readonly #writers: readonly RowWriter[]
  readonly #opened: number
  /** The names that the last statement was for: the next one's are mostly the same. */
  #lastReplica = { name: '', id: -1 }
  #lastTable = { name: '', id: -1 }
  #statements = 0
  #waiting: { readonly after: number; readonly done: Promise<void> } | undefined
  #report: Promise<Report> | undefined
  #sinceBreath = 0

  constructor(session: Session) {
    this.#session = session
    this.#opened = session.context.wall.milliseconds()
    this.#writers = session.context.catalog.tables.map((schema) => new RowWriter(schema, session.setup.limits))
  }

  /**
   * Sets some of a row's value columns. Throws BAD_VALUE, VALUE_REFUSED (its database can't hold it exactly), LIMIT,
   * UNKNOWN_REPLICA, UNKNOWN_TABLE, UNKNOWN_COLUMN; nothing is changed then. Gives a promise where memory is full:
   * await it, or write on at the price of more memory.
   */
  set<Name extends keyof Tables & string>(
    replica: string,
    table: Name,
    key: KeyOf<Tables[Name]>,
    values: ValuesOf<Tables[Name]>,
  ): Promise<void> | undefined {
    const statement = this.#begin('set', replica, table)
    const { input } = statement
    const writer = this.#writers[statement.table]!
    if (writer.key(input, key) && writer.cells(input, values)) {
      statement.common = writer.plain
      return this.#write()
    }
    input.clear()
    const schema = this.#encodeKey(key)
    for (let column = 0; column < schema.values.length; column++) {
      const { name } = schema.values[column]!
      const value = own(values, name)
      if (value !== undefined) input.addCell(column, value === null ? null : this.#text(schema.values[column]!, value))
    }
    this.#checkColumns(schema.values, values, schema.name)
    if (input.count === 0) throw new MerganserError('WRONG_COUNT', `${schema.name}: a SET names a value column`)
    return this.#write()
  }

  /** Deletes a row, whether it is there or not. */
  delete<Name extends keyof Tables & string>(
    replica: string,
    table: Name,
    key: KeyOf<Tables[Name]>,
  ): Promise<void> | undefined {
    this.#begin('delete', replica, table)
    this.#encodeKey(key)
    return this.#write()
  }

  /** The row as the replica shows it; undefined for none. What it depends on is durable on return. */
  async get<Name extends keyof Tables & string>(
    replica: string,
    table: Name,
    key: KeyOf<Tables[Name]>,
  ): Promise<RowOf<Tables[Name]> | undefined> {
    this.#begin('get', replica, table)
    const schema = this.#encodeKey(key)
    let row: Row | undefined
    void this.#session.engine.execute(this.#statement, {
      answer: (found) => {
        row = found
      },
    })
    // Reads that a program asks for side by side go to the database together.
    await Promise.resolve()
    await this.#settled()
    return exists(row) ? (this.#shown(schema, row) as RowOf<Tables[Name]>) : undefined
  }

  /** Merges what `source` has and `replica` hasn't seen into `replica`; its flush goes on in the background. */
  async merge(replica: string, source: string): Promise<void> {
    await this.#take('merge', this.#replica(replica), this.#replica(source))
  }

  /** Merges every replica into the first and the first into every other: all converge. */
  fullSync(): Promise<void> {
    return this.#take('fullSync')
  }

  /** Resolves when the replica's (or every) database holds its cache. Rejects where it stays away or refuses. */
  async sync(replica?: string): Promise<void> {
    const only = replica === undefined ? -1 : this.#replica(replica)
    await this.#take('sync', only)
    this.#checkFlushes(only)
  }

  /** Takes back the last write of a replica, or of all. */
  async undo(replica?: string): Promise<void> {
    await this.#take('undo', replica === undefined ? -1 : this.#replica(replica))
  }

  /** Sets a point that `rollback` goes back to, and flushes everything. Rejects where a database stays away or refuses. */
  async commit(): Promise<void> {
    await this.#take('commit')
    this.#checkFlushes(-1)
  }

  /** Takes back all writes since the last point. */
  rollback(): Promise<void> {
    return this.#take('rollback')
  }

  /** Resolves when everything so far is on disk: acknowledged. */
  durable(): Promise<void> {
    return this.#session.engine.durable()
  }

  /** The final flush and the report; the session is closed on return. Idempotent. */
  close(): Promise<Report> {
    return (this.#report ??= this.#finish())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #finish(): Promise<Report> {
    const { wall } = this.#session.context
    try {
      return await finish(this.#session, () => (wall.milliseconds() - this.#opened) / 1000)
    } finally {
      await this.#session.close()
    }
  }

  #checkFlushes(only: number): void {
    for (const { id, flusher } of this.#session.context.replicas) {
      if (flusher.failure !== undefined && (only < 0 || only === id)) throw flusher.failure
    }
  }

  async #take(op: Statement['op'], replica = -1, other = -1): Promise<void> {
    const statement = this.#fresh(op)
    statement.replica = replica
    statement.other = other
    if (op === 'merge' && replica === other) {
      throw new MerganserError('SAME_REPLICA', 'a replica is not merged into itself')
    }
    await this.#session.engine.execute(statement, {})
    await this.#session.engine.durable()
  }

  #fresh(op: Statement['op']): Statement {
    if (this.#report !== undefined) throw new MerganserError('USAGE', 'the session is closed')
    this.#statements++
    this.#statement.clear()
    this.#statement.op = op
    return this.#statement
  }

  /** As `durable`; all who ask after the same statement wait for the same. */
  #settled(): Promise<void> {
    if (this.#waiting?.after !== this.#statements) {
      this.#waiting = { after: this.#statements, done: this.#session.engine.durable() }
    }
    return this.#waiting.done
  }

  /** A new statement with replica and table. */
  #begin(op: 'set' | 'get' | 'delete', replica: string, table: string): Statement {
    const statement = this.#fresh(op)
    if (replica !== this.#lastReplica.name) this.#lastReplica = { name: replica, id: this.#replica(replica) }
    if (table !== this.#lastTable.name) this.#lastTable = { name: table, id: this.#table(table) }
    statement.replica = this.#lastReplica.id
    statement.table = this.#lastTable.id
    return statement
  }

  /** Fills the statement with the key; gives the table's schema. */
  #encodeKey(key: object): TableSchema {
    const statement = this.#statement
    const schema = this.#session.context.catalog.tables[statement.table]!
    const texts = schema.key.map((column) => {
      const value = own(key, column.name)
      if (value === undefined || value === null) {
        throw new MerganserError('WRONG_COUNT', `${schema.name}: the key needs its column ${column.name}`)
      }
      return this.#text(column, value)
    })
    this.#checkColumns(schema.key, key, schema.name)
    const bytes = keyBytes(schema, texts)
    const { keyBytes: most } = this.#session.setup.limits
    if (bytes.length > most) throw new MerganserError('LIMIT', `the key is longer than ${String(most)} bytes`)
    statement.input.setKey(bytes)
    return schema
  }

  #text(column: Column, value: unknown): string {
    const parsed = fromJs(column.type, value)
    if ('reason' in parsed) {
      throw new MerganserError('BAD_VALUE', `column ${column.name}: ${parsed.reason}`)
    }
    const { valueBytes } = this.#session.setup.limits
    if (parsed.text.length * 3 > valueBytes && Buffer.byteLength(parsed.text) > valueBytes) {
      throw new MerganserError('LIMIT', `column ${column.name}: longer than ${String(valueBytes)} bytes`)
    }
    return parsed.text
  }

  #shown(schema: TableSchema, row: Row): Record<string, unknown> {
    return Object.fromEntries(
      schema.values.map(({ name, type }, column) => {
        const value = row.registers[column]?.value ?? null
        return [name, value === null ? null : toJs(type, value)]
      }),
    )
  }

  #replica(name: string): number {
    const replica = this.#session.context.catalog.replica(name)
    if (replica !== undefined) return replica
    throw new MerganserError('UNKNOWN_REPLICA', `there is no replica ${name}`, {
      advice: `known: ${this.#session.context.catalog.replicas.join(', ')}`,
    })
  }

  #table(name: string): TableId {
    const table = this.#session.context.catalog.table(name)
    if (table !== undefined) return table
    throw new MerganserError('UNKNOWN_TABLE', `there is no table ${name}`, {
      advice: `known: ${this.#session.context.catalog.tables.map((schema) => schema.name).join(', ')}`,
    })
  }

  #checkColumns(columns: readonly Column[], given: object, table: string): void {
    const unknown = Object.keys(given).find((name) => !columns.some((column) => column.name === name))
    if (unknown === undefined) return
    throw new MerganserError('UNKNOWN_COLUMN', `${table} has no column ${unknown.slice(0, 80)} there`, {
      advice: `known: ${columns.map((column) => column.name).join(', ')}`,
    })
  }

  /** Executes a write; every so often looks at logs and memory first, so that nothing is done where they refuse. */
  #write(): Promise<void> | undefined {
    const { engine } = this.#session
    let room: Promise<void> | undefined
    if (++this.#sinceBreath >= BLOCK) {
      this.#sinceBreath = 0
      room = engine.pace()
      // A caller may write on without it: what went wrong is then thrown by the next call.
      room?.catch(() => undefined)
    }
    void engine.execute(this.#statement, this.#origin)
    return room
  }
}

/** A property of the object's own: a column may be named like one that every object has. */
function own(object: object, name: string): unknown {
  return Object.hasOwn(object, name) ? (object as Record<string, unknown>)[name] : undefined
}

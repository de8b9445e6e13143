import type { ReplicaId, TableId } from '../core/state.ts'
import { keyBytes, type Column, type TableSchema } from '../core/table.ts'
import { parseValue } from '../core/types.ts'
import { misfit, type Capabilities } from '../connectors/connector.ts'
import { Statement } from '../script/statement.ts'
import { nextStamp } from './context.ts'
import type { Session } from './session.ts'

export interface LoadTarget {
  readonly table: TableId
  /** At least one, each once; the first is the origin of the stamps. */
  readonly replicas: readonly ReplicaId[]
  /** Value columns that the rows bring, rising, at least one; the others stay as they are. */
  readonly columns: readonly number[]
}

/** Milliseconds after which other work is let in. */
const TURN = 8
/** Rows after which the databases get what there is. */
const FLUSH_ROWS = 50_000

/**
 * Writes rows into a table of several replicas under the same stamps, so that the replicas hold the same without a
 * merge. A row goes into all of them or none. What it did is durable as a statement's is: once `engine.durable()`, or
 * the end of the session, says so.
 */
export class Loader {
  readonly #session: Session
  readonly #target: LoadTarget
  readonly #schema: TableSchema
  readonly #fits: readonly { readonly name: string; readonly capabilities: Capabilities }[]
  readonly #mostKeyBytes: number
  readonly #statement = new Statement()
  /** Of the target's replicas, who had seen all of whose log when the load began. */
  readonly #seen: readonly { readonly into: ReplicaId; readonly from: ReplicaId }[]
  #turn: number
  #flushed = 0
  /** Rows loaded. */
  rows = 0

  constructor(session: Session, target: LoadTarget) {
    const { catalog, replicas, wall } = session.context
    this.#session = session
    this.#target = target
    this.#schema = catalog.schema(target.table)
    this.#fits = target.replicas
      .map((id) => replicas[id]!)
      .filter(({ capabilities }, i, all) => all.findIndex((other) => other.capabilities === capabilities) === i)
    this.#mostKeyBytes = Math.min(
      session.setup.limits.keyBytes,
      ...this.#fits.map(({ capabilities }) => capabilities.keyBytes),
    )
    this.#statement.op = 'set'
    this.#statement.table = target.table
    this.#seen = this.#upToDate()
    this.#turn = wall.milliseconds()
    session.engine.begin()
  }

  /**
   * Those of the target's replicas that haven't seen all that the origin wrote before: for them, later merges may count
   * conflicts over loaded rows.
   */
  get unseen(): readonly ReplicaId[] {
    const [origin, ...others] = this.#target.replicas
    return others.filter((id) => !this.#seen.some(({ into, from }) => into === id && from === origin))
  }

  /**
   * Writes one row: the texts of the key columns, then of the target's value columns; undefined for a value column that
   * the row doesn't bring. Gives the reason where it isn't one, or where a database of the target can't hold it; nothing
   * was done then.
   */
  row(texts: readonly (string | null | undefined)[]): string | undefined {
    const reason = this.#key(texts) ?? this.#cells(texts)
    if (reason === undefined) this.#write()
    return reason
  }

  /** Between blocks of rows: back-pressure, flushes, and a turn for other work. A promise where it has to wait. */
  pace(): Promise<void> | undefined {
    const wait = this.#session.engine.pace()
    const { wall } = this.#session.context
    if (wait === undefined && wall.milliseconds() - this.#turn < TURN) return undefined
    return this.#breathe(wait)
  }

  /** Ends the load: a remark in the logs. */
  end(remark: string): void {
    this.#note()
    for (const id of this.#target.replicas) this.#session.context.journal.remark(id, remark)
  }

  async #breathe(wait: Promise<void> | undefined): Promise<void> {
    await wait
    const { context } = this.#session
    if (this.rows - this.#flushed >= FLUSH_ROWS) {
      this.#flushed = this.rows
      this.#note()
      // A load is taken back by nothing: no before-image need be looked up.
      context.state.mark('commit')
      if (context.flushes) for (const id of this.#target.replicas) context.replicas[id]!.flusher.schedule()
    }
    await context.yield()
    this.#turn = context.wall.milliseconds()
  }

  #key(texts: readonly (string | null | undefined)[]): string | undefined {
    const schema = this.#schema
    const key: string[] = []
    for (let i = 0; i < schema.key.length; i++) {
      const text = texts[i]
      const column = schema.key[i]!
      if (text === undefined) return `key column ${column.name} is missing`
      if (text === null) return `key column ${column.name} can't be null`
      const parsed = parseValue(column.type, text)
      if ('reason' in parsed) return refused(column, parsed.reason)
      const reason = this.#misfit(column, parsed.text)
      if (reason !== undefined) return reason
      key.push(parsed.text)
    }
    const bytes = keyBytes(schema, key)
    if (bytes.length > this.#mostKeyBytes) {
      return `the key has ${String(bytes.length)} bytes in canonical form; at most ${String(this.#mostKeyBytes)} are allowed`
    }
    this.#statement.input.setKey(bytes)
    return undefined
  }

  #cells(texts: readonly (string | null | undefined)[]): string | undefined {
    const { input } = this.#statement
    const { columns } = this.#target
    const most = this.#session.setup.limits.valueBytes
    input.clear()
    for (let i = 0; i < columns.length; i++) {
      const number = columns[i]!
      const column = this.#schema.values[number]!
      const text = texts[this.#schema.key.length + i]
      if (text === undefined) continue
      if (text === null) {
        input.addCell(number, null)
        continue
      }
      const parsed = parseValue(column.type, text)
      if ('reason' in parsed) return refused(column, parsed.reason)
      if (parsed.text.length * 3 > most && Buffer.byteLength(parsed.text) > most) {
        return `column ${column.name}: longer than ${String(most)} bytes`
      }
      const reason = this.#misfit(column, parsed.text)
      if (reason !== undefined) return reason
      input.addCell(number, parsed.text)
    }
    return input.count === 0 ? 'no value column' : undefined
  }

  #misfit(column: Column, text: string): string | undefined {
    for (const { name, capabilities } of this.#fits) {
      const reason = misfit(capabilities, column.type, text)
      if (reason !== undefined) return `column ${column.name}: ${name} can't hold it exactly: ${reason}`
    }
    return undefined
  }

  #write(): void {
    const { context } = this.#session
    const { table, replicas } = this.#target
    const statement = this.#statement
    const stamp = nextStamp(context, replicas[0]!)
    for (const id of replicas) {
      statement.replica = id
      context.counts.statements.set++
      context.state.set(id, table, statement.input, stamp)
      context.journal.write(statement, stamp)
    }
    this.rows++
  }

  /** Pairs of replicas of which the first has seen all changes in the second's log. */
  #upToDate(): { into: ReplicaId; from: ReplicaId }[] {
    const { state, keeper } = this.#session.context
    const { replicas } = this.#target
    return replicas.flatMap((into) =>
      replicas
        .filter((from) => from !== into && !state.changed(from, keeper.seen(into, from)))
        .map((from) => ({ into, from })),
    )
  }

  /**
   * Who had seen all of another's log has seen the loaded rows in it too: later merges needn't walk them, and what is
   * written over them is no conflict.
   */
  #note(): void {
    const { state, keeper, clock, catalog } = this.#session.context
    const origin = this.#target.replicas[0]!
    const now = new Map([[catalog.replicaName(origin), clock.last]])
    for (const { into, from } of this.#seen) if (from === origin) state.raise(into, now)
    for (const { into, from } of this.#seen) {
      keeper.saw(into, from, state.records(from), state)
    }
  }
}

function refused({ name, type }: Column, reason: string): string {
  return `column ${name} (${type.name}): ${reason}`
}

import { MerganserError } from '../core/errors.ts'
import { renamedTable, renamesShape, type Renames } from '../core/renames.ts'
import type { KeyBatch, RowBatch } from '../core/batch.ts'
import type { TableSchema } from '../core/table.ts'
import type { Connector, ConnectorOptions, DiagnoseContext, KeyRange, OpenContext, RangeDigest } from './connector.ts'
import type { ReplicaStore, StoreMeta, WriteResult } from './connector.ts'

/**
 * A connector whose replicas may have an option `tables`: what tables and columns are called in their database. Batches
 * go by column number, so that a store which is given a table under other names needs no more. Errors name the table as
 * it is configured. Without the option it is the connector itself.
 */
export function renamed(inner: Connector): Connector {
  return {
    type: inner.type,
    capabilities: inner.capabilities,
    options: (raw) => {
      const { tables, ...rest } = raw
      const options = inner.options(rest)
      return tables === undefined ? options : { ...options, tables: checked(inner.type, tables) }
    },
    open: async (options, context) => {
      const renames = renamesOf(inner.type, options)
      const store = await inner.open(without(options), context)
      return renames === undefined ? store : new RenamedStore(store, renames, context)
    },
    ...(inner.absent === undefined
      ? {}
      : { absent: (options, directory) => inner.absent!(without(options), directory) }),
    ...(inner.settled === undefined ? {} : { settled: (directory) => inner.settled!(directory) }),
    ...(inner.diagnose === undefined
      ? {}
      : {
          diagnose: (options, context) => inner.diagnose!(without(options), tablesThere(inner.type, options, context)),
        }),
    ...(inner.heldAs === undefined ? {} : { heldAs: (type) => inner.heldAs!(type) }),
  }
}

/** What the option `tables` among a replica's options says, if it is there. Throws BAD_CONFIG. */
function renamesOf(type: string, options: ConnectorOptions): Renames | undefined {
  return options['tables'] === undefined ? undefined : checked(type, options['tables'])
}

function checked(type: string, tables: unknown): Renames {
  const problem = renamesShape(tables)
  if (problem === undefined) return tables as Renames
  const { message, advice } = problem
  throw new MerganserError('BAD_CONFIG', `${type}: ${message}`, advice === undefined ? {} : { advice })
}

/** The same with the tables as they are called in the database. */
function tablesThere(type: string, options: ConnectorOptions, context: DiagnoseContext): DiagnoseContext {
  const renames = renamesOf(type, options)
  if (context.tables === undefined || renames === undefined) return context
  return { ...context, tables: context.tables.map((table) => renamedTable(table, renames)) }
}

function without({ tables, ...rest }: ConnectorOptions): ConnectorOptions {
  return tables === undefined ? rest : { ...rest }
}

/** A store whose tables have other names in the database than outside of it. */
class RenamedStore implements ReplicaStore {
  readonly meta: StoreMeta | undefined
  readonly digest?: NonNullable<ReplicaStore['digest']>
  readonly splitKeys?: NonNullable<ReplicaStore['splitKeys']>
  readonly #inner: ReplicaStore
  readonly #renames: Renames
  readonly #replica: string
  /** By the table outside: stores know a table again by its object. */
  readonly #known = new WeakMap<TableSchema, TableSchema>()

  constructor(inner: ReplicaStore, renames: Renames, { replica }: OpenContext) {
    this.#inner = inner
    this.#renames = renames
    this.#replica = replica
    this.meta = inner.meta
    if (inner.digest !== undefined) this.digest = (table, ranges) => this.#digest(table, ranges)
    if (inner.splitKeys !== undefined) this.splitKeys = (table, parts) => this.#splitKeys(table, parts)
  }

  async greatestStamp(tables: readonly TableSchema[]): Promise<string> {
    return await this.#named(tables, () => this.#inner.greatestStamp(tables.map((table) => this.#there(table))))
  }

  async ensureTable(table: TableSchema): Promise<void> {
    await this.#named([table], () => this.#inner.ensureTable(this.#there(table)))
  }

  async readRows(table: TableSchema, keys: KeyBatch): Promise<RowBatch> {
    return await this.#named([table], () => this.#inner.readRows(this.#there(table), keys))
  }

  async *scanRows(
    table: TableSchema,
    afterKey?: readonly string[],
    upToKey?: readonly string[],
  ): AsyncGenerator<RowBatch, void, undefined> {
    try {
      yield* this.#inner.scanRows(this.#there(table), afterKey, upToKey)
    } catch (error) {
      throw this.#outside([table], error)
    }
  }

  async #digest(table: TableSchema, ranges: readonly KeyRange[]): Promise<readonly RangeDigest[]> {
    return await this.#named([table], () => this.#inner.digest!(this.#there(table), ranges))
  }

  async #splitKeys(table: TableSchema, parts: number): Promise<readonly (readonly string[])[]> {
    return await this.#named([table], () => this.#inner.splitKeys!(this.#there(table), parts))
  }

  async writeRows(table: TableSchema, batch: RowBatch): Promise<WriteResult> {
    return await this.#named([table], () => this.#inner.writeRows(this.#there(table), batch))
  }

  async writeMeta(meta: Omit<StoreMeta, 'logId'>): Promise<void> {
    await this.#inner.writeMeta(meta)
  }

  async close(): Promise<void> {
    await this.#inner.close()
  }

  #there(table: TableSchema): TableSchema {
    let there = this.#known.get(table)
    if (there === undefined) {
      there = renamedTable(table, this.#renames)
      this.#known.set(table, there)
    }
    return there
  }

  async #named<T>(tables: readonly TableSchema[], work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw this.#outside(tables, error)
    }
  }

  /** An error of the store, its place as the configuration names it; the name in the database is in the message. */
  #outside(tables: readonly TableSchema[], error: unknown): unknown {
    if (!(error instanceof MerganserError)) return error
    const table = tables.find((one) => this.#there(one).name === error.place.table)
    if (table === undefined || error.place.table === table.name) return error
    const there = this.#there(table).name
    const message = error.message.includes(there) ? error.message : `${error.message} (table ${there})`
    const told = new MerganserError(error.code, message, {
      place: { replica: this.#replica, ...error.place, table: table.name },
      ...(error.advice === undefined ? {} : { advice: error.advice }),
      cause: error,
    })
    if (error.stack !== undefined) told.stack = error.stack
    return told
  }
}

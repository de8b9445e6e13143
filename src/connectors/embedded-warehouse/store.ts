import type { DuckDBConnection } from '@duckdb/node-api'
import { batchOf, type KeyBatch, type RowBatch } from '../../core/batch.ts'
import { assert, MerganserError } from '../../core/errors.ts'
import type { TableSchema } from '../../core/table.ts'
import type { KeyRange, OpenContext, RangeDigest, ReplicaStore, StoreMeta, WriteResult } from '../connector.ts'
import { ScanCursor } from './cursor.ts'
import { releaseDatabase, type SharedDatabase } from './database.ts'
import { digestRanges, splitTable } from './digest.ts'
import { storeClosed, translated } from './errors.ts'
import { readMeta, takeMeta, updateMeta } from './meta.ts'
import { RowGatherer } from './reading.ts'
import { rejectedRows } from './rejecting.ts'
import { createTableAndView, hasTable } from './shape.ts'
import { fillStage } from './staging.ts'
import { foreignStatement, greatestStatement, lookupStatement, mergeStatement, STAGE } from './statements.ts'
import { quoted } from './types.ts'

/** How often a running statement is interrupted while the store closes, in milliseconds. */
const INTERRUPT_EVERY = 10

/** A connection whose statements, and the temporary table they share, take turns. */
class Turns {
  readonly connection: DuckDBConnection
  #last: Promise<unknown> = Promise.resolve()

  constructor(connection: DuckDBConnection) {
    this.connection = connection
  }

  async take<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    const turn = this.#last.then(() => work(this.connection))
    this.#last = turn.catch(() => undefined)
    return await turn
  }
}

/**
 * One open warehouse. A write is a staged batch and one MERGE, durable on return: DuckDB commits it to its write-ahead
 * log with fsync. Reads run on a connection of their own, beside a write, and see what was committed before.
 */
export class WarehouseStore implements ReplicaStore {
  readonly #context: OpenContext
  readonly #database: SharedDatabase
  readonly #writing: Turns
  readonly #reading: Turns
  readonly #cursors = new Set<ScanCursor>()
  readonly #running = new Set<Promise<unknown>>()
  /** Tables whose shape was seen to be right. */
  readonly #known = new Set<string>()
  #closed: Promise<void> | undefined
  #meta: StoreMeta | undefined

  private constructor(
    context: OpenContext,
    database: SharedDatabase,
    writing: DuckDBConnection,
    reading: DuckDBConnection,
  ) {
    this.#context = context
    this.#database = database
    this.#writing = new Turns(writing)
    this.#reading = new Turns(reading)
  }

  /** Takes over one use of the database, also where it fails. */
  static async open(database: SharedDatabase, context: OpenContext): Promise<WarehouseStore> {
    const connections = await connectTwice(database).catch(async (error: unknown) => {
      await releaseDatabase(context.directory, database, context.access === 'write')
      throw error
    })
    const store = new WarehouseStore(context, database, ...connections)
    try {
      await store.#call(() => store.#start())
    } catch (error) {
      await store.close()
      throw error
    }
    return store
  }

  async #start(): Promise<void> {
    const { access, owner, replica } = this.#context
    const { connection } = this.#writing
    this.#meta = await readMeta(connection, replica)
    if (access === 'read') return
    assert(owner !== undefined, 'a store that is opened for writing has an owner')
    await takeMeta(connection, owner, this.#meta)
  }

  get meta(): StoreMeta | undefined {
    return this.#meta
  }

  async greatestStamp(tables: readonly TableSchema[]): Promise<string> {
    return await this.#call(() =>
      this.#reading.take(async (connection) => {
        let greatest = ''
        for (const table of tables) {
          if (!(await this.#isThere(connection, table))) continue
          const stamp = String((await connection.runAndReadAll(greatestStatement(table))).getRows()[0]![0])
          if (stamp > greatest) greatest = stamp
        }
        return greatest
      }),
    )
  }

  async ensureTable(table: TableSchema): Promise<void> {
    this.#assertWritable()
    await this.#call(() =>
      this.#writing.take(async (connection) => {
        if (!(await this.#isThere(connection, table))) await createTableAndView(connection, table)
        this.#known.add(JSON.stringify(table))
      }),
    )
  }

  async readRows(table: TableSchema, keys: KeyBatch): Promise<RowBatch> {
    if (keys.rows === 0) return batchOf(table, [])
    return await this.#call(() =>
      this.#reading.take(async (connection) => {
        if (!(await this.#isThere(connection, table))) return batchOf(table, [])
        await fillStage(connection, STAGE, table, keys)
        const result = await connection.run(lookupStatement(STAGE, table))
        const gatherer = new RowGatherer(table)
        for await (const chunk of result) gatherer.add(chunk, 0)
        await connection.run(`DROP TABLE temp.${quoted(STAGE)}`)
        return gatherer.take()
      }),
    )
  }

  async digest(table: TableSchema, ranges: readonly KeyRange[]): Promise<readonly RangeDigest[]> {
    return await this.#call(() =>
      this.#reading.take(async (connection) => {
        if (!(await this.#isThere(connection, table))) return ranges.map(() => ({ rows: 0, sums: [0n, 0n] }) as const)
        return await digestRanges(connection, table, ranges)
      }),
    )
  }

  async splitKeys(table: TableSchema, parts: number): Promise<readonly (readonly string[])[]> {
    return await this.#call(() =>
      this.#reading.take(async (connection) => {
        return (await this.#isThere(connection, table)) ? await splitTable(connection, table, parts) : []
      }),
    )
  }

  async *scanRows(
    table: TableSchema,
    afterKey?: readonly string[],
    upToKey?: readonly string[],
  ): AsyncIterable<RowBatch> {
    const range = {
      ...(afterKey === undefined ? {} : { after: afterKey }),
      ...(upToKey === undefined ? {} : { upTo: upToKey }),
    }
    const cursor = await this.#call(() => this.#cursor(table, range))
    if (cursor === undefined) return
    try {
      for (;;) {
        const batch = await this.#call(() => cursor.next())
        if (batch === undefined) return
        yield batch
      }
    } finally {
      if (this.#cursors.delete(cursor)) await cursor.dispose()
    }
  }

  async #cursor(table: TableSchema, range: KeyRange): Promise<ScanCursor | undefined> {
    if (!(await this.#reading.take((connection) => this.#isThere(connection, table)))) return undefined
    const cursor = new ScanCursor(await this.#database.connect(), table)
    this.#cursors.add(cursor)
    try {
      await cursor.start(range)
      return cursor
    } catch (error) {
      // Where the store is closing, it disposes of its cursors itself.
      if (this.#closed === undefined && this.#cursors.delete(cursor)) await cursor.dispose()
      throw error
    }
  }

  async writeRows(table: TableSchema, batch: RowBatch): Promise<WriteResult> {
    this.#assertWritable()
    const rejected = rejectedRows(table, batch)
    const rows = batch.rows - rejected.length
    return await this.#call(() =>
      this.#writing.take(async (connection) => {
        if (!(await this.#isThere(connection, table))) throw noTable(table)
        if (rows === 0) return { written: 0, stale: 0, rejected, foreign: [] }
        await fillStage(connection, STAGE, table, batch, new Set(rejected.map(({ row }) => row)))
        const written = (await connection.run(mergeStatement(STAGE, table))).rowsChanged
        const foreign = mayBeForeign(table, batch, rows - written) ? await this.#foreign(connection, table) : []
        await connection.run(`DROP TABLE temp.${quoted(STAGE)}`)
        return { written, stale: rows - written, rejected, foreign }
      }),
    )
  }

  /** After the MERGE as before it: it changes no register whose stamp is the incoming one's. */
  async #foreign(connection: DuckDBConnection, table: TableSchema): Promise<WriteResult['foreign']> {
    const found = await connection.runAndReadAll(foreignStatement(STAGE, table))
    return found
      .getRows()
      .flatMap(([row, ...flags]) =>
        flags.flatMap((flag, column) => (flag === true ? [{ row: Number(row), column }] : [])),
      )
  }

  async writeMeta(meta: Omit<StoreMeta, 'logId'>): Promise<void> {
    this.#assertWritable()
    await this.#call(() => this.#writing.take((connection) => updateMeta(connection, meta)))
  }

  async close(): Promise<void> {
    this.#closed ??= this.#end()
    await this.#closed
  }

  async #end(): Promise<void> {
    const connections = [this.#writing.connection, this.#reading.connection]
    while (this.#running.size > 0) {
      // A statement that begins after an interrupt doesn't see it: hence again and again.
      for (const connection of connections) connection.interrupt()
      for (const cursor of this.#cursors) cursor.interrupt()
      let timer
      const pause = new Promise((resolve) => {
        timer = setTimeout(resolve, INTERRUPT_EVERY)
      })
      await Promise.race([Promise.allSettled(this.#running), pause])
      clearTimeout(timer)
    }
    for (const cursor of this.#cursors) await cursor.dispose()
    this.#cursors.clear()
    for (const connection of connections) connection.disconnectSync()
    await releaseDatabase(this.#context.directory, this.#database, this.#context.access === 'write')
  }

  async #isThere(connection: DuckDBConnection, table: TableSchema): Promise<boolean> {
    // A schema that comes from another thread is a new object each time.
    const shape = JSON.stringify(table)
    if (this.#known.has(shape)) return true
    const there = await hasTable(connection, table)
    if (there) this.#known.add(shape)
    return there
  }

  /** One call from outside: refused or failed with STORE_CLOSED once the store closes. */
  async #call<T>(work: () => Promise<T>): Promise<T> {
    const { replica } = this.#context
    if (this.#closed !== undefined) throw storeClosed(replica)
    const running = work()
    this.#running.add(running)
    try {
      return await running
    } catch (error) {
      throw this.#isClosed() ? storeClosed(replica) : translated(error, replica)
    } finally {
      this.#running.delete(running)
    }
  }

  #isClosed(): boolean {
    return this.#closed !== undefined
  }

  #assertWritable(): void {
    assert(this.#context.access === 'write', 'a store that is opened for reading is not written')
  }
}

async function connectTwice(database: SharedDatabase): Promise<[DuckDBConnection, DuckDBConnection]> {
  const first = await database.connect()
  try {
    return [first, await database.connect()]
  } catch (error) {
    first.disconnectSync()
    throw error
  }
}

/** One column whose every row changed had only newer stamps; any other batch is looked at. */
function mayBeForeign(table: TableSchema, batch: RowBatch, stale: number): boolean {
  return (
    stale > 0 || table.values.length > 1 || batch.deleted.nulls === undefined || !batch.deleted.nulls.every(Boolean)
  )
}

function noTable(table: TableSchema): MerganserError {
  return new MerganserError('SCHEMA_MISMATCH', `there is no table ${table.name} in the warehouse`, {
    place: { table: table.name },
  })
}

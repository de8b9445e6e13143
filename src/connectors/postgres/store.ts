import { setTimeout as sleep } from 'node:timers/promises'
import { MerganserError } from '../../core/errors.ts'
import { faultOf, sqlState } from './faults.ts'
import { layoutOf } from './layout.ts'
import { readMeta, saveMeta, takeOwnership } from './meta.ts'
import { readKeys, scanTable } from './read.ts'
import { Session, type SessionConfig } from './session.ts'
import { ensureShape } from './shape.ts'
import { statementsOf, type TableStatements } from './statements.ts'
import { writeBatch } from './write.ts'
import type { KeyBatch, RowBatch } from '../../core/batch.ts'
import type { TableSchema } from '../../core/table.ts'
import type { Capabilities, OpenContext, ReplicaStore, StoreMeta, WriteResult } from '../connector.ts'

/** How long `open` waits for the lock of a session that is ending. */
const LOCK_MILLISECONDS = 5000

/**
 * One replica in a PostgreSQL database. Writes go over the connection that holds the owner's lock, reads over another
 * one, so that they wait for no flush; a scan has its own. When one of the first two is lost, so is the store.
 */
export class PostgresStore implements ReplicaStore {
  readonly meta: StoreMeta | undefined
  readonly #config: SessionConfig
  readonly #capabilities: Capabilities
  /** Undefined where it was opened for reading. */
  readonly #writer: Session | undefined
  #reader: Promise<Session>
  readonly #scans = new Set<Session>()
  readonly #release: () => Promise<void>
  readonly #statements = new Map<string, TableStatements>()
  #closing: Promise<void> | undefined

  private constructor(
    config: SessionConfig,
    capabilities: Capabilities,
    sessions: { writer: Session | undefined; reader: Promise<Session>; meta: StoreMeta | undefined },
    release: () => Promise<void>,
  ) {
    this.#config = config
    this.#capabilities = capabilities
    this.#writer = sessions.writer
    this.#reader = sessions.reader
    this.meta = sessions.meta
    this.#release = release
  }

  /**
   * Connects and, for writing, takes the owner's lock. Throws DATABASE_LOCKED, CONNECTION_LOST, DATABASE_REFUSED.
   * @param release called once, after the connections were closed
   */
  static async open(
    config: SessionConfig,
    capabilities: Capabilities,
    context: OpenContext,
    release: () => Promise<void>,
  ): Promise<PostgresStore> {
    const session = await Session.connect(config)
    try {
      if (context.access === 'read') {
        const meta = await readMeta(session)
        return new PostgresStore(
          config,
          capabilities,
          { writer: undefined, reader: Promise.resolve(session), meta },
          release,
        )
      }
      if (context.owner === undefined) throw new MerganserError('BUG', 'a store is opened for writing without an owner')
      const meta = await takeOwnership(session, context.owner, {
        replica: context.replica,
        signal: context.signal,
        progress: context.progress,
        lockMilliseconds: LOCK_MILLISECONDS,
        sleep,
      })
      const reader = Session.connect(config)
      // Whoever reads first meets the error; until then it isn't an unhandled one.
      reader.catch(() => undefined)
      return new PostgresStore(config, capabilities, { writer: session, reader, meta }, release)
    } catch (error) {
      await session.close()
      throw faultOf(error, context.replica)
    }
  }

  async greatestStamp(tables: readonly TableSchema[]): Promise<string> {
    return await this.#reading(async (session) => {
      let greatest = ''
      for (const table of tables) {
        try {
          const stamp = (await session.query(this.#of(table).greatestStamp)).rows[0]?.[0] ?? ''
          if (stamp > greatest) greatest = stamp
        } catch (error) {
          if (sqlState(error) !== '42P01') throw error
        }
      }
      return greatest
    })
  }

  async ensureTable(table: TableSchema): Promise<void> {
    await this.#writing(async (session) => {
      await ensureShape(session, table)
    })
  }

  async readRows(table: TableSchema, keys: KeyBatch): Promise<RowBatch> {
    return await this.#reading((session) => readKeys(session, this.#of(table), table, this.#capabilities, keys))
  }

  async *scanRows(table: TableSchema, afterKey?: readonly string[]): AsyncGenerator<RowBatch> {
    this.#checkOpen()
    let session: Session | undefined
    try {
      session = await Session.connect(this.#config)
      this.#scans.add(session)
      this.#checkOpen()
      yield* scanTable(session, this.#of(table), table, afterKey)
    } catch (error) {
      throw this.#fault(error)
    } finally {
      if (session !== undefined) {
        this.#scans.delete(session)
        session.destroy()
      }
    }
  }

  async writeRows(table: TableSchema, batch: RowBatch): Promise<WriteResult> {
    return await this.#writing((session) => writeBatch(session, this.#of(table), table, this.#capabilities, batch))
  }

  async writeMeta(meta: Omit<StoreMeta, 'logId'>): Promise<void> {
    await this.#writing((session) => saveMeta(session, meta))
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    for (const scan of this.#scans) scan.destroy()
    const reader = await this.#reader.catch(() => undefined)
    await Promise.all([reader?.close(), this.#writer?.close()])
    await this.#release()
  }

  #of(table: TableSchema): TableStatements {
    const shape = JSON.stringify(table)
    let statements = this.#statements.get(shape)
    if (statements === undefined) {
      statements = statementsOf(layoutOf(table), `merganser_incoming_${String(this.#statements.size)}`)
      this.#statements.set(shape, statements)
    }
    return statements
  }

  async #writing<T>(work: (session: Session) => Promise<T>): Promise<T> {
    this.#checkOpen()
    const writer = this.#writer
    if (writer === undefined) throw new MerganserError('BUG', 'a store that was opened for reading is written to')
    return await this.#using(writer, work)
  }

  async #reading<T>(work: (session: Session) => Promise<T>): Promise<T> {
    this.#checkOpen()
    // Without its lock the store must not answer either: someone else may own the database by now.
    if (this.#writer?.lost === true) await this.#using(this.#writer, (session) => session.query('SELECT 1'))
    try {
      return await this.#using(await this.#reader, work)
    } catch (error) {
      throw this.#fault(error)
    }
  }

  async #using<T>(session: Session, work: (session: Session) => Promise<T>): Promise<T> {
    try {
      return await session.exclusively(() => work(session))
    } catch (error) {
      throw this.#fault(error)
    }
  }

  #fault(error: unknown): MerganserError {
    if (this.#closing !== undefined) return this.#closed(error)
    return faultOf(error, this.#config.replica)
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw this.#closed(undefined)
  }

  #closed(cause: unknown): MerganserError {
    return new MerganserError('STORE_CLOSED', `the database of ${this.#config.replica} was closed`, {
      place: { replica: this.#config.replica },
      cause,
    })
  }
}

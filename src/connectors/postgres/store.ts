import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { MerganserError } from '../../core/errors.ts'
import { faultOf, sqlState } from './faults.ts'
import { layoutOf } from './layout.ts'
import { digestRanges, splitTable } from './digest.ts'
import { fence, joinSession, readMeta, saveMeta, takeOwnership } from './meta.ts'
import { readKeys, scanTable } from './read.ts'
import { Session, type SessionConfig } from './session.ts'
import { ensureShape } from './shape.ts'
import { statementsOf, type TableStatements } from './statements.ts'
import { writeBatch } from './write.ts'
import type { KeyBatch, RowBatch } from '../../core/batch.ts'
import type { TableSchema } from '../../core/table.ts'
import type {
  Capabilities,
  KeyRange,
  OpenContext,
  RangeDigest,
  ReplicaStore,
  StoreMeta,
  WriteResult,
} from '../connector.ts'

/** How long `open` waits for the lock of a session that is ending. */
const LOCK_MILLISECONDS = 5000
/** Rows of a batch for each connection: below, the round trips of a further one cost more than it saves. */
const ROWS_PER_CONNECTION = 5000

export interface StoreOptions {
  /** Connections that a large write may use; 1 where it isn't given. */
  readonly connections?: number
  /** Called once, after the connections were closed. */
  readonly release: () => Promise<void>
}

/** What `open` found and took. */
interface Sessions {
  /** Undefined where it was opened for reading. */
  readonly writer: Session | undefined
  readonly reader: Promise<Session>
  readonly meta: StoreMeta | undefined
  readonly token: string
  /** Of the session that opens it, as in `Owner`. */
  readonly name?: string | undefined
}

/**
 * One replica in a PostgreSQL database. Writes go over the connection that holds the owner's lock, and large ones over
 * further ones beside it; reads over another, so that they wait for no flush; a scan or digest has its own. When one of
 * those that stay is lost, so is the store.
 */
export class PostgresStore implements ReplicaStore {
  readonly meta: StoreMeta | undefined
  readonly #config: SessionConfig
  readonly #capabilities: Capabilities
  /** Undefined where it was opened for reading. */
  readonly #writer: Session | undefined
  #reader: Promise<Session>
  /** Further connections for writes, opened when first needed. */
  readonly #helpers: Session[] = []
  #mostHelpers: number
  /** What in the database says that it is this store that owns it. */
  readonly #token: string
  /** Of the session that opened it, as in `Owner`. */
  readonly #sessionName: string | undefined
  readonly #scans = new Set<Session>()
  readonly #release: () => Promise<void>
  readonly #statements = new Map<string, TableStatements>()
  #closing: Promise<void> | undefined

  private constructor(config: SessionConfig, capabilities: Capabilities, sessions: Sessions, options: StoreOptions) {
    this.#config = config
    this.#capabilities = capabilities
    this.#writer = sessions.writer
    this.#reader = sessions.reader
    this.meta = sessions.meta
    this.#token = sessions.token
    this.#sessionName = sessions.name
    this.#mostHelpers = (options.connections ?? 1) - 1
    this.#release = options.release
  }

  /**
   * Goes on with a connection and, for writing, takes the owner's lock on it. Throws DATABASE_LOCKED, CONNECTION_LOST,
   * DATABASE_REFUSED; then the connection is closed.
   */
  static async open(
    session: Session,
    capabilities: Capabilities,
    context: OpenContext,
    options: StoreOptions,
  ): Promise<PostgresStore> {
    const { config } = session
    try {
      if (context.access === 'read') {
        const meta = await readMeta(session)
        const reader = Promise.resolve(session)
        return new PostgresStore(config, capabilities, { writer: undefined, reader, meta, token: '' }, options)
      }
      if (context.owner === undefined) throw new MerganserError('BUG', 'a store is opened for writing without an owner')
      const token = randomUUID()
      const meta = await takeOwnership(session, context.owner, token, {
        replica: context.replica,
        signal: context.signal,
        progress: context.progress,
        lockMilliseconds: LOCK_MILLISECONDS,
        sleep,
      })
      const reader = Session.connect(config)
      // Whoever reads first meets the error; until then it isn't an unhandled one.
      reader.catch(() => undefined)
      const sessions = { writer: session, reader, meta, token, name: context.owner.session }
      return new PostgresStore(config, capabilities, sessions, options)
    } catch (error) {
      await session.close()
      context.signal?.throwIfAborted()
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
      await ensureShape(session, this.#of(table).layout)
    })
  }

  async readRows(table: TableSchema, keys: KeyBatch): Promise<RowBatch> {
    return await this.#reading((session) => readKeys(session, this.#of(table), table, this.#capabilities, keys))
  }

  async *scanRows(
    table: TableSchema,
    afterKey?: readonly string[],
    upToKey?: readonly string[],
  ): AsyncGenerator<RowBatch> {
    const session = await this.#aside()
    try {
      yield* scanTable(session, this.#of(table), table, afterKey, upToKey)
    } catch (error) {
      throw this.#fault(error)
    } finally {
      this.#scans.delete(session)
      session.destroy()
    }
  }

  async digest(table: TableSchema, ranges: readonly KeyRange[]): Promise<readonly RangeDigest[]> {
    return await this.#asideDo((session) => digestRanges(session, this.#of(table).layout, ranges))
  }

  async splitKeys(table: TableSchema, parts: number): Promise<readonly (readonly string[])[]> {
    return await this.#asideDo((session) => splitTable(session, this.#of(table).layout, parts))
  }

  async writeRows(table: TableSchema, batch: RowBatch): Promise<WriteResult> {
    return await this.#writing(async (session) => {
      const sessions = [session, ...(await this.#helpersFor(batch.rows))]
      const writers = { sessions, fence: (one: Session) => fence(one, this.#token) }
      return await writeBatch(writers, this.#of(table), table, this.#capabilities, batch)
    })
  }

  async writeMeta(meta: Omit<StoreMeta, 'logId'>): Promise<void> {
    await this.#writing((session) => saveMeta(session, this.#token, meta))
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    for (const scan of this.#scans) scan.destroy()
    const reader = await this.#reader.catch(() => undefined)
    // The lock's connection last: until the others are gone, nobody else may think that nothing is written any more.
    if (this.#writer?.busy === true) for (const helper of this.#helpers) helper.destroy()
    await Promise.all([reader?.close(), ...this.#helpers.map((helper) => helper.close())])
    await this.#writer?.close()
    await this.#release()
  }

  /** The connections beside the first that are worth it for so many rows. */
  async #helpersFor(rows: number): Promise<readonly Session[]> {
    const wanted = Math.min(this.#mostHelpers, Math.floor(rows / ROWS_PER_CONNECTION) - 1)
    while (this.#helpers.length < wanted) {
      try {
        const helper = await Session.connect(this.#config)
        if (this.#closing !== undefined) helper.destroy()
        this.#checkOpen()
        this.#helpers.push(helper)
        if (this.#sessionName !== undefined) await joinSession(helper, this.#sessionName)
      } catch (error) {
        if (!(error instanceof MerganserError) || error.code !== 'BACK_OFF') throw error
        // The server has no connection to spare: it goes without.
        this.#mostHelpers = this.#helpers.length
        break
      }
    }
    return this.#helpers.slice(0, Math.max(0, wanted))
  }

  /** A connection for one long thing; `close` cuts it. */
  async #aside(): Promise<Session> {
    this.#checkOpen()
    try {
      const session = await Session.connect(this.#config)
      if (this.#closing !== undefined) session.destroy()
      this.#checkOpen()
      this.#scans.add(session)
      return session
    } catch (error) {
      throw this.#fault(error)
    }
  }

  async #asideDo<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.#aside()
    try {
      return await work(session)
    } catch (error) {
      throw this.#fault(error)
    } finally {
      this.#scans.delete(session)
      session.destroy()
    }
  }

  #of(table: TableSchema): TableStatements {
    const shape = JSON.stringify(table)
    let statements = this.#statements.get(shape)
    if (statements === undefined) {
      statements = statementsOf(
        layoutOf(table, this.#config.schema),
        `merganser_incoming_${String(this.#statements.size)}`,
      )
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

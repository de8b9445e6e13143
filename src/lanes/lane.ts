import type { KeyBatch, RowBatch } from '../core/batch.ts'
import { MerganserError } from '../core/errors.ts'
import type { TableSchema } from '../core/table.ts'
import type { StoreMeta, WriteResult } from '../connectors/connector.ts'
import type { Random, Timers, WallClock } from '../environment/environment.ts'
import type { RemoteStore, StorePool } from './pool.ts'
import type { OpenRequest } from './protocol.ts'

/** What a lane tells while it works. */
export interface LaneEvents {
  /** The database was opened, the first time or again; what it knew about its log. Before anything else is done. */
  opened(meta: StoreMeta | undefined, store: RemoteStore): Promise<void>
  /** Something takes time: a lock that is waited for, a database that is away. */
  progress(message: string): void
}

export interface LaneOptions {
  readonly pool: StorePool
  readonly open: OpenRequest
  readonly tables: readonly TableSchema[]
  /** How long a database may stay away before its lane gives up. */
  readonly retrySeconds: number
  readonly environment: { readonly clock: WallClock; readonly timers: Timers; readonly random: Random }
  readonly events: LaneEvents
}

const FIRST_DELAY = 50
const LONGEST_DELAY = 5_000
/** A server that stops writes its checkpoint first. */
const CLOSE_LIMIT = 60_000

/** Errors after which the same call may be tried again on a new connection: every call is idempotent. */
export const RETRIED: ReadonlySet<string> = new Set([
  'CONNECTION_LOST',
  'BACK_OFF',
  'TIME_LIMIT',
  'DATABASE_UNREACHABLE',
])

/**
 * The way to one replica's database: opened when first needed, one at a time; reads go at once, a write waits for the
 * reads that were asked before it. A lost connection is opened anew, with growing pauses, until the time is up.
 */
export class Lane {
  readonly #options: LaneOptions
  readonly #abort = new AbortController()
  #store: Promise<RemoteStore> | undefined
  /** Failed stores that are still closing: the next one waits, since they may hold the owner's lock. */
  #closing: Promise<unknown> = Promise.resolve()
  #reads = new Set<Promise<unknown>>()
  #writes: Promise<unknown> = Promise.resolve()
  #closed = false
  /** Calls that had to be repeated. */
  retries = 0

  constructor(options: LaneOptions) {
    this.#options = options
  }

  get replica(): string {
    return this.#options.open.replica
  }

  /** Whether the database was opened. */
  get used(): boolean {
    return this.#store !== undefined
  }

  /** Opens the database where that wasn't done yet. */
  async open(): Promise<void> {
    await this.#attempt(() => Promise.resolve())
  }

  readRows(table: TableSchema, keys: KeyBatch): Promise<RowBatch> {
    const read = this.#attempt((store) => store.readRows(table, keys))
    const settled = read.then(
      () => undefined,
      () => undefined,
    )
    this.#reads.add(settled)
    void settled.then(() => this.#reads.delete(settled))
    return read
  }

  /** Durable on return. Writes of one lane never overtake each other. */
  writeRows(table: TableSchema, batch: RowBatch): Promise<WriteResult> {
    const before = Promise.all([...this.#reads, this.#writes])
    const write = before.then(() => this.#attempt((store) => store.writeRows(table, batch)))
    this.#writes = write.catch(() => undefined)
    return write
  }

  /** Records in the database how far the log is in it, where it is open. */
  async writeMeta(meta: Omit<StoreMeta, 'logId'>): Promise<void> {
    if (this.#store === undefined) return
    await this.#writes
    const store = await this.#store
    await store.writeMeta(meta)
  }

  async *scanRows(table: TableSchema, afterKey?: readonly string[]): AsyncGenerator<RowBatch> {
    const store = await this.#opened()
    yield* store.scanRows(table, afterKey)
  }

  /** Gives up waiting: what is being retried fails. */
  abort(): void {
    this.#abort.abort(new MerganserError('INTERRUPTED', 'interrupted', { place: { replica: this.replica } }))
  }

  /** Closes the database in order; the lock is free on return. Idempotent. */
  async close(): Promise<void> {
    this.abort()
    this.#closed = true
    const store = this.#store
    this.#store = undefined
    const closed = Promise.all([this.#closing, store?.catch(() => undefined).then((opened) => opened?.close())])
    await new Promise((resolve, reject) => {
      const stop = this.#options.environment.timers.after(CLOSE_LIMIT, () => {
        const place = { replica: this.replica }
        reject(new MerganserError('TIME_LIMIT', 'the database could not be closed in time', { place }))
      })
      closed.finally(stop).then(resolve, reject)
    })
  }

  #opened(): Promise<RemoteStore> {
    if (this.#closed) {
      const message = `the database of ${this.replica} is closed`
      return Promise.reject(new MerganserError('STORE_CLOSED', message, { place: { replica: this.replica } }))
    }
    if (this.#store === undefined) {
      const opening = this.#open()
      this.#store = opening
      opening.catch(() => {
        if (this.#store === opening) this.#store = undefined
      })
    }
    return this.#store
  }

  async #open(): Promise<RemoteStore> {
    const { pool, open, tables, events } = this.#options
    await this.#closing
    const store = await pool.open(open, (message) => {
      events.progress(message)
    })
    try {
      if (open.access === 'write') for (const table of tables) await store.ensureTable(table)
      await events.opened(store.meta, store)
      return store
    } catch (error) {
      await store.close().catch(() => undefined)
      throw error
    }
  }

  async #attempt<T>(call: (store: RemoteStore) => Promise<T>): Promise<T> {
    const { clock, timers, random } = this.#options.environment
    let delay = FIRST_DELAY
    let since: number | undefined
    for (;;) {
      let store: RemoteStore | undefined
      try {
        store = await this.#opened()
        return await call(store)
      } catch (error) {
        if (this.#abort.signal.aborted || !(error instanceof MerganserError)) throw error
        // A call beside this one lost the connection, and closed the store under it.
        const dropped = error.code === 'STORE_CLOSED' && store !== undefined && !this.#closed
        if (!dropped && !RETRIED.has(error.code)) throw error
        if (store !== undefined) this.#drop(store)
        since ??= clock.milliseconds()
        const away = clock.milliseconds() - since
        if (away >= this.#options.retrySeconds * 1000) throw this.#unreachable(error)
        this.retries++
        const pause = delay * (0.5 + random.fraction() / 2)
        if (!dropped) this.#options.events.progress(`${error.message}; trying again`)
        await timers.sleep(pause, this.#abort.signal)
        delay = Math.min(delay * 2, LONGEST_DELAY)
      }
    }
  }

  /** A connection that failed is never used again. */
  #drop(store: RemoteStore): void {
    const current = this.#store
    if (current === undefined) return
    void current.then(
      (opened) => {
        if (opened === store && this.#store === current) this.#store = undefined
      },
      () => undefined,
    )
    this.#closing = Promise.all([this.#closing, store.close().catch(() => undefined)])
  }

  #unreachable(error: MerganserError): MerganserError {
    return new MerganserError(
      'DATABASE_UNREACHABLE',
      `the database of ${this.replica} stayed away for ${String(this.#options.retrySeconds)} s: ${error.message}`,
      {
        place: error.place,
        advice: `what was written is in its oplog; the next run or \`merganser sync\` brings it there${error.advice === undefined ? '' : ` (${error.advice})`}`,
        cause: error,
      },
    )
  }
}

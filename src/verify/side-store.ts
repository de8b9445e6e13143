import { keyAt, type KeyBatch, type RowBatch } from '../core/batch.ts'
import { MerganserError } from '../core/errors.ts'
import type { TableSchema } from '../core/table.ts'
import type { Environment } from '../environment/environment.ts'
import { databaseDirectory } from '../engine/opening.ts'
import type { ReplicaSetup } from '../engine/setup.ts'
import { RETRIED } from '../lanes/lane.ts'
import type { RemoteStore, StorePool } from '../lanes/pool.ts'
import type { KeyRange, RangeDigest } from '../connectors/connector.ts'
import type { Side } from './difference.ts'

const FIRST_DELAY = 50
const LONGEST_DELAY = 5_000

interface SideStoreOptions {
  readonly environment: Pick<Environment, 'clock' | 'timers' | 'random'>
  readonly pool: StorePool
  readonly replica: ReplicaSetup
  readonly stateDirectory: string
  /** How long a database may stay away, once it was open. */
  readonly retrySeconds: number
  readonly message: (text: string) => void
  readonly signal: AbortSignal | undefined
}

/**
 * A replica's database, opened for reading in a thread of the pool. A connection that is lost is opened anew, with
 * growing pauses, and a scan goes on behind the last row that it gave.
 */
export class SideStore implements Required<Side['store']> {
  readonly #options: SideStoreOptions
  #store: Promise<RemoteStore> | undefined
  #closed = false

  private constructor(options: SideStoreOptions) {
    this.#options = options
  }

  /** Throws as `Connector.open` does: nothing is tried twice here. */
  static async open(options: SideStoreOptions): Promise<SideStore> {
    const side = new SideStore(options)
    await side.#opened()
    return side
  }

  readRows(table: TableSchema, keys: KeyBatch): Promise<RowBatch> {
    return this.#attempt((store) => store.readRows(table, keys))
  }

  digest(table: TableSchema, ranges: readonly KeyRange[]): Promise<readonly RangeDigest[]> {
    return this.#attempt((store) => store.digest(table, ranges))
  }

  splitKeys(table: TableSchema, parts: number): Promise<readonly (readonly string[])[]> {
    return this.#attempt((store) => store.splitKeys(table, parts))
  }

  async *scanRows(
    table: TableSchema,
    afterKey?: readonly string[],
    upToKey?: readonly string[],
  ): AsyncGenerator<RowBatch, void, undefined> {
    let after = afterKey
    let patience = new Patience(this.#options)
    for (;;) {
      let store: RemoteStore | undefined
      try {
        store = await this.#opened()
        for await (const batch of store.scanRows(table, after, upToKey)) {
          if (batch.rows === 0) continue
          // Before the reader releases it.
          after = keyAt(batch, batch.rows - 1)
          patience = new Patience(this.#options)
          yield batch
        }
        return
      } catch (error) {
        await this.#again(error, store, patience)
      }
    }
  }

  /** What is still being read fails. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#drop(await this.#store?.catch(() => undefined))
  }

  async #attempt<T>(call: (store: RemoteStore) => Promise<T>): Promise<T> {
    const patience = new Patience(this.#options)
    for (;;) {
      let store: RemoteStore | undefined
      try {
        store = await this.#opened()
        return await call(store)
      } catch (error) {
        await this.#again(error, store, patience)
      }
    }
  }

  /** Waits until it is worth trying again; throws the error where it isn't, or where time is up. */
  async #again(error: unknown, store: RemoteStore | undefined, patience: Patience): Promise<void> {
    const { replica, message, signal } = this.#options
    if (this.#closed || signal?.aborted === true || !(error instanceof MerganserError)) throw error
    // Another call met the same lost connection first, and closed the store.
    const dropped = error.code === 'STORE_CLOSED' && store !== undefined && (await this.#store) !== store
    if (!dropped && !RETRIED.has(error.code)) throw error
    await this.#drop(store)
    if (!patience.left) throw error
    if (!dropped) message(`${replica.name}: ${error.message}; trying again`)
    await patience.pause()
  }

  #opened(): Promise<RemoteStore> {
    if (this.#store !== undefined) return this.#store
    const { pool, replica, stateDirectory, message } = this.#options
    const { name, connector, options } = replica
    const directory = databaseDirectory(stateDirectory, name)
    const request = { type: connector.type, options, access: 'read', directory, replica: name } as const
    const opening = pool.open(request, (text) => {
      message(`${name}: ${text}`)
    })
    this.#store = opening
    opening.catch(() => {
      if (this.#store === opening) this.#store = undefined
    })
    return opening
  }

  /** A connection that failed is never used again. */
  async #drop(store: RemoteStore | undefined): Promise<void> {
    if (store === undefined) return
    if ((await this.#store?.catch(() => undefined)) === store) this.#store = undefined
    await store.close().catch(() => undefined)
  }
}

/** How long a database that is away is still waited for. */
class Patience {
  readonly #options: SideStoreOptions
  #since: number | undefined
  #delay = FIRST_DELAY

  constructor(options: SideStoreOptions) {
    this.#options = options
  }

  get left(): boolean {
    const { environment, retrySeconds } = this.#options
    const now = environment.clock.milliseconds()
    this.#since ??= now
    return now - this.#since < retrySeconds * 1000
  }

  async pause(): Promise<void> {
    const { environment, signal } = this.#options
    await environment.timers.sleep(this.#delay * (0.5 + environment.random.fraction() / 2), signal)
    this.#delay = Math.min(this.#delay * 2, LONGEST_DELAY)
  }
}

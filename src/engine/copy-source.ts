import { keyAt, type RowBatch } from '../core/batch.ts'
import { batchBytes, concatBatches } from '../core/concat.ts'
import { MerganserError } from '../core/errors.ts'
import type { TableSchema } from '../core/table.ts'
import type { BatchBounds } from '../connectors/connector.ts'
import { RETRIED } from '../lanes/lane.ts'
import { StorePool, type RemoteStore } from '../lanes/pool.ts'
import { databaseDirectory } from './opening.ts'
import type { EngineSetup, ReplicaSetup } from './setup.ts'

const FIRST_DELAY = 50
const LONGEST_DELAY = 5_000

/**
 * A replica's database, opened for reading in a thread of its own: neither its lock nor its log is touched. A lost
 * connection is opened anew and the scan goes on where it was, until the database stayed away for `retrySeconds`.
 */
export class CopySource {
  readonly #setup: EngineSetup
  readonly #replica: ReplicaSetup
  readonly #signal: AbortSignal
  readonly #bounds: BatchBounds
  readonly #pool: StorePool
  #store: RemoteStore | undefined
  #closed = false

  /** @param bounds of one batch, about; two of them are in memory */
  constructor(setup: EngineSetup, replica: ReplicaSetup, signal: AbortSignal, bounds: BatchBounds) {
    this.#setup = setup
    this.#replica = replica
    this.#signal = signal
    this.#bounds = bounds
    this.#pool = new StorePool(setup.environment.threads, 1)
  }

  /** The rows behind a key, tombstones included, in key order, in batches that are worth writing. */
  async *batches(table: TableSchema, after: readonly string[] | undefined): AsyncGenerator<RowBatch, void, undefined> {
    let gathered: RowBatch[] = []
    let rows = 0
    let bytes = 0
    for await (const batch of this.#scan(table, after)) {
      gathered.push(batch)
      rows += batch.rows
      bytes += batchBytes(batch)
      if (rows < this.#bounds.rows && bytes < this.#bounds.bytes) continue
      yield concatBatches(gathered)
      gathered = []
      rows = bytes = 0
    }
    if (rows > 0) yield concatBatches(gathered)
  }

  /** What is still being read fails. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#drop()
    await this.#pool.close()
  }

  async *#scan(table: TableSchema, from: readonly string[] | undefined): AsyncGenerator<RowBatch, void, undefined> {
    const { clock, timers, random } = this.#setup.environment
    let after = from
    let since: number | undefined
    let delay = FIRST_DELAY
    for (;;) {
      try {
        const store = await this.#opened()
        for await (const batch of store.scanRows(table, after)) {
          if (batch.rows === 0) continue
          after = keyAt(batch, batch.rows - 1)
          since = undefined
          delay = FIRST_DELAY
          yield batch
        }
        return
      } catch (error) {
        if (this.#closed || this.#signal.aborted || !(error instanceof MerganserError) || !RETRIED.has(error.code))
          throw error
        await this.#drop()
        since ??= clock.milliseconds()
        if (clock.milliseconds() - since >= this.#setup.retrySeconds * 1000) throw error
        this.#setup.events.message(`${this.#replica.name}: ${error.message}; trying again`)
        await timers.sleep(delay * (0.5 + random.fraction() / 2), this.#signal)
        if (this.#closed) return
        delay = Math.min(delay * 2, LONGEST_DELAY)
      }
    }
  }

  async #opened(): Promise<RemoteStore> {
    const { name, connector, options } = this.#replica
    const directory = databaseDirectory(this.#setup.stateDirectory, name)
    return (this.#store ??= await this.#pool.open(
      { type: connector.type, options, access: 'read', directory, replica: name },
      (message) => {
        this.#setup.events.message(`${name}: ${message}`)
      },
    ))
  }

  /** A connection that failed is never used again. */
  async #drop(): Promise<void> {
    const store = this.#store
    this.#store = undefined
    await store?.close().catch(() => undefined)
  }
}

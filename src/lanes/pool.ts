import type { KeyBatch, RowBatch } from '../core/batch.ts'
import { MerganserError } from '../core/errors.ts'
import type { TableSchema } from '../core/table.ts'
import type { KeyRange, RangeDigest, StoreMeta, WriteResult } from '../connectors/connector.ts'
import type { Thread, Threads } from '../environment/environment.ts'
import {
  fromWire,
  ownBuffers,
  portable,
  type CallName,
  type Calls,
  type OpenRequest,
  type Response,
} from './protocol.ts'

interface Waiting {
  readonly replica: string
  resolve(value: unknown): void
  reject(error: Error): void
  progress(message: string): void
}

/** One thread that hosts stores. */
class HostThread {
  readonly #thread: Thread
  readonly #waiting = new Map<number, Waiting>()
  #nextId = 0
  #ended = false
  /** Stores open here. */
  stores = 0

  constructor(thread: Thread) {
    this.#thread = thread
    thread.onMessage((message) => {
      this.#answer(message as Response)
    })
    thread.onExit((error) => {
      this.#end(error)
    })
  }

  get ended(): boolean {
    return this.#ended
  }

  call(
    store: number,
    replica: string,
    call: CallName,
    body: object,
    progress: (message: string) => void,
    transfer?: readonly ArrayBuffer[],
  ): Promise<unknown> {
    if (this.#ended) return Promise.reject(lost(replica))
    return new Promise((resolve, reject) => {
      const id = this.#nextId++
      this.#waiting.set(id, { replica, resolve, reject, progress })
      this.#thread.post({ ...body, id, store, call }, transfer)
    })
  }

  async terminate(): Promise<void> {
    await this.#thread.terminate()
    this.#end(undefined)
  }

  #answer(response: Response): void {
    const waiting = this.#waiting.get(response.id)
    if (waiting === undefined) return
    if ('progress' in response) {
      waiting.progress(response.progress)
      return
    }
    this.#waiting.delete(response.id)
    if ('error' in response) waiting.reject(fromWire(response.error, waiting.replica))
    else waiting.resolve(response.value)
  }

  #end(error: Error | undefined): void {
    this.#ended = true
    for (const waiting of this.#waiting.values()) waiting.reject(lost(waiting.replica, error))
    this.#waiting.clear()
  }
}

function lost(replica: string, cause?: Error): MerganserError {
  return new MerganserError('CONNECTION_LOST', 'the thread that holds the connection ended', {
    place: { replica },
    cause,
  })
}

/** A store in a thread of the pool: the calls of `ReplicaStore`. */
export class RemoteStore {
  readonly #host: HostThread
  readonly #number: number
  readonly #replica: string
  readonly #progress: (message: string) => void
  #nextScan = 0
  #closed: Promise<void> | undefined
  /** What the database knew about its log when it was opened. */
  readonly meta: StoreMeta | undefined

  constructor(
    host: HostThread,
    number: number,
    replica: string,
    progress: (message: string) => void,
    meta: StoreMeta | undefined,
  ) {
    this.#host = host
    this.#number = number
    this.#replica = replica
    this.#progress = progress
    this.meta = meta
  }

  greatestStamp(tables: readonly TableSchema[]): Promise<string> {
    return this.#call('greatestStamp', { tables })
  }

  ensureTable(table: TableSchema): Promise<undefined> {
    return this.#call('ensureTable', { table })
  }

  readRows(table: TableSchema, keys: KeyBatch): Promise<RowBatch> {
    return this.#call('readRows', { table, keys })
  }

  writeRows(table: TableSchema, batch: RowBatch): Promise<WriteResult> {
    return this.#call('writeRows', { table, batch: portable(batch) })
  }

  writeMeta(meta: Omit<StoreMeta, 'logId'>): Promise<undefined> {
    return this.#call('writeMeta', { meta })
  }

  /** Only where the connector's capabilities name digests. */
  digest(table: TableSchema, ranges: readonly KeyRange[]): Promise<readonly RangeDigest[]> {
    return this.#call('digest', { table, ranges })
  }

  /** None where the store can't. */
  splitKeys(table: TableSchema, parts: number): Promise<readonly (readonly string[])[]> {
    return this.#call('splitKeys', { table, parts })
  }

  /**
   * The batches may be released: their buffers then go back to the thread. The next batch is made there while this one
   * is read.
   */
  async *scanRows(
    table: TableSchema,
    afterKey?: readonly string[],
    upToKey?: readonly string[],
  ): AsyncGenerator<RowBatch> {
    const scan = this.#nextScan++
    const bounds = { ...(afterKey === undefined ? {} : { afterKey }), ...(upToKey === undefined ? {} : { upToKey }) }
    await this.#call('scanStart', { scan, table, ...bounds })
    let ended = false
    let spare: ArrayBuffer[] = []
    try {
      for (;;) {
        const given = spare
        spare = []
        const batch = await this.#call('scanNext', { scan, spare: given }, given)
        if (batch === undefined) {
          ended = true
          return
        }
        const release = () => {
          spare.push(...ownBuffers(batch))
        }
        yield { ...batch, release }
      }
    } finally {
      if (!ended) await this.#call('scanStop', { scan }).catch(() => undefined)
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#call('close', {}).then(
      () => {
        this.#host.stores--
      },
      (error: unknown) => {
        this.#host.stores--
        throw error
      },
    )
    return this.#closed
  }

  #call<Name extends CallName>(
    name: Name,
    body: Calls[Name]['takes'],
    transfer?: readonly ArrayBuffer[],
  ): Promise<Calls[Name]['gives']> {
    return this.#host.call(this.#number, this.#replica, name, body, this.#progress, transfer) as Promise<
      Calls[Name]['gives']
    >
  }
}

/** The session's worker threads: at most `most`, none before there is work, the emptiest gets the next store. */
export class StorePool {
  readonly #threads: Threads
  readonly #most: number
  #hosts: HostThread[] = []
  #nextStore = 0

  constructor(threads: Threads, most: number) {
    this.#threads = threads
    this.#most = Math.max(1, most)
  }

  /** Opens a store in a thread. Rejects as `Connector.open` does. */
  async open(request: OpenRequest, progress: (message: string) => void): Promise<RemoteStore> {
    const host = this.#place(request.replica)
    const number = this.#nextStore++
    host.stores++
    try {
      const meta = (await host.call(number, request.replica, 'open', request, progress)) as StoreMeta | undefined
      return new RemoteStore(host, number, request.replica, progress, meta)
    } catch (error) {
      host.stores--
      throw error
    }
  }

  /** Ends all threads; stores that must be closed in order were closed before. */
  async close(): Promise<void> {
    await Promise.all(this.#hosts.map((host) => host.terminate()))
    this.#hosts = []
  }

  #place(replica: string): HostThread {
    this.#hosts = this.#hosts.filter((host) => !host.ended)
    const emptiest = this.#hosts.reduce<HostThread | undefined>(
      (best, host) => (best === undefined || host.stores < best.stores ? host : best),
      undefined,
    )
    if (emptiest !== undefined && (emptiest.stores === 0 || this.#hosts.length >= this.#most)) return emptiest
    const host = new HostThread(this.#threads.start(`merganser ${replica}`))
    this.#hosts.push(host)
    return host
  }
}

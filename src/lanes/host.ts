import type { RowBatch } from '../core/batch.ts'
import { MerganserError } from '../core/errors.ts'
import { giveBack } from '../core/spare-buffers.ts'
import type { Connector, ReplicaStore } from '../connectors/connector.ts'
import type { Port } from '../environment/environment.ts'
import { buffersOf, toWire, type Request, type Response } from './protocol.ts'

/** The other end of the lanes: opens stores in this thread and carries out what is asked of them. */
export function hostStores(port: Port, loadConnector: (type: string) => Promise<Connector | undefined>): void {
  const stores = new Map<number, HostedStore>()
  port.onMessage((message) => {
    const request = message as Request
    const answer = (response: Response, batch?: RowBatch) => {
      port.post(response, batch === undefined ? undefined : buffersOf(batch))
    }
    void carryOut(stores, loadConnector, request, (progress) => {
      answer({ id: request.id, progress })
    }).then(
      (value) => {
        answer({ id: request.id, value }, isBatch(value) ? value : undefined)
      },
      (error: unknown) => {
        answer({ id: request.id, error: toWire(error) })
      },
    )
  })
}

interface HostedStore {
  readonly store: ReplicaStore
  readonly scans: Map<number, ScanAhead>
}

/** A scan of which the next batch is made before it is asked for. */
class ScanAhead {
  readonly #batches: AsyncIterator<RowBatch>
  #next: Promise<IteratorResult<RowBatch>> | undefined

  constructor(batches: AsyncIterable<RowBatch>) {
    this.#batches = batches[Symbol.asyncIterator]()
    this.#ask()
  }

  async next(): Promise<RowBatch | undefined> {
    const next = await (this.#next ?? this.#batches.next())
    this.#next = undefined
    if (next.done === true) return undefined
    this.#ask()
    return next.value
  }

  async stop(): Promise<void> {
    await this.#next?.catch(() => undefined)
    await this.#batches.return?.()
  }

  #ask(): void {
    this.#next = this.#batches.next()
    // Who asks for it hears of it; until then it isn't unhandled.
    this.#next.catch(() => undefined)
  }
}

function isBatch(value: unknown): value is RowBatch {
  return typeof value === 'object' && value !== null && 'stamps' in value && 'deleted' in value
}

async function carryOut(
  stores: Map<number, HostedStore>,
  loadConnector: (type: string) => Promise<Connector | undefined>,
  request: Request,
  progress: (message: string) => void,
): Promise<unknown> {
  if (request.call === 'open') {
    const connector = await loadConnector(request.type)
    if (connector === undefined) throw new MerganserError('BAD_CONFIG', `no connector of type ${request.type}`)
    const { access, owner, directory, replica } = request
    const context = { access, directory, replica, progress, ...(owner === undefined ? {} : { owner }) }
    const store = await connector.open(request.options, context)
    stores.set(request.store, { store, scans: new Map() })
    return store.meta
  }
  const hosted = stores.get(request.store)
  if (hosted === undefined) {
    if (request.call === 'close') return undefined
    throw new MerganserError('STORE_CLOSED', 'the store is not open')
  }
  const { store, scans } = hosted
  switch (request.call) {
    case 'greatestStamp':
      return await store.greatestStamp(request.tables)
    case 'ensureTable':
      await store.ensureTable(request.table)
      return undefined
    case 'readRows':
      return await store.readRows(request.table, request.keys)
    case 'writeRows':
      return await store.writeRows(request.table, request.batch)
    case 'writeMeta':
      await store.writeMeta(request.meta)
      return undefined
    case 'digest':
      if (store.digest === undefined) throw new MerganserError('BUG', 'the store works out no digests')
      return await store.digest(request.table, request.ranges)
    case 'splitKeys':
      return (await store.splitKeys?.(request.table, request.parts)) ?? []
    case 'scanStart': {
      const { table, afterKey, upToKey } = request
      scans.set(request.scan, new ScanAhead(store.scanRows(table, afterKey, upToKey)))
      return undefined
    }
    case 'scanNext': {
      giveBack(request.spare)
      const next = await scans.get(request.scan)?.next()
      if (next === undefined) scans.delete(request.scan)
      return next
    }
    case 'scanStop':
      await scans.get(request.scan)?.stop()
      scans.delete(request.scan)
      return undefined
    case 'close':
      stores.delete(request.store)
      await store.close()
      return undefined
  }
}

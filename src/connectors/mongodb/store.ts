import type { KeyBatch, RowBatch } from '../../core/batch.ts'
import { MerganserError } from '../../core/errors.ts'
import type { TableSchema } from '../../core/table.ts'
import type { OpenContext, ReplicaStore, StoreMeta, WriteResult } from '../connector.ts'
import { shapeOf } from '../documents/layout.ts'
import { faultOf } from './faults.ts'
import { findFeatures, type Features } from './features.ts'
import { Lease, META, readMeta, storeMeta } from './lease.ts'
import type { MongodbOptions } from './options.ts'
import { readKeys } from './read.ts'
import { scanTable } from './scan.ts'
import { Session } from './session.ts'
import { ensureShape } from './shape.ts'
import { splitTable } from './split.ts'
import { tableOf, type Table } from './table.ts'
import { writeBatch } from './write.ts'

/** How long `close` waits for what is running: then its connection is cut. */
const CLOSE_WAIT = 5_000
/** As long it waits for a server that was seen to be away. */
const AWAY_WAIT = 1_000
const AWAY: ReadonlySet<string> = new Set(['CONNECTION_LOST', 'DATABASE_UNREACHABLE', 'TIME_LIMIT'])

interface Opened {
  readonly session: Session
  readonly features: Features
  /** Undefined where it was opened for reading. */
  readonly lease: Lease | undefined
  readonly meta: StoreMeta | undefined
}

/** One replica in a MongoDB database. Reads run beside writes; one batch is written at a time, in parts side by side. */
export class MongodbStore implements ReplicaStore {
  readonly meta: StoreMeta | undefined
  readonly #opened: Opened
  readonly #session: Session
  readonly #tables = new Map<string, Table>()
  readonly #running = new Set<Promise<unknown>>()
  #tail: Promise<unknown> = Promise.resolve()
  #closing: Promise<void> | undefined
  #away = false

  private constructor(opened: Opened) {
    this.#opened = opened
    this.#session = opened.session
    this.meta = opened.meta
  }

  /** Connects, takes the owner's lease for writing, and finds out what the server can do. */
  static async open(options: MongodbOptions, context: OpenContext): Promise<MongodbStore> {
    const session = await Session.connect(options, context.replica)
    let lease: Lease | undefined
    try {
      let meta: StoreMeta | undefined
      if (context.access === 'read') meta = storeMeta(await readMeta(session))
      else {
        if (context.owner === undefined)
          throw new MerganserError('BUG', 'a store is opened for writing without an owner')
        ;[lease, meta] = await Lease.take(session, context.owner, context)
      }
      const features = await findFeatures(session, META, context.access)
      return new MongodbStore({ session, features, lease, meta })
    } catch (error) {
      await lease?.release().catch(() => undefined)
      await session.close()
      context.signal?.throwIfAborted()
      throw faultOf(error, context.replica)
    }
  }

  async greatestStamp(tables: readonly TableSchema[]): Promise<string> {
    return await this.#run(async () => {
      let greatest = ''
      for (const schema of tables) {
        for (const stamp of await this.#stampsOf(schema)) if (stamp > greatest) greatest = stamp
      }
      return greatest
    })
  }

  async ensureTable(schema: TableSchema): Promise<void> {
    await this.#writing(() => ensureShape(this.#session, this.#of(schema)))
  }

  async readRows(schema: TableSchema, keys: KeyBatch): Promise<RowBatch> {
    return await this.#run(() => readKeys(this.#session, this.#of(schema), keys))
  }

  async *scanRows(
    schema: TableSchema,
    afterKey?: readonly string[],
    upToKey?: readonly string[],
  ): AsyncGenerator<RowBatch> {
    this.#check()
    try {
      for await (const batch of scanTable(this.#session, this.#of(schema), afterKey, upToKey)) {
        this.#check()
        yield batch
        this.#check()
      }
    } catch (error) {
      throw this.#fault(error)
    }
  }

  async splitKeys(schema: TableSchema, parts: number): Promise<readonly (readonly string[])[]> {
    return await this.#run(() => splitTable(this.#session, this.#of(schema), parts))
  }

  async writeRows(schema: TableSchema, batch: RowBatch): Promise<WriteResult> {
    return await this.#writing((lease) =>
      writeBatch(this.#session, this.#of(schema), batch, async () => {
        this.#check()
        await lease.check()
      }),
    )
  }

  async writeMeta(meta: Omit<StoreMeta, 'logId'>): Promise<void> {
    await this.#writing((lease) => lease.writeMeta(meta))
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    // What was sent comes to its end, so that the lease isn't free while a write of ours is still on its way.
    const wait = this.#away ? AWAY_WAIT : CLOSE_WAIT
    await waited([...this.#running], wait)
    // Who opens it in the same session needs no release.
    await waited([this.#opened.lease?.release() ?? Promise.resolve()], wait)
    await this.#session.close()
  }

  #of(schema: TableSchema): Table {
    const shape = `${schema.name} ${shapeOf(schema)}`
    let table = this.#tables.get(shape)
    if (table === undefined) this.#tables.set(shape, (table = tableOf(schema, this.#opened.features)))
    return table
  }

  async #stampsOf(schema: TableSchema): Promise<string[]> {
    const { layout } = this.#of(schema)
    if (this.#opened.features.weakValues) {
      const stamps: string[] = []
      for await (const batch of scanTable(this.#session, this.#of(schema), undefined, undefined)) {
        for (const { bytes, ends } of [...batch.stamps, batch.deleted]) {
          const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
          let greatest = ''
          for (let row = 0, start = 0; row < batch.rows; start = ends[row++]!) {
            const stamp = text.slice(start, ends[row])
            if (stamp > greatest) greatest = stamp
          }
          stamps.push(greatest)
        }
      }
      return stamps
    }
    const names = [...layout.values.map(({ column }) => column.name), layout.deletedName]
    const maxima = names.map((name, n) => [`m${String(n)}`, { $max: `$stamps.${name}` }] as const)
    const [found] = await this.#session.aggregate(schema.name, [
      { $group: { _id: null, ...Object.fromEntries(maxima) } },
    ])
    return Object.values(found ?? {}).filter((value) => typeof value === 'string')
  }

  /** One write after the other. */
  async #writing<T>(work: (lease: Lease) => Promise<T>): Promise<T> {
    this.#check()
    const { lease } = this.#opened
    if (lease === undefined) throw new MerganserError('BUG', 'a store that was opened for reading is written to')
    const result = this.#tail.then(() =>
      this.#run(async () => {
        await lease.check()
        return await work(lease)
      }),
    )
    this.#tail = result.catch(() => undefined)
    return await result
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    this.#check()
    const running = work()
    this.#running.add(running)
    try {
      return await running
    } catch (error) {
      throw this.#fault(error)
    } finally {
      this.#running.delete(running)
    }
  }

  #check(): void {
    if (this.#closing !== undefined) throw this.#closed(undefined)
  }

  #fault(error: unknown): MerganserError {
    if (this.#closing !== undefined) return this.#closed(error)
    const fault = faultOf(error, this.#session.replica)
    this.#away ||= AWAY.has(fault.code)
    return fault
  }

  #closed(cause: unknown): MerganserError {
    const { replica } = this.#session
    return new MerganserError('STORE_CLOSED', `the database of ${replica} was closed`, { place: { replica }, cause })
  }
}

/** Resolves when all have ended, however, or after so many milliseconds. */
async function waited(running: readonly Promise<unknown>[], milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds)
  })
  await Promise.race([Promise.allSettled(running), limit])
  clearTimeout(timer)
}

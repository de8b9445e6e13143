import { BatchKeys } from '../../core/batch-keys.ts'
import { RowBatchBuilder, type KeyBatch, type RowBatch, type StampedRow } from '../../core/batch.ts'
import { MerganserError } from '../../core/errors.ts'
import { keyBytes, type TableSchema } from '../../core/table.ts'
import type { DirectoryLock } from '../../environment/environment.ts'
import type { OpenContext, ReplicaStore, StoreMeta, WriteResult } from '../connector.ts'
import { BatchJoiner } from './batch-joiner.ts'
import { keyOf, stampOf, takeApart, textOf } from '../documents/bson-reader.ts'
import { capabilities } from '../documents/capabilities.ts'
import { openDocuments, type Documents, type Environment } from './database.ts'
import { fault } from './faults.ts'
import { layoutOf, shapeOf, type Layout } from '../documents/layout.ts'
import { META_NAME, type Meta } from './meta.ts'
import { expectRoom } from './room.ts'

/** A scan's batch ends after so many rows or bytes. */
const SCAN_ROWS = 2_000
const SCAN_BYTES = 1024 * 1024
/** A transaction ends after so many bytes: what is not yet committed lies in memory. */
const TRANSACTION_BYTES = 64 * 1024 * 1024

interface Table {
  readonly schema: TableSchema
  readonly layout: Layout
  readonly documents: Documents
}

interface Counts {
  written: number
  stale: number
  readonly rejected: { row: number; reason: string }[]
  readonly foreign: { row: number; column: number }[]
}

/** What is open: the environment, and the lock where it is open for writing. */
export interface Opened {
  readonly environment: Environment
  readonly meta: Meta | undefined
  readonly lock: DirectoryLock | undefined
}

/**
 * Documents in LMDB. Its calls run to their end at once, blocking the thread, which is a worker's; only the flush to
 * disk at their end, and each batch of a scan, let others in.
 */
export class DocumentStore implements ReplicaStore {
  readonly meta: StoreMeta | undefined
  readonly #opened: Opened
  readonly #context: OpenContext
  readonly #tables = new Map<string, Table>()
  #closing: Promise<void> | undefined

  /** @param meta what was known of the log before it was marked as in use */
  constructor(opened: Opened, context: OpenContext, meta: StoreMeta | undefined) {
    this.#opened = opened
    this.#context = context
    this.meta = meta
  }

  async greatestStamp(tables: readonly TableSchema[]): Promise<string> {
    this.#check()
    let greatest = ''
    for (const schema of tables) {
      for await (const batch of this.scanRows(schema)) {
        for (const column of [...batch.stamps, batch.deleted]) {
          const text = Buffer.from(column.bytes.buffer, column.bytes.byteOffset, column.bytes.length).toString('latin1')
          for (let row = 0, start = 0; row < batch.rows; start = column.ends[row++]!) {
            const stamp = text.slice(start, column.ends[row])
            if (stamp > greatest) greatest = stamp
          }
        }
      }
    }
    return greatest
  }

  async ensureTable(schema: TableSchema): Promise<void> {
    await this.#room()
    await this.#run(() => {
      if (schema.name === META_NAME) {
        throw new MerganserError('BAD_SCHEMA', `the table name ${META_NAME} is kept for Merganser`, {
          place: { replica: this.#context.replica, table: schema.name },
        })
      }
      const meta = this.#writable()
      if (meta.has(schema)) return
      // Before anything is there: throws where its names can't be fields.
      layoutOf(schema)
      // The database first: a table that is on the list is there.
      openDocuments(this.#opened.environment, schema.name, true)
      meta.add(schema)
    })
  }

  async readRows(schema: TableSchema, batch: KeyBatch): Promise<RowBatch> {
    return await this.#run(() => {
      const builder = new RowBatchBuilder(schema, batch.rows)
      const table = this.#table(schema)
      if (table === undefined) return builder.build()
      const keys = new BatchKeys(schema, batch)
      for (let row = 0; row < batch.rows; row++) {
        if (keys.length(row) > capabilities.keyBytes) continue
        const bytes = table.documents.getBinaryFast(keys.at(row))
        if (bytes !== undefined) builder.push(rowOf(table.layout, bytes))
      }
      return builder.build()
    })
  }

  async *scanRows(schema: TableSchema, afterKey?: readonly string[]): AsyncIterable<RowBatch> {
    let after = afterKey === undefined ? undefined : keyBytes(schema, afterKey)
    for (;;) {
      const { batch, last } = await this.#run(() => this.#page(schema, after))
      if (batch.rows > 0) yield batch
      if (last === undefined) return
      after = last
    }
  }

  async writeRows(schema: TableSchema, batch: RowBatch): Promise<WriteResult> {
    const counts: Counts = { written: 0, stale: 0, rejected: [], foreign: [] }
    const begun = await this.#run(() => {
      this.#writable()
      const table = this.#table(schema)
      if (table === undefined) throw this.#missing(schema)
      const keys = new BatchKeys(schema, batch)
      return { table, keys, order: keys.order(), joiner: new BatchJoiner(table.layout, batch) }
    })
    for (let next = 0; next < batch.rows;) {
      await this.#room(batch)
      next = await this.#run(() => writeSome(begun.table, begun, next, counts))
      await this.#opened.environment.flushed
    }
    counts.rejected.sort((a, b) => a.row - b.row)
    counts.foreign.sort((a, b) => a.row - b.row || a.column - b.column)
    return counts
  }

  async writeMeta(meta: Omit<StoreMeta, 'logId'>): Promise<void> {
    await this.#room()
    await this.#run(() => {
      this.#writable().writeLog({ ...meta, logId: this.#context.owner!.logId })
    })
    await this.#opened.environment.flushed
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#tables.clear()
    await this.#opened.environment.close()
    await this.#opened.lock?.release()
  }

  /** Before each transaction. */
  async #room(batch?: RowBatch): Promise<void> {
    this.#check()
    await expectRoom(this.#context.directory, this.#context.replica, batch)
  }

  #check(): void {
    if (this.#closing === undefined) return
    const { replica } = this.#context
    throw new MerganserError('STORE_CLOSED', `the documents of ${replica} are closed`, { place: { replica } })
  }

  /** Runs a call on the open environment, which sees what others have committed; its errors get a code. */
  #run<T>(call: () => T): Promise<T> {
    return new Promise((resolve) => {
      this.#check()
      try {
        if (this.#context.access === 'read') this.#opened.environment.resetReadTxn()
        resolve(call())
      } catch (error) {
        throw fault(error, this.#context.replica)
      }
    })
  }

  #writable(): Meta {
    const { meta } = this.#opened
    if (this.#context.access === 'write' && meta !== undefined) return meta
    const { replica } = this.#context
    throw new MerganserError('BUG', `the documents of ${replica} are open for reading only`, { place: { replica } })
  }

  /** A table that is there, in this shape. */
  #table(schema: TableSchema): Table | undefined {
    const known = this.#tables.get(schema.name)
    if (known !== undefined && (known.schema === schema || shapeOf(known.schema) === shapeOf(schema))) return known
    if (this.#opened.meta?.has(schema) !== true) return undefined
    const documents = openDocuments(this.#opened.environment, schema.name, false)
    if (documents === undefined) return undefined
    const table = { schema, layout: layoutOf(schema), documents }
    this.#tables.set(schema.name, table)
    return table
  }

  /** Rows in key order after a key, of one moment; `last` is the last one's key where there may be more. */
  #page(schema: TableSchema, after: Buffer | undefined): { batch: RowBatch; last: Buffer | undefined } {
    const builder = new RowBatchBuilder(schema, SCAN_ROWS)
    const table = this.#table(schema)
    if (table === undefined) return { batch: builder.build(), last: undefined }
    const range = after === undefined ? {} : { start: after, exclusiveStart: true }
    for (const { key, value } of table.documents.getRange({ ...range, limit: SCAN_ROWS })) {
      builder.push(rowOf(table.layout, value))
      if (builder.rows < SCAN_ROWS && builder.bytes < SCAN_BYTES) continue
      return { batch: builder.build(), last: Buffer.from(key) }
    }
    return { batch: builder.build(), last: undefined }
  }

  #missing(schema: TableSchema): MerganserError {
    const { replica } = this.#context
    return new MerganserError('SCHEMA_MISMATCH', `${replica} has no table ${schema.name}`, {
      place: { replica, table: schema.name },
    })
  }
}

interface Begun {
  readonly keys: BatchKeys
  readonly order: Uint32Array
  readonly joiner: BatchJoiner
}

/** Joins rows from place `first` of the order in one transaction; gives the place after the last one. */
function writeSome({ documents }: Table, begun: Begun, first: number, counts: Counts): number {
  const { keys, order, joiner } = begun
  const before = { written: counts.written, stale: counts.stale }
  const [rejected, foreign] = [counts.rejected.length, counts.foreign.length]
  try {
    return documents.transactionSync(() => {
      let bytes = 0
      let place = first
      while (place < order.length && bytes < TRANSACTION_BYTES) {
        const row = order[place++]!
        if (keys.length(row) > capabilities.keyBytes) {
          counts.rejected.push({ row, reason: `key longer than ${String(capabilities.keyBytes)} bytes` })
          continue
        }
        const key = keys.at(row)
        const joined = joiner.join(row, documents.getBinaryFast(key))
        for (const column of joiner.foreign) counts.foreign.push({ row, column })
        if (joined.outcome === 'rejected') counts.rejected.push({ row, reason: joined.reason })
        else if (joined.outcome === 'same') counts.stale++
        else {
          void documents.put(key, joined.document)
          bytes += joined.document.length
          counts.written++
        }
      }
      return place
    })
  } catch (error) {
    Object.assign(counts, before)
    counts.rejected.length = rejected
    counts.foreign.length = foreign
    throw error
  }
}

function rowOf(layout: Layout, bytes: Buffer): StampedRow {
  const document = takeApart(layout, bytes)
  return {
    key: keyOf(layout, document),
    cells: layout.values.map(({ column }, c) => {
      const stamp = document.stamps[c]
      if (stamp === undefined) return null
      return { value: textOf(column.type, bytes, document.values[c]), stamp: stampOf(bytes, stamp) }
    }),
    deleted: document.deleted === undefined ? null : stampOf(bytes, document.deleted),
  }
}

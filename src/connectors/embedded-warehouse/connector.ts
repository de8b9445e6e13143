import { batchOf } from '../../core/batch.ts'
import { MerganserError } from '../../core/errors.ts'
import { embeddedFindings } from '../findings.ts'
import type { Connector, ConnectorOptions, KeyRange, OpenContext, RangeDigest, ReplicaStore } from '../connector.ts'
import { capabilities } from './capabilities.ts'
import { isThere, openDatabase, ownerOf, type WarehouseOptions } from './database.ts'
import { storeClosed, translated } from './errors.ts'
import { WarehouseStore } from './store.ts'
import { sqlType } from './types.ts'

const KNOWN = ['memory', 'threads']
const MAX_THREADS = 64
const MIN_MEMORY_MB = 64

/**
 * A warehouse in one DuckDB file, `warehouse.duckdb`, in the shape that Hive gets: a table with stamps beside its
 * values, a view `<table>_live` without them, the one row of `merganser_meta`.
 *
 * Options: `memory`, the most that DuckDB may use, as `1GB` (the default) or `512MB`; `threads`, 2 by default.
 * While a session writes, no other process can read (`sharedReads: false`): it gets DATABASE_LOCKED, which names the
 * session. Stores of one thread share the file.
 */
export const embeddedWarehouse: Connector = {
  type: 'embedded-warehouse',
  capabilities,

  options(raw: ConnectorOptions): ConnectorOptions {
    for (const name of Object.keys(raw)) {
      if (!KNOWN.includes(name)) throw bad(`no option ${name}; it has ${KNOWN.join(' and ')}`)
    }
    return { memory: memoryOption(raw['memory'] ?? '1GB'), threads: threadsOption(raw['threads'] ?? 2) }
  },

  async absent(_options: ConnectorOptions, directory: string): Promise<boolean> {
    return !(await isThere(directory))
  },

  diagnose(options, context) {
    return embeddedFindings(this, options, context, {
      version: async () => `DuckDB ${(await import('@duckdb/node-api')).version()}`,
      holder: () => ownerOf(context.directory),
    })
  },

  heldAs: sqlType,

  async open(options: ConnectorOptions, context: OpenContext): Promise<ReplicaStore> {
    const checked = this.options(options)
    const known: WarehouseOptions = { memory: String(checked['memory']), threads: Number(checked['threads']) }
    try {
      const database = await openDatabase(known, context)
      if (database === undefined) return new EmptyStore(context.replica)
      return await WarehouseStore.open(database, context)
    } catch (error) {
      context.signal?.throwIfAborted()
      throw translated(error, context.replica)
    }
  },
}

function memoryOption(value: unknown): string {
  const match = typeof value === 'string' ? /^(\d{1,6})(MB|GB)$/i.exec(value.trim()) : null
  const megabytes = match === null ? 0 : Number(match[1]) * (match[2]!.toUpperCase() === 'GB' ? 1000 : 1)
  if (megabytes < MIN_MEMORY_MB) throw bad(`memory is written like 1GB or 512MB, at least ${String(MIN_MEMORY_MB)}MB`)
  return `${String(megabytes)}MB`
}

function threadsOption(value: unknown): number {
  if (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MAX_THREADS) return Number(value)
  throw bad(`threads is a number from 1 to ${String(MAX_THREADS)}`)
}

function bad(message: string): MerganserError {
  return new MerganserError('BAD_CONFIG', `embedded-warehouse: ${message}`)
}

/** A database that isn't there, opened for reading. */
class EmptyStore implements ReplicaStore {
  readonly meta = undefined
  readonly #replica: string
  #closed = false

  constructor(replica: string) {
    this.#replica = replica
  }
  async greatestStamp(): Promise<string> {
    return await this.#answer('')
  }
  async ensureTable(): Promise<void> {
    await this.#refuse()
  }
  async readRows(table: Parameters<ReplicaStore['readRows']>[0]): ReturnType<ReplicaStore['readRows']> {
    return await this.#answer(batchOf(table, []))
  }
  async digest(_: unknown, ranges: readonly KeyRange[]): Promise<RangeDigest[]> {
    return await this.#answer(ranges.map(() => ({ rows: 0, sums: [0n, 0n] })))
  }
  async *scanRows(): ReturnType<ReplicaStore['scanRows']> {
    await this.#answer(undefined)
  }
  async writeRows(): ReturnType<ReplicaStore['writeRows']> {
    return await this.#refuse()
  }
  async writeMeta(): Promise<void> {
    await this.#refuse()
  }
  async close(): Promise<void> {
    this.#closed = true
    await Promise.resolve()
  }

  async #answer<T>(value: T): Promise<T> {
    if (this.#closed) throw storeClosed(this.#replica)
    return await Promise.resolve(value)
  }
  async #refuse(): Promise<never> {
    await this.#answer(undefined)
    throw new MerganserError('BUG', 'internal assertion failed: a store that is opened for reading is not written')
  }
}

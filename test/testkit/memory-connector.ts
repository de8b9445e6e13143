import type { Capabilities, Connector, OpenContext, ReplicaStore, StoreMeta } from '../../src/connectors/connector.ts'
import { misfit } from '../../src/connectors/connector.ts'
import { batchOf, joinStamped, keyAt, rowAt, type RowBatch, type StampedRow } from '../../src/core/batch.ts'
import { MerganserError } from '../../src/core/errors.ts'
import { keyBytes, type TableSchema } from '../../src/core/table.ts'
import { typeText } from '../../src/core/types.ts'

const capabilities: Capabilities = {
  nulInText: true,
  nonFinite: true,
  negativeZero: true,
  timestampDigits: 9,
  minYear: 1,
  maxYear: 9999,
  nulInJson: true,
  nulInJsonNames: true,
  decimalDigits: 38,
  keyBytes: 2000,
  valueBytes: 512 * 1024,
  sharedReads: true,
}

/** Where a connector can go wrong. */
export interface Faults {
  join?: (stored: StampedRow | undefined, incoming: StampedRow) => StampedRow
  /** What is kept of a row. */
  keep?: (row: StampedRow) => StampedRow
  order?: (a: StampedRow, b: StampedRow) => number
  foreign?: false
  rejects?: false
  locks?: false
  marksInUse?: false
  checksSchema?: false
  forgets?: true
  skipsAfterKey?: false
}

interface MemoryTable {
  readonly schema: TableSchema
  readonly rows: Map<string, StampedRow>
}

interface MemoryDatabase {
  meta: StoreMeta | undefined
  owner: string | undefined
  readonly tables: Map<string, MemoryTable>
}

/** A connector with nothing behind it but the model: the kit itself is tested with it, whole and broken. */
export function memoryConnector(faults: Faults = {}): Connector {
  const databases = new Map<string, MemoryDatabase>()
  return {
    type: 'memory',
    capabilities,
    options(raw) {
      if (Object.keys(raw).length > 0) throw new MerganserError('BAD_CONFIG', 'it takes no options')
      return {}
    },
    absent: (_options, directory) => Promise.resolve(!databases.has(directory)),
    open(_options, context) {
      const empty = { meta: undefined, owner: undefined, tables: new Map<string, MemoryTable>() }
      const database = databases.get(context.directory) ?? empty
      if (context.access === 'read') return Promise.resolve(new MemoryStore(database, context, faults))
      if (database.owner !== undefined && faults.locks !== false) {
        return Promise.reject(new MerganserError('DATABASE_LOCKED', `in use by ${database.owner}`))
      }
      databases.set(context.directory, database)
      return Promise.resolve(new MemoryStore(database, context, faults))
    },
  }
}

const sameText = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)
const shape = (schema: TableSchema) =>
  [schema.key, schema.values].map((columns) => columns.map(({ name, type }) => `${name} ${typeText(type)}`))

class MemoryStore implements ReplicaStore {
  readonly meta: StoreMeta | undefined
  readonly #database: MemoryDatabase
  readonly #context: OpenContext
  readonly #faults: Faults
  #closed = false

  constructor(database: MemoryDatabase, context: OpenContext, faults: Faults) {
    this.meta = database.meta
    this.#database = database
    this.#context = context
    this.#faults = faults
    if (context.owner === undefined) return
    database.owner = context.owner.name
    const { logId } = context.owner
    const position = this.meta?.logId === logId ? this.meta.position : 0
    const inUse = faults.marksInUse !== false
    database.meta = { logId, inUse, highWater: this.meta?.highWater ?? '', position }
  }

  async greatestStamp(tables: readonly TableSchema[]): Promise<string> {
    let greatest = ''
    for (const row of (await Promise.all(tables.map((table) => this.#sorted(table)))).flat()) {
      for (const stamp of [row.deleted, ...row.cells.map((cell) => cell?.stamp)]) {
        if (stamp != null && stamp > greatest) greatest = stamp
      }
    }
    return greatest
  }

  async ensureTable(schema: TableSchema): Promise<void> {
    await this.#check('write')
    const found = this.#database.tables.get(schema.name)
    if (found === undefined) this.#database.tables.set(schema.name, { schema, rows: new Map() })
    else if (this.#faults.checksSchema !== false && !sameText(shape(found.schema), shape(schema))) {
      throw new MerganserError('SCHEMA_MISMATCH', 'another shape')
    }
  }

  async readRows(table: TableSchema, keys: Parameters<ReplicaStore['readRows']>[1]): Promise<RowBatch> {
    await this.#check('read')
    const rows = this.#database.tables.get(table.name)?.rows
    const found = Array.from({ length: keys.rows }, (_, i) => rows?.get(JSON.stringify(keyAt(keys, i))))
    return batchOf(
      table,
      found.filter((row) => row !== undefined),
    )
  }

  async *scanRows(table: TableSchema, afterKey?: readonly string[]): AsyncIterable<RowBatch> {
    let after = afterKey === undefined || this.#faults.skipsAfterKey === false ? undefined : keyBytes(table, afterKey)
    for (;;) {
      const rows = (await this.#sorted(table)).filter(
        (row) => after === undefined || Buffer.compare(keyBytes(table, row.key), after) > 0,
      )
      if (rows.length === 0) return
      const page = rows.slice(0, 3_000)
      yield batchOf(table, page)
      if (this.#faults.order !== undefined && rows.length <= 3_000) return
      after = keyBytes(table, page.at(-1)!.key)
    }
  }

  async writeRows(table: TableSchema, batch: RowBatch): ReturnType<ReplicaStore['writeRows']> {
    await this.#check('write')
    const rows = this.#database.tables.get(table.name)!.rows
    const rejected: { row: number; reason: string }[] = []
    const foreign: { row: number; column: number }[] = []
    let written = 0
    for (let row = 0; row < batch.rows; row++) {
      const incoming = rowAt(batch, row)
      const reason = this.#faults.rejects === false ? undefined : unfit(table, incoming)
      if (reason !== undefined) {
        rejected.push({ row, reason })
        continue
      }
      const id = JSON.stringify(incoming.key)
      const stored = rows.get(id)
      incoming.cells.forEach((cell, column) => {
        const mine = stored?.cells[column]
        const differs = mine != null && mine.stamp === cell?.stamp && mine.value !== cell.value
        if (differs && this.#faults.foreign !== false) foreign.push({ row, column })
      })
      const joined = (this.#faults.keep ?? ((kept) => kept))((this.#faults.join ?? joinStamped)(stored, incoming))
      if (!sameText(stored, joined)) written++
      rows.set(id, joined)
    }
    return { written, stale: batch.rows - written - rejected.length, rejected, foreign }
  }

  async writeMeta(meta: Omit<StoreMeta, 'logId'>): Promise<void> {
    await this.#check('write')
    this.#database.meta = { ...meta, logId: this.#context.owner!.logId }
  }

  close(): Promise<void> {
    if (!this.#closed && this.#context.owner !== undefined) {
      this.#database.owner = undefined
      if (this.#faults.forgets === true) for (const { rows } of this.#database.tables.values()) rows.clear()
    }
    this.#closed = true
    return Promise.resolve()
  }

  async #sorted(table: TableSchema): Promise<StampedRow[]> {
    await this.#check('read')
    const rows = [...(this.#database.tables.get(table.name)?.rows.values() ?? [])]
    if (this.#faults.order !== undefined) return rows.sort(this.#faults.order)
    const keyed = rows.map((row) => ({ row, key: keyBytes(table, row.key) }))
    return keyed.sort((a, b) => Buffer.compare(a.key, b.key)).map(({ row }) => row)
  }

  #check(access: OpenContext['access']): Promise<void> {
    if (this.#closed) return Promise.reject(new MerganserError('STORE_CLOSED', 'closed'))
    if (access === 'write' && this.#context.access === 'read') return Promise.reject(new MerganserError('BUG', 'read'))
    return Promise.resolve()
  }
}

function unfit(table: TableSchema, row: StampedRow): string | undefined {
  if (keyBytes(table, row.key).length > capabilities.keyBytes) return 'its key is too long'
  for (const [c, { type }] of table.values.entries()) {
    const text = row.cells[c]?.value
    const reason = text == null ? undefined : misfit(capabilities, type, text)
    if (reason !== undefined) return reason
  }
  return undefined
}

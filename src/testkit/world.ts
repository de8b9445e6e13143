import { strict as assert } from 'node:assert'
import { batchOf, joinStamped, keysOf, rowAt, type StampedRow } from '../core/batch.ts'
import { keyBytes, type TableSchema } from '../core/table.ts'
import { parseType } from '../core/types.ts'
import { misfit, type Capabilities, type Connector, type ConnectorOptions } from '../connectors/connector.ts'
import type { OpenContext, Owner, ReplicaStore, WriteResult } from '../connectors/connector.ts'

/** What is tested, and where. */
export interface Conformance {
  readonly connector: Connector
  /**
   * Raw options, as in the configuration; by default none. A function gives those of a fresh, empty database for a
   * directory, for servers; it is called once for each directory.
   */
  readonly options?: ConnectorOptions | ((directory: string) => ConnectorOptions | Promise<ConnectorOptions>)
  /** A new path each time, with no database there. Who calls the kit removes them. */
  readonly directory: () => string | Promise<string>
  /** Rows of the tests with many; 100,000 by default. */
  readonly rows?: number
  /** Of a database whose statements take long: what a case does again and again with other keys, it does less often. */
  readonly brief?: boolean
}

/** One database: where it is and how it is opened. */
export interface Site {
  readonly directory: string
  readonly options: ConnectorOptions
}

export const OWNER: Owner = { logId: 'kit-log-1', name: 'the conformance kit' }

/** What the cases share: one database that stays open between them, and helpers to write, read and compare. */
export class World {
  readonly conformance: Conformance
  #site: Site | undefined
  #store: ReplicaStore | undefined
  #tables = 0
  readonly #others: ReplicaStore[] = []
  /** What cases prepared for each other in the shared database. */
  readonly #prepared = new Map<string, unknown>()

  constructor(conformance: Conformance) {
    this.conformance = conformance
  }

  get connector(): Connector {
    return this.conformance.connector
  }

  get capabilities(): Capabilities {
    return this.connector.capabilities
  }

  /** How often a case repeats what it does: `often`, or, where that would take long, `seldom`. */
  times(often: number, seldom: number): number {
    return this.conformance.brief === true ? seldom : often
  }

  /** What `prepare` made in the shared database for all cases that ask for it by this name. */
  async prepared<T>(name: string, prepare: () => Promise<T>): Promise<T> {
    if (!this.#prepared.has(name)) this.#prepared.set(name, await prepare())
    return this.#prepared.get(name) as T
  }

  /** A place where no database is yet. */
  async freshSite(): Promise<Site> {
    const directory = await this.conformance.directory()
    const { options = {} } = this.conformance
    const raw = typeof options === 'function' ? await options(directory) : options
    return { directory, options: this.connector.options(raw) }
  }

  /** The place of the shared database. */
  async site(): Promise<Site> {
    this.#site ??= await this.freshSite()
    return this.#site
  }

  /** The shared store, opened for writing. */
  async store(): Promise<ReplicaStore> {
    this.#store ??= await this.open(await this.site())
    return this.#store
  }

  async closeStore(): Promise<void> {
    const store = this.#store
    this.#store = undefined
    await store?.close()
  }

  /** Closes the shared store and opens it again. */
  async reopened(): Promise<ReplicaStore> {
    await this.closeStore()
    return await this.store()
  }

  /** Opens a store that is closed at the end if the case doesn't close it. */
  async open(site: Site, access: OpenContext['access'] = 'write', owner: Owner = OWNER): Promise<ReplicaStore> {
    const context = { access, directory: site.directory, replica: 'KIT' } as const
    const store = await this.connector.open(site.options, access === 'write' ? { ...context, owner } : context)
    this.#others.push(store)
    return store
  }

  /** Closes everything that is open. */
  async end(): Promise<void> {
    this.#store = undefined
    this.#prepared.clear()
    const stores = this.#others.splice(0)
    const results = await Promise.allSettled(stores.map((store) => store.close()))
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  /** A table with a name of its own: `{ k: 'string' }, { v: 'decimal(38,18)' }`. Not yet in the database. */
  table(key: Readonly<Record<string, string>>, values: Readonly<Record<string, string>>): TableSchema {
    return { name: `kit_${String(++this.#tables)}`, key: columns(key), values: columns(values) }
  }

  /** The same, in the shared database. */
  async ensured(
    key: Readonly<Record<string, string>>,
    values: Readonly<Record<string, string>>,
  ): Promise<{ store: ReplicaStore; table: TableSchema }> {
    const store = await this.store()
    const table = this.table(key, values)
    await store.ensureTable(table)
    return { store, table }
  }

  /** Why the database can't hold a row, by its capabilities. */
  misfit(table: TableSchema, row: StampedRow): string | undefined {
    if (keyBytes(table, row.key).length > this.capabilities.keyBytes) return 'key too long'
    const texts = [
      ...table.key.map((column, c) => [column, row.key[c]!] as const),
      ...table.values.map((column, c) => [column, row.cells[c]?.value ?? null] as const),
    ]
    for (const [column, text] of texts) {
      const reason = text === null ? undefined : misfit(this.capabilities, column.type, text)
      if (reason !== undefined) return reason
    }
    return undefined
  }
}

function columns(spellings: Readonly<Record<string, string>>): TableSchema['key'] {
  return Object.entries(spellings).map(([name, spelling]) => {
    const type = parseType(spelling)
    assert.ok(type !== undefined, `no type ${spelling}`)
    return { name, type }
  })
}

/** A stamp text that sorts by `n`, then by origin. */
export function stamp(n: number, origin = 'KIT'): string {
  return `2026-11-22 15:11:${String(10 + Math.floor(n / 1e9))}.${String(n % 1e9).padStart(9, '0')}Z@${origin}`
}

/** A row whose value columns all have one stamp. */
export function row(key: string | readonly string[], values: readonly (string | null)[], at: string): StampedRow {
  return {
    key: typeof key === 'string' ? [key] : key,
    cells: values.map((value) => ({ value, stamp: at })),
    deleted: null,
  }
}

/** A deleted row. */
export function tombstone(table: TableSchema, key: string | readonly string[], at: string): StampedRow {
  return { key: typeof key === 'string' ? [key] : key, cells: table.values.map(() => null), deleted: at }
}

export async function write(
  store: ReplicaStore,
  table: TableSchema,
  rows: readonly StampedRow[],
): Promise<WriteResult> {
  return await store.writeRows(table, batchOf(table, rows))
}

/** Writes rows that must all change the database. */
export async function writeAll(store: ReplicaStore, table: TableSchema, rows: readonly StampedRow[]): Promise<void> {
  assert.deepEqual(await write(store, table, rows), { written: rows.length, stale: 0, rejected: [], foreign: [] })
}

/** The rows of those keys, in their order and in normal form; undefined where there is none. */
export async function read(
  store: ReplicaStore,
  table: TableSchema,
  keys: readonly (readonly string[])[],
): Promise<(StampedRow | undefined)[]> {
  const batch = await store.readRows(table, keysOf(table, keys))
  const found = new Map<string, StampedRow>()
  for (let i = 0; i < batch.rows; i++) {
    const stored = rowAt(batch, i)
    assert.ok(!found.has(identity(stored.key)), 'a key was read twice')
    found.set(identity(stored.key), normal(stored))
  }
  return keys.map((key) => found.get(identity(key)))
}

/** All rows as a scan gives them, in normal form. */
export async function scan(store: ReplicaStore, table: TableSchema, after?: readonly string[]): Promise<StampedRow[]> {
  const rows: StampedRow[] = []
  for await (const batch of store.scanRows(table, after)) {
    for (let i = 0; i < batch.rows; i++) rows.push(normal(rowAt(batch, i)))
  }
  return rows
}

/** The normal form of a row. */
export function normal(stored: StampedRow): StampedRow {
  return joinStamped(undefined, stored)
}

/** One string for one key, for maps. */
export function identity(key: readonly string[]): string {
  return JSON.stringify(key)
}

/** Asserts that an error of the registry is thrown with one of these codes. */
export async function rejectsWith(promise: Promise<unknown>, ...codes: readonly string[]): Promise<void> {
  const outcome = await promise.then(
    () => 'no error',
    (error: unknown) => codeOf(error),
  )
  assert.ok(codes.includes(outcome), `expected ${codes.join(' or ')}, got ${outcome}`)
}

/** The code of an error of the registry, or its text. */
export function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && error.name === 'MerganserError') return String(error.code)
  return String(error)
}

import type { Connector, OpenContext, Owner, ReplicaStore, StoreMeta, WriteResult } from '../connectors/connector.ts'
import { batchOf, keyAt, rowAt, type KeyBatch, type RowBatch } from '../core/batch.ts'
import { MerganserError } from '../core/errors.ts'
import { keyBytes, type TableSchema } from '../core/table.ts'
import type { Holder, SimulatedDatabase } from './database.ts'
import type { Injected, Link } from './link.ts'
import type { Life, Schedule } from './schedule.ts'
import type { Chance } from './seeds.ts'

/** Rows of one batch of a scan. */
const PAGE = 100
/** Microseconds until a server sees that a client is gone; how often, and how long, a lock that isn't free is asked for. */
const NOTICED = 2_000_000
const ASKED_AGAIN = 500_000
const LONGEST_WAIT = 5_000_000

export interface Server {
  readonly database: SimulatedDatabase
  readonly link: Link
}

/** What the connectors of one process share. */
export interface ClientWorld {
  readonly schedule: Schedule
  /** The process's; the world's. */
  readonly life: Life
  readonly world: Life
  readonly chance: Chance
  readonly injected: Injected
  /** Told how many keys are being looked up, whenever that changes. */
  readonly reading: (keys: number) => void
  /** Told that the database has carried out what was asked of it. */
  readonly served: (wrote: boolean) => void
  /** How likely it is that a write comes apart: a part of it is done, then the connection is lost. */
  readonly halves: () => number
}

/** A connector to the simulated databases, by the replica's name. */
export function simulatedConnector(servers: ReadonlyMap<string, Server>, client: ClientWorld, type: string): Connector {
  const server = servers.get(type)!
  return {
    type,
    capabilities: server.database.capabilities,
    options: () => ({}),
    open: async (_options, context) => await SimulatedStore.open(server, client, context),
  }
}

class SimulatedStore implements ReplicaStore {
  readonly #server: Server
  readonly #client: ClientWorld
  readonly #replica: string
  readonly #holder: Holder | undefined
  #closed = false
  #broken = false
  #reading = 0
  meta: StoreMeta | undefined

  static async open(server: Server, client: ClientWorld, context: OpenContext): Promise<SimulatedStore> {
    const { owner, replica } = context
    const holder =
      owner === undefined ? undefined : { name: owner.name, session: owner.session, gone: false, found: undefined }
    const store = new SimulatedStore(server, client, replica, holder)
    try {
      await store.#begin(owner)
      return store
    } catch (error) {
      // Its connection is closed: what of it still arrives does nothing.
      if (holder !== undefined) holder.gone = true
      throw error
    }
  }

  async #begin(owner: Owner | undefined): Promise<void> {
    const { database } = this.#server
    const { schedule, life } = this.#client
    const waits = schedule.now + LONGEST_WAIT
    for (;;) {
      const meta = await this.#ask(() => take(database, owner, this.#holder, life))
      if (meta !== 'locked') {
        this.meta = meta
        return
      }
      if (schedule.now > waits) {
        const by = database.holder?.name ?? 'another one'
        throw new MerganserError('DATABASE_LOCKED', `the database is in use by ${by}`, {
          place: { replica: this.#replica },
        })
      }
      await schedule.after(ASKED_AGAIN, life)
    }
  }

  constructor(server: Server, client: ClientWorld, replica: string, holder: Holder | undefined) {
    this.#server = server
    this.#client = client
    this.#replica = replica
    this.#holder = holder
  }

  greatestStamp(tables: readonly TableSchema[]): Promise<string> {
    const { database } = this.#server
    return this.#ask(() => {
      const rows = tables.flatMap((table) => database.rows(table.name))
      const stamps = rows.flatMap(({ cells, deleted }) => [deleted, ...cells.map((cell) => cell?.stamp)])
      return stamps.reduce<string>((most, stamp) => (stamp != null && stamp > most ? stamp : most), '')
    })
  }

  ensureTable(table: TableSchema): Promise<void> {
    return this.#ask(() => {
      this.#server.database.create(table)
    })
  }

  async readRows(table: TableSchema, keys: KeyBatch): Promise<RowBatch> {
    const wanted = Array.from({ length: keys.rows }, (_, i) => keyAt(keys, i))
    this.#reading += keys.rows
    this.#client.reading(this.#reading)
    try {
      return await this.#ask(() => {
        const rows = wanted.map((key) => this.#server.database.get(table.name, key))
        return batchOf(
          table,
          rows.filter((row) => row !== undefined),
        )
      })
    } finally {
      this.#reading -= keys.rows
    }
  }

  async *scanRows(table: TableSchema, afterKey?: readonly string[]): AsyncGenerator<RowBatch> {
    let after = afterKey
    for (;;) {
      const from = after === undefined ? undefined : keyBytes(table, after)
      const page = await this.#ask(() => {
        const rows = this.#server.database.rows(table.name)
        return rows
          .filter(({ key }) => from === undefined || Buffer.compare(keyBytes(table, key), from) > 0)
          .slice(0, PAGE)
      })
      if (page.length === 0) return
      yield batchOf(table, page)
      after = page.at(-1)!.key
    }
  }

  async writeRows(table: TableSchema, batch: RowBatch): Promise<WriteResult> {
    const { chance, injected, halves } = this.#client
    const rows = Array.from({ length: batch.rows }, (_, i) => rowAt(batch, i))
    const { database } = this.#server
    if (rows.length > 1 && chance.happens(halves())) {
      injected('half a write')
      const half = chance.between(1, rows.length - 1)
      await this.#ask(() => database.write(table, rows.slice(0, half)), true)
      throw this.#lost('in the middle of a write')
    }
    return await this.#ask(() => database.write(table, rows), true)
  }

  writeMeta(meta: Omit<StoreMeta, 'logId'>): Promise<void> {
    const { database } = this.#server
    return this.#ask(() => {
      // Late messages of a session that is gone change nothing: as the token that fences a real write sees to it.
      if (database.holder === this.#holder && database.meta !== undefined) {
        database.meta = { ...database.meta, ...meta }
      }
    })
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const { schedule, world } = this.#client
    const { database } = this.#server
    const gone = () => {
      if (this.#holder !== undefined) this.#holder.gone = true
      if (database.holder === this.#holder) database.holder = undefined
    }
    // A connection that is cut keeps its lock until the server notices.
    if (this.#broken) schedule.at(NOTICED, world, gone)
    else gone()
    await schedule.after(100, this.#client.life)
  }

  async #ask<T>(work: () => T, writes = false): Promise<T> {
    if (this.#closed)
      throw new MerganserError('STORE_CLOSED', 'the store is closed', { place: { replica: this.#replica } })
    if (this.#broken) throw this.#lost('before')
    try {
      return await this.#server.link.ask(this.#client.life, this.#replica, () => {
        const done = work()
        this.#client.served(writes)
        return done
      })
    } catch (error) {
      if (error instanceof MerganserError && error.code === 'CONNECTION_LOST') this.#broken = true
      throw error
    }
  }

  #lost(why: string): MerganserError {
    this.#broken = true
    return new MerganserError('CONNECTION_LOST', `the connection was lost ${why}`, {
      place: { replica: this.#replica },
    })
  }
}

/** Takes the owner's lock and marks the database as in use; gives what it knew before. */
function take(
  database: SimulatedDatabase,
  owner: Owner | undefined,
  holder: Holder | undefined,
  life: Life,
): StoreMeta | undefined | 'locked' {
  const { meta, holder: other } = database
  if (owner === undefined || holder === undefined || holder.gone || life.ended) return meta
  // Asked twice, it gives the same answer.
  if (holder.found !== undefined) return holder.found.meta
  const mine = other?.session !== undefined && other.session === owner.session
  if (other !== undefined && !other.gone && !mine) return 'locked'
  database.holder = holder
  holder.found = { meta }
  const position = meta?.logId === owner.logId ? meta.position : 0
  const highWater = meta?.highWater ?? ''
  database.meta = { logId: owner.logId, inUse: true, highWater, position }
  return meta
}

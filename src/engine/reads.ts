import { BatchKeys, keyName } from '../core/batch-keys.ts'
import { cellsAt, KeyBatchBuilder, type KeyBatch, type RowBatch } from '../core/batch.ts'
import { joinRows, type Row } from '../core/row.ts'
import type { Foreign, ReplicaId, ReplicaState, TableId, TableKeys } from '../core/state.ts'
import { rowOfStamped, withoutForeign } from '../core/stamped.ts'
import { keyBytes, type TableSchema } from '../core/table.ts'

/** A GET that the cache alone can't answer. */
export interface Miss {
  readonly key: readonly string[]
  /** As `keyName` spells it. */
  readonly name: string
  /** The cached row when the GET was issued. */
  readonly own: Row | undefined
  /** Called with the join of that and what the database held. */
  answer(row: Row | undefined): void
}

interface Gathering {
  readonly replica: ReplicaId
  readonly table: TableId
  readonly keys: KeyBatchBuilder
  /** By `keyName`: the last that asked for it. */
  readonly misses: Map<string, Waiting>
}

/** A miss, whose own row may yet grow by what the log held already. */
interface Waiting {
  own: Row | undefined
  readonly miss: Miss
  /** One that asked for the same key before. */
  readonly before: Waiting | undefined
}

/** A full batch goes at once; what is left goes at the end of a block. */
const KEYS_PER_READ = 1000

/** What a GET shows whose cached row was `own`, and which the database answers with `found`. */
function joined(own: Row | undefined, found: Row | undefined): Row | undefined {
  if (found === undefined || own === undefined) return found ?? own
  return joinRows(
    own,
    withoutForeign(own, found, () => undefined),
  )
}

/** Reads rows of a replica's database. */
export type ReadRows = (replica: ReplicaId, table: TableSchema, keys: KeyBatch) => Promise<RowBatch>

export interface ReadEvents {
  foreign(replica: ReplicaId, foreign: readonly Foreign[]): void
  /** The greatest time met in a database. */
  met(time: bigint): void
  /** The GETs of a look-up have their answers. */
  answered(): void
}

/**
 * Look-ups: GETs that miss are gathered into batches, many of which may be on their way; what comes back is learned
 * (I14) and answers them.
 */
export class Reads {
  readonly #state: ReplicaState
  readonly #tables: readonly TableSchema[]
  readonly #readRows: ReadRows
  readonly #events: ReadEvents
  readonly #gathering = new Map<string, Gathering>()
  readonly #asked = new Set<Gathering>()
  #running = new Set<Promise<void>>()
  /** Shared by all who wait for the next answers: they may be many. */
  #arriving: Promise<void> | undefined
  #arrive: (() => void) | undefined
  #failure: unknown
  /** Keys that were asked for. */
  asked = 0

  constructor(state: ReplicaState, tables: readonly TableSchema[], readRows: ReadRows, events: ReadEvents) {
    this.#state = state
    this.#tables = tables
    this.#readRows = readRows
    this.#events = events
  }

  /** Adds a miss to the next batch. */
  miss(replica: ReplicaId, table: TableId, miss: Miss): void {
    const name = `${String(replica)}.${String(table)}`
    let batch = this.#gathering.get(name)
    if (batch === undefined) {
      batch = { replica, table, keys: new KeyBatchBuilder(this.#tables[table]!), misses: new Map() }
      this.#gathering.set(name, batch)
    }
    const before = batch.misses.get(miss.name)
    batch.misses.set(miss.name, { own: miss.own, miss, before })
    if (before === undefined) batch.keys.push(miss.key)
    if (batch.keys.rows >= KEYS_PER_READ) this.#send(name, batch)
  }

  /**
   * A row of the log that the database turned out to lack (design section 5): GETs that wait for the database have it
   * too. It is older than they are, since nothing after them is in the log yet.
   */
  restored(replica: ReplicaId, table: TableId, key: readonly string[], row: Row): void {
    const name = keyName(keyBytes(this.#tables[table]!, key))
    for (const batch of [...this.#asked, ...this.#gathering.values()]) {
      if (batch.replica !== replica || batch.table !== table) continue
      let waiting = batch.misses.get(name)
      for (; waiting !== undefined; waiting = waiting.before) waiting.own = joinRows(waiting.own, row)
    }
  }

  /** Sends what was gathered. */
  dispatch(): void {
    for (const [name, batch] of [...this.#gathering]) this.#send(name, batch)
  }

  /** Whether answers are on their way. */
  get busy(): boolean {
    return this.#running.size > 0 || this.#gathering.size > 0
  }

  /** Whether a GET will never be answered: nothing after it is written any more. */
  get failed(): boolean {
    return this.#failure !== undefined
  }

  /** Resolves when the next answers have come, all of them with `all`; rejects where a read failed. */
  async settled(all: boolean): Promise<void> {
    this.dispatch()
    if (all) while (this.#running.size > 0) await Promise.all(this.#running)
    else if (this.#running.size > 0) await this.#arrival()
    this.check()
  }

  /** Throws where a read has failed. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure as Error
  }

  /** Looks rows up and learns them. */
  async resolve(replica: ReplicaId, keys: readonly TableKeys[]): Promise<void> {
    await Promise.all(
      keys.map(async ({ table, keys: batch }) => {
        this.#learn(replica, table, batch, await this.#read(replica, table, batch))
      }),
    )
  }

  #arrival(): Promise<void> {
    return (this.#arriving ??= new Promise((resolve) => (this.#arrive = resolve)))
  }

  #send(name: string, batch: Gathering): void {
    this.#gathering.delete(name)
    this.#asked.add(batch)
    const running = this.#answer(batch).catch((error: unknown) => {
      this.#failure ??= error
    })
    this.#running.add(running)
    void running.then(() => {
      this.#running.delete(running)
      this.#asked.delete(batch)
      const arrived = this.#arrive
      this.#arriving = this.#arrive = undefined
      arrived?.()
    })
  }

  async #answer({ replica, table, keys, misses }: Gathering): Promise<void> {
    const asked = keys.build()
    const rows = await this.#read(replica, table, asked)
    const names = new BatchKeys(this.#tables[table]!, rows)
    const found = new Map<string, Row>()
    for (let i = 0; i < rows.rows; i++) found.set(names.name(i), rowOfStamped(cellsAt(rows, i)))
    this.#learn(replica, table, asked, rows)
    for (const [name, last] of misses) {
      const row = found.get(name)
      for (let waiting: Waiting | undefined = last; waiting !== undefined; waiting = waiting.before) {
        waiting.miss.answer(joined(waiting.own, row))
      }
    }
    this.#events.answered()
  }

  #read(replica: ReplicaId, table: TableId, keys: KeyBatch): Promise<RowBatch> {
    this.asked += keys.rows
    return this.#readRows(replica, this.#tables[table]!, keys)
  }

  #learn(replica: ReplicaId, table: TableId, keys: KeyBatch, rows: RowBatch): void {
    const { foreign, greatest } = this.#state.learn(replica, table, keys, rows)
    this.#events.met(greatest)
    if (foreign.length > 0) this.#events.foreign(replica, foreign)
  }
}

import { keyAt, textAt, type RowBatch } from '../core/batch.ts'
import { MerganserError } from '../core/errors.ts'
import type { ChangeResult, Foreign, ReplicaId, ReplicaState, TableId } from '../core/state.ts'
import type { TableSchema } from '../core/table.ts'
import type { BatchBounds } from '../connectors/connector.ts'
import type { WallClock } from '../environment/environment.ts'
import type { Lane } from '../lanes/lane.ts'
import type { Reads } from './reads.ts'

/** A row that a database can't hold. */
export interface Rejected {
  readonly table: TableId
  readonly key: readonly string[]
  readonly reason: string
}

export interface FlushEvents {
  /** A batch of rows, joined in the database; rejected ones are among `rows`. */
  flushed(flush: FlushedBatch): void
  /** @param since what the rows hold and the database doesn't stands in the log after this record */
  rejected(replica: ReplicaId, rejected: readonly Rejected[], since: number): void
  /** Rows that the database took, but for `rejected`, so that none of them is quarantined any more. */
  accepted(replica: ReplicaId, table: TableId, batch: RowBatch, rejected: ReadonlySet<number>): void
  foreign(replica: ReplicaId, foreign: readonly Foreign[]): void
}

export interface FlushedBatch {
  readonly replica: ReplicaId
  readonly rows: number
  readonly written: number
  readonly stale: number
  /** The database holds the log up to this record. */
  readonly upTo: number
  readonly tries: number
  readonly milliseconds: number
}

export interface FlusherOptions {
  readonly replica: ReplicaId
  readonly state: ReplicaState
  readonly tables: readonly TableSchema[]
  readonly lane: Lane
  readonly reads: Reads
  /** Rows and bytes of one write at the most. */
  readonly bounds: BatchBounds
  readonly clock: WallClock
  /** Resolves when the replica's log is durable up to a record. */
  readonly durable: (replica: ReplicaId, record: number) => Promise<void>
  readonly events: FlushEvents
  /** Lets callbacks in. */
  readonly yield: () => Promise<void>
}

/**
 * Brings a replica's changes into its database, in the background: what gathers while one batch is being written goes
 * as the next, one joined row per key. The position moves only over what the database has confirmed (I6).
 */
export class Flusher {
  readonly #options: FlusherOptions
  /** Rows up to this record were written; those that changed again meanwhile are still to come. */
  #cursor: number
  #position: number
  /** The batch after the one that is being written, gathered meanwhile; later changes of its rows come again. */
  #ahead: { readonly from: number; readonly changes: ChangeResult } | undefined
  #running: Promise<void> | undefined
  #wanted = false
  #stopped = false
  #failure: MerganserError | undefined

  constructor(options: FlusherOptions, position: number) {
    this.#options = options
    this.#position = position
    this.#cursor = position
  }

  /** The database holds the log up to this record. */
  get position(): number {
    return this.#position
  }

  /** Nothing beyond this record was written. */
  get reached(): number {
    return this.#cursor
  }

  /** Why the flush ended, where the database stayed away or refused. */
  get failure(): MerganserError | undefined {
    return this.#failure
  }

  /** The database turned out to hold less than was recorded: what is missing is flushed again. */
  setBack(position: number): void {
    this.#position = Math.min(this.#position, position)
    this.#cursor = this.#position
    this.#dropAhead()
  }

  /** Lets a flush begin, now or after the one that is running. */
  schedule(): void {
    if (this.#failure !== undefined || this.#stopped) return
    this.#wanted = true
    this.#running ??= this.#run()
  }

  /** Resolves when the database holds the cache as it is now, or the lane has failed. */
  async drain(): Promise<void> {
    this.schedule()
    while (this.#running !== undefined) await this.#running
  }

  /** Begins no batch any more; resolves when the one that is being written has ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    while (this.#running !== undefined) await this.#running
  }

  async #run(): Promise<void> {
    // The first batch is gathered in a turn of its own: statements of the same block belong to it.
    await Promise.resolve()
    try {
      while (this.#wanted && !this.#stopped) {
        this.#wanted = false
        while (!this.#stopped && (await this.#batch())) {
          // Until nothing is left.
        }
      }
    } catch (error) {
      this.#failure = asProblem(error, this.#options.lane.replica)
    }
    // Nobody writes what was gathered ahead, unless it goes on.
    this.#dropAhead()
    this.#running = undefined
  }

  /** Writes one batch; false where there was nothing to write. */
  async #batch(): Promise<boolean> {
    const { replica, reads } = this.#options
    const changes = this.#next()
    try {
      if (changes.rows === 0) {
        this.#position = Math.max(this.#position, changes.upTo)
        this.#cursor = this.#position
        return false
      }
      if (changes.lookups.length > 0) await reads.resolve(replica, changes.lookups)
      else await this.#join(changes)
      return true
    } finally {
      giveBack(changes)
    }
  }

  /** The batch that was gathered ahead, if it is the next one and nothing came since that it has room for. */
  #next(): ChangeResult {
    const { state, replica, bounds } = this.#options
    const ahead = this.#ahead
    if (ahead?.from === this.#cursor && !(ahead.changes.done && state.changed(replica, ahead.changes.upTo))) {
      this.#ahead = undefined
      return ahead.changes
    }
    this.#dropAhead()
    return state.changes(replica, this.#cursor, bounds)
  }

  #dropAhead(): void {
    const ahead = this.#ahead
    this.#ahead = undefined
    if (ahead !== undefined) giveBack(ahead.changes)
  }

  /** Writes a batch once its records are durable. */
  async #join(changes: ChangeResult): Promise<void> {
    const { replica, lane, clock, durable, events } = this.#options
    await durable(replica, changes.records)
    const from = this.#cursor
    const started = clock.milliseconds()
    const retries = lane.retries
    const writing = this.#write(changes)
    try {
      if (!changes.done) await this.#gatherAhead(changes.upTo, writing)
    } finally {
      // Whatever happens, the batch is read until then.
      await writing.catch(() => undefined)
    }
    const { written, stale } = await writing
    // A store that was opened anew meanwhile may have set the position back.
    if (this.#cursor === from) {
      this.#cursor = changes.upTo
      if (changes.done) this.#position = changes.upTo
    }
    events.flushed({
      replica,
      rows: changes.rows,
      written,
      stale,
      upTo: this.#position,
      tries: 1 + lane.retries - retries,
      milliseconds: clock.milliseconds() - started,
    })
  }

  /** Gathers the next batch once this one is on its way, so that the database needn't wait for it. */
  async #gatherAhead(from: number, writing: Promise<unknown>): Promise<void> {
    const { replica, state, bounds } = this.#options
    let ended = false
    const end = () => {
      ended = true
    }
    writing.then(end, end)
    await this.#options.yield()
    if (!ended && !this.#stopped) this.#ahead = { from, changes: state.changes(replica, from, bounds) }
  }

  async #write(changes: ChangeResult): Promise<{ written: number; stale: number }> {
    const { replica, tables, lane, events } = this.#options
    let written = 0
    let stale = 0
    for (const { table, batch } of changes.changed) {
      const result = await lane.writeRows(tables[table]!, batch)
      written += result.written
      stale += result.stale
      events.accepted(replica, table, batch, new Set(result.rejected.map(({ row }) => row)))
      if (result.rejected.length > 0) {
        const rejected = result.rejected.map(({ row, reason }) => ({ table, key: keyAt(batch, row), reason }))
        events.rejected(replica, rejected, this.#position)
      }
      if (result.foreign.length > 0) {
        const foreign = result.foreign.map(({ row, column }) => {
          return { table, key: keyAt(batch, row), column, stamp: textAt(batch.stamps[column]!, row) ?? '' }
        })
        events.foreign(replica, foreign)
      }
    }
    return { written, stale }
  }
}

/** The rows were written, or nobody will write them: their bytes may be used again. */
function giveBack({ changed }: ChangeResult): void {
  for (const { batch } of changed) batch.release?.()
}

function asProblem(error: unknown, replica: string): MerganserError {
  if (error instanceof MerganserError) return error
  const message = error instanceof Error ? error.message : String(error)
  return new MerganserError('BUG', message, { place: { replica }, cause: error })
}

import { MerganserError } from '../../core/errors.ts'
import type { KeyBatch, RowBatch } from '../../core/batch.ts'
import type { TableSchema } from '../../core/table.ts'
import type { KeyRange, OpenContext, RangeDigest, ReplicaStore, StoreMeta, WriteResult } from '../connector.ts'
import type { HiveConfig } from './client/config.ts'
import { hiveFault } from './client/faults.ts'
import { digestRanges, splitTable } from './digest.ts'
import { LockWatch } from './locks.ts'
import { readMeta, takeOwnership, type Ownership } from './owner.ts'
import { emptyBatch, readKeys } from './read.ts'
import { conditionsOf, scanFew, scanMany } from './scan.ts'
import { Session } from './session.ts'
import { ensureShape, hasTable } from './shape.ts'
import { dropStaging, Staging, type StagingOptions } from './staging.ts'
import { greatestStatement, tableName } from './statements.ts'
import { writeBatch, type Writer } from './write.ts'

/** Every so many times all of a table's files are put together, else the small ones. */
const COMPACTIONS_TO_MAJOR = 5

/** A reader that meets files on their way into a table, our own MERGE's for instance, looks so often. */
const LOOKS = 5

/** Whether a statement failed since what another one was writing is where it belongs by now. */
function metStaging(error: unknown): boolean {
  const text = hiveFault(error)?.text ?? ''
  return text.includes('.hive-staging') && /No such file|FileNotFoundException|does not exist/i.test(text)
}

export interface HiveOptions {
  readonly config: HiveConfig
  readonly staging: StagingOptions
  readonly leaseMilliseconds: number
  /** Own transactions of a table after which its small files are put together; 0 leaves that to the server. */
  readonly compactAfter: number
}

/** What a store that is opened for writing has besides. */
interface Writing {
  readonly session: Session
  readonly staging: Staging
  readonly keeper: Session
  readonly ownership: Ownership
}

/**
 * One replica in Hive. Writes go over one session, reads over another, so that they wait for no flush; a large scan has
 * its own, and so has the owner's lease. A write is one MERGE, which is durable when it returns.
 */
export class HiveStore implements ReplicaStore {
  readonly meta: StoreMeta | undefined
  readonly #options: HiveOptions
  readonly #context: OpenContext
  readonly #reader: Session
  readonly #writing: Writing | undefined
  readonly #scans = new Set<Session>()
  readonly #running = new Set<Promise<unknown>>()
  readonly #abort: AbortController
  /** Tables whose shape was seen to be right. */
  readonly #known = new Set<string>()
  /** Tables of which large writes were found to bring rows that are there. */
  readonly #changing = new Set<string>()
  /** Tables that this store made and hasn't written to. */
  readonly #empty = new Set<string>()
  /** Own transactions since the last compaction, and compactions, by table. */
  readonly #merges = new Map<string, { merges: number; compactions: number }>()
  #closing: Promise<void> | undefined

  private constructor(
    options: HiveOptions,
    context: OpenContext,
    parts: { reader: Session; writing: Writing | undefined; meta: StoreMeta | undefined; abort: AbortController },
  ) {
    this.#options = options
    this.#context = context
    this.#reader = parts.reader
    this.#writing = parts.writing
    this.meta = parts.meta
    this.#abort = parts.abort
  }

  /** Throws DATABASE_LOCKED, DATABASE_UNREACHABLE, DATABASE_REFUSED, CONNECTION_LOST. */
  static async open(options: HiveOptions, context: OpenContext): Promise<HiveStore> {
    const abort = new AbortController()
    const { replica, progress, access, owner } = context
    const session = (check: boolean, signal?: AbortSignal) =>
      Session.open(options.config, { replica, progress, check, signal })
    const reader = await session(true, abort.signal)
    if (access === 'read') {
      try {
        return new HiveStore(options, context, { reader, writing: undefined, meta: await readMeta(reader), abort })
      } catch (error) {
        await reader.connection.close()
        throw error
      }
    }
    const opened = [reader]
    try {
      if (owner === undefined) throw new MerganserError('BUG', 'a store is opened for writing without an owner')
      const keeper = await session(false)
      opened.push(keeper)
      const { ownership, meta } = await takeOwnership(keeper, owner, context, options.leaseMilliseconds)
      try {
        await keeper.take(dropStaging)
        const writer = await session(false, abort.signal)
        opened.push(writer)
        const writing = { session: writer, staging: new Staging(options.staging), keeper, ownership }
        return new HiveStore(options, context, { reader, writing, meta, abort })
      } catch (error) {
        await ownership.release().catch(() => undefined)
        throw error
      }
    } catch (error) {
      await Promise.all(opened.map((one) => one.connection.close()))
      throw error
    }
  }

  async greatestStamp(tables: readonly TableSchema[]): Promise<string> {
    return await this.#reading(async (session) => {
      let greatest = ''
      for (const table of tables) {
        if (this.#empty.has(table.name) || !(await this.#isThere(session, table))) continue
        const [row] = await session.rows(greatestStatement(table))
        const stamp = row?.[0]
        if (typeof stamp === 'string' && stamp > greatest) greatest = stamp
      }
      return greatest
    })
  }

  async ensureTable(table: TableSchema): Promise<void> {
    await this.#write(async ({ session }) => {
      if (this.#known.has(JSON.stringify(table))) return
      if (await session.take((taken) => ensureShape(taken, table))) this.#empty.add(table.name)
      this.#known.add(JSON.stringify(table))
    })
  }

  async readRows(table: TableSchema, keys: KeyBatch): Promise<RowBatch> {
    return await this.#reading(async (session) => {
      if (keys.rows === 0 || !(await this.#isThere(session, table))) return emptyBatch(table)
      return await readKeys(session, table, keys)
    })
  }

  async *scanRows(
    table: TableSchema,
    afterKey?: readonly string[],
    upToKey?: readonly string[],
  ): AsyncGenerator<RowBatch> {
    const conditions = conditionsOf(table, afterKey, upToKey)
    const few = await this.#reading(async (session) => {
      return (await this.#isThere(session, table)) ? await scanFew(session, table, conditions) : []
    })
    if (few !== undefined) {
      for (const batch of few) {
        this.#checkOpen()
        yield batch
      }
      return
    }
    const session = await this.#call(() => this.#open())
    this.#scans.add(session)
    const rows = scanMany(session, table, conditions)
    try {
      for (;;) {
        const next = await this.#call(() => rows.next())
        if (next.done === true) return
        yield next.value
      }
    } finally {
      this.#scans.delete(session)
      await rows.return(undefined).catch(() => undefined)
      await session.connection.close()
    }
  }

  async #open(): Promise<Session> {
    const { replica, progress } = this.#context
    return await Session.open(this.#options.config, { replica, progress, signal: this.#abort.signal })
  }

  async digest(table: TableSchema, ranges: readonly KeyRange[]): Promise<readonly RangeDigest[]> {
    return await this.#reading(async (session) => {
      if (await this.#isThere(session, table)) return await digestRanges(session, table, ranges)
      return ranges.map((): RangeDigest => ({ rows: 0, sums: [0n, 0n] }))
    })
  }

  async splitKeys(table: TableSchema, parts: number): Promise<readonly (readonly string[])[]> {
    return await this.#reading(async (session) => {
      return (await this.#isThere(session, table)) ? await splitTable(session, table, parts) : []
    })
  }

  async writeRows(table: TableSchema, batch: RowBatch): Promise<WriteResult> {
    return await this.#write(async ({ session, staging }) =>
      session.take(async (taken) => {
        if (!(await this.#isThere(taken, table))) {
          throw new MerganserError('SCHEMA_MISMATCH', `there is no table ${table.name} in Hive`, {
            place: { table: table.name },
          })
        }
        const writer = { session: taken, reader: this.#reader, staging, changing: this.#changing, empty: this.#empty }
        try {
          const { result, merges } = await this.#join(writer, table, batch)
          if (merges > 0) await this.#compact(taken, table, merges)
          return result
        } finally {
          this.#empty.delete(table.name)
        }
      }),
    )
  }

  /** The write itself; while it waits for the table's lock, it is told who holds it. */
  async #join(writer: Writer, table: TableSchema, batch: RowBatch): ReturnType<typeof writeBatch> {
    const { config } = this.#options
    const watch = new LockWatch(this.#writing!.keeper, config.database, table, this.#context.progress)
    const idle = (milliseconds: number) => {
      watch.idle(milliseconds)
    }
    try {
      return await writer.session.watched(idle, () => writeBatch(writer, table, batch))
    } catch (error) {
      throw watch.explained(error)
    }
  }

  /** Asks for compaction where transactions have piled up; Hive does it in the background, in its own time. */
  async #compact(session: Session, table: TableSchema, merges: number): Promise<void> {
    const counts = this.#merges.get(table.name) ?? { merges: 0, compactions: 0 }
    this.#merges.set(table.name, counts)
    counts.merges += merges
    const { compactAfter } = this.#options
    if (compactAfter === 0 || counts.merges < compactAfter) return
    counts.merges = 0
    const kind = ++counts.compactions % COMPACTIONS_TO_MAJOR === 0 ? 'major' : 'minor'
    // Without compaction the table gets slower; nothing else depends on it.
    await session.execute(`ALTER TABLE ${tableName(table)} COMPACT '${kind}'`).catch(() => undefined)
  }

  async writeMeta(meta: Omit<StoreMeta, 'logId'>): Promise<void> {
    await this.#write(({ ownership }) => ownership.writeMeta(meta))
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#abort.abort(this.#closedError(undefined))
    await Promise.allSettled(this.#running)
    await Promise.all([...this.#scans].map((scan) => scan.connection.close()))
    const writing = this.#writing
    await Promise.all([this.#reader.connection.close(), writing?.session.connection.close()])
    if (writing === undefined) return
    const { keeper, ownership, staging } = writing
    try {
      if (!keeper.connection.lost) await keeper.take((session) => staging.close(session))
      if (!keeper.connection.lost) await ownership.release()
    } catch {
      // What is left, the next one that opens the database drops.
    } finally {
      await staging.removeFiles().catch(() => undefined)
      await Promise.all([ownership.stop(), keeper.connection.close()])
    }
  }

  async #isThere(session: Session, table: TableSchema): Promise<boolean> {
    // A schema that comes from another thread is a new object each time.
    const shape = JSON.stringify(table)
    if (this.#known.has(shape)) return true
    const there = await hasTable(session, table)
    if (there) this.#known.add(shape)
    return there
  }

  async #write<T>(work: (writing: Writing) => Promise<T>): Promise<T> {
    this.#checkOpen()
    const writing = this.#writing
    if (writing === undefined) throw new MerganserError('BUG', 'a store that was opened for reading is written to')
    return await this.#call(async () => {
      await writing.ownership.check()
      return await work(writing)
    })
  }

  async #reading<T>(work: (session: Session) => Promise<T>): Promise<T> {
    this.#checkOpen()
    return await this.#call(async () => {
      // Without its lock the store must not answer either: someone else may own the database by now.
      await this.#writing?.ownership.check()
      for (let tries = 1; ; tries++) {
        try {
          return await this.#reader.take(work)
        } catch (error) {
          if (tries === LOOKS || !metStaging(error)) throw error
        }
      }
    })
  }

  /** One call from outside: refused or failed with STORE_CLOSED once the store closes. */
  async #call<T>(work: () => Promise<T>): Promise<T> {
    this.#checkOpen()
    const running = work()
    this.#running.add(running)
    try {
      return await running
    } catch (error) {
      throw this.#isClosing() ? this.#closedError(error) : this.#fault(error)
    } finally {
      this.#running.delete(running)
    }
  }

  #fault(error: unknown): MerganserError {
    if (error instanceof MerganserError) return error
    const message = error instanceof Error ? error.message : String(error)
    return new MerganserError('BUG', `internal error: ${message}`, { cause: error })
  }

  #isClosing(): boolean {
    return this.#closing !== undefined
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw this.#closedError(undefined)
  }

  #closedError(cause: unknown): MerganserError {
    const { replica } = this.#context
    return new MerganserError('STORE_CLOSED', `the database of ${replica} was closed`, { place: { replica }, cause })
  }
}

import { keyAt, keysOf, rowAt, type RowBatch } from '../core/batch.ts'
import { greatestText } from '../core/concat.ts'
import { MerganserError } from '../core/errors.ts'
import type { TableId } from '../core/state.ts'
import { stampOfText } from '../core/stamped.ts'
import type { TableSchema } from '../core/table.ts'
import { batchBounds, type WriteResult } from '../connectors/connector.ts'
import { readPositions } from '../oplog/positions.ts'
import { inspectLog } from '../oplog/recover.ts'
import type { Replica } from './context.ts'
import { CopyFile, shapeText, type CopyProgress } from './copy-progress.ts'
import { CopySource } from './copy-source.ts'
import { positionsPath } from './opening.ts'
import { decodePositions } from './positions.ts'
import type { Session } from './session.ts'
import type { EngineSetup, ReplicaSetup } from './setup.ts'

export interface CopyWork {
  /** Where the rows come from; only read. */
  readonly from: ReplicaSetup
  readonly table: TableId
  /** Forgets what an earlier copy has done. */
  readonly restart: boolean
  /** Rows of one write, about. */
  readonly batchRows?: number
  /** Ends the copy after the batch that is being written. */
  readonly signal: AbortSignal
  /** Called after each batch with all rows so far, those of earlier parts of the copy included. */
  readonly progress: (rows: number) => void
}

export interface CopyResult {
  /** Rows read, tombstones included; of them, those that an earlier part of the copy had done. */
  readonly rows: number
  readonly resumed: number
  /** Rows that changed the database. */
  readonly written: number
  /** Rows that it can't hold, in the file. */
  readonly rejected: number
  readonly rejects: string
  /** Values that it has under the same stamp, but others (I15): they stay. */
  readonly foreign: number
  /** False where it was interrupted: the next copy goes on. */
  readonly whole: boolean
}

/**
 * Copies a table of one replica's database into that of the session's first replica, as `writeRows` joins it: rows
 * keep their stamps, nothing there is replaced by something older, and copying twice is the same as once. The rows are
 * in no oplog of the target, so the high water rises above their stamps, durably, before they are written: every later
 * session then knows that the database may hold them (I3, I14). Durable on return.
 */
export async function copyTable(session: Session, work: CopyWork): Promise<CopyResult> {
  return await new Copy(session, work).run()
}

/** How many records of a replica's oplog aren't in its database yet, as the state directory tells it. */
export async function pendingRecords({ environment, stateDirectory }: EngineSetup, name: string): Promise<number> {
  const path = positionsPath(stateDirectory)
  const content = await readPositions(environment.disk, path)
  const position = content === undefined ? undefined : decodePositions(content, path).get(name)
  const { records } = await inspectLog(environment.disk, stateDirectory, name, {
    from: position?.records ?? 0,
    ...(position === undefined ? {} : { expect: { logId: position.log, records: position.records } }),
  })
  return records - (position?.opened === true ? Math.min(position.flushed, records) : 0)
}

class Copy {
  readonly #session: Session
  readonly #work: CopyWork
  readonly #to: Replica
  readonly #schema: TableSchema
  readonly #file: CopyFile
  readonly #log: string
  #progress: CopyProgress | undefined
  #resumed = 0
  /** The greatest time that the recorded high water covers. */
  #promised = -1n

  constructor(session: Session, work: CopyWork) {
    const { replicas, catalog, keeper } = session.context
    this.#session = session
    this.#work = work
    this.#to = replicas[0]!
    this.#schema = catalog.schema(work.table)
    const { environment, stateDirectory } = session.setup
    this.#file = new CopyFile(environment.disk, stateDirectory, work.from.name, this.#to.name, this.#schema.name)
    this.#log = keeper.logId(this.#to.id)
  }

  async run(): Promise<CopyResult> {
    const { journal } = this.#session.context
    const { from } = this.#work
    const found = this.#work.restart ? undefined : await this.#file.read()
    const reading = new Reading(this.#source(), this.#schema, this.#isOurs(found) ? found.last : undefined)
    try {
      await this.#to.lane.open()
      if (!(await this.#resume(found))) reading.from(undefined)
      const what = `copy ${this.#schema.name} of ${from.name}`
      journal.remark(
        this.#to.id,
        this.#resumed === 0 ? `${what} began` : `${what} goes on after ${String(this.#resumed)} rows`,
      )
      const whole = await this.#rows(reading)
      const result = this.#result(whole)
      const { rows, written, rejected } = result
      const counts = `rows ${String(rows)} written ${String(written)} rejected ${String(rejected)}`
      journal.remark(this.#to.id, `${what} ${counts}${whole ? '' : ' so far'}`)
      if (whole) await this.#file.remove()
      return result
    } finally {
      await reading.close()
    }
  }

  #source(): CopySource {
    const { from, signal, batchRows } = this.#work
    const most = batchBounds(this.#to.capabilities)
    const bounds = batchRows === undefined ? most : { ...most, rows: batchRows }
    return new CopySource(this.#session.setup, from, signal, bounds)
  }

  /** Whether an earlier copy was into the same log and of the same shape. */
  #isOurs(found: CopyProgress | undefined): found is CopyProgress {
    return found?.log === this.#log && found.shape === shapeText(this.#schema)
  }

  /** Goes on where an earlier copy was interrupted, if the database still holds what it wrote; false where it doesn't. */
  async #resume(found: CopyProgress | undefined): Promise<boolean> {
    if (this.#isOurs(found) && (await this.#holds(found))) {
      this.#progress = found
      this.#resumed = found.rows
      await this.#file.cutRejects(found.rejectBytes)
      return true
    }
    if (found !== undefined) {
      const { events } = this.#session.context
      events.message(`${this.#to.name}: ${this.#schema.name} isn't what an interrupted copy left: it begins anew`)
    }
    await this.#file.remove()
    await this.#file.cutRejects(0)
    return false
  }

  async #holds({ probe }: CopyProgress): Promise<boolean> {
    if (probe === null) return true
    return (await this.#to.lane.readRows(this.#schema, keysOf(this.#schema, [probe]))).rows === 1
  }

  /** Writes batch by batch while the next one is being read; false where it was interrupted. */
  async #rows(reading: Reading): Promise<boolean> {
    for (;;) {
      const batch = await reading.next()
      if (this.#work.signal.aborted) return false
      if (batch === undefined) return true
      await this.#write(batch)
    }
  }

  async #write(batch: RowBatch): Promise<void> {
    await this.#promise(batch)
    const result = await this.#to.lane.writeRows(this.#schema, batch)
    const before = this.#progress
    const rejectBytes = await this.#reject(batch, result)
    const rejected = new Set(result.rejected.map(({ row }) => row))
    let taken = batch.rows - 1
    while (taken >= 0 && rejected.has(taken)) taken--
    this.#progress = {
      log: this.#log,
      shape: shapeText(this.#schema),
      last: keyAt(batch, batch.rows - 1),
      probe: taken >= 0 ? keyAt(batch, taken) : (before?.probe ?? null),
      rows: (before?.rows ?? 0) + batch.rows,
      written: (before?.written ?? 0) + result.written,
      rejected: (before?.rejected ?? 0) + rejected.size,
      foreign: (before?.foreign ?? 0) + result.foreign.length,
      rejectBytes: (before?.rejectBytes ?? 0) + rejectBytes,
    }
    await this.#file.write(this.#progress)
    this.#work.progress(this.#progress.rows)
  }

  /** The high water rises above a batch's stamps before any of them is in the database. */
  async #promise({ stamps, deleted }: RowBatch): Promise<void> {
    const text = greatestText([...stamps, deleted])
    const time = text === '' ? 0n : stampOfText(text).time
    if (time <= this.#promised) return
    const { clock } = this.#session.context
    clock.rise(time)
    this.#promised = clock.last
    await this.#session.writePositions()
  }

  /** Lists the rows that the database can't hold; gives the bytes that were written. */
  async #reject(batch: RowBatch, { rejected }: WriteResult): Promise<number> {
    if (rejected.length === 0) return 0
    return await this.#file.reject(rejected.map(({ row, reason }) => rejectLine(this.#schema, batch, row, reason)))
  }

  #result(whole: boolean): CopyResult {
    const { rows = 0, written = 0, rejected = 0, foreign = 0 } = this.#progress ?? {}
    return { rows, resumed: this.#resumed, written, rejected, rejects: this.#file.rejects, foreign, whole }
  }
}

function rejectLine({ name, key, values }: TableSchema, batch: RowBatch, row: number, reason: string): string {
  const stamped = rowAt(batch, row)
  return JSON.stringify({
    table: name,
    reason,
    key: Object.fromEntries(key.map((column, i) => [column.name, stamped.key[i]])),
    values: Object.fromEntries(values.map((column, i) => [column.name, stamped.cells[i]?.value ?? null])),
    stamps: Object.fromEntries(values.map((column, i) => [column.name, stamped.cells[i]?.stamp ?? null])),
    deleted: stamped.deleted,
  })
}

/** Reads a batch ahead, from the start: the first one comes while the other database is being opened. */
class Reading {
  readonly #source: CopySource
  readonly #schema: TableSchema
  #after: readonly string[] | undefined
  #batches: AsyncGenerator<RowBatch, void, undefined>
  #coming: Promise<IteratorResult<RowBatch, void>>

  constructor(source: CopySource, schema: TableSchema, after: readonly string[] | undefined) {
    this.#source = source
    this.#schema = schema
    this.#after = after
    this.#batches = source.batches(schema, after)
    this.#coming = this.#ahead()
  }

  /** Begins anew behind that key, unless it began there. */
  from(after: readonly string[] | undefined): void {
    if (after === this.#after) return
    this.#after = after
    const left = this.#batches
    this.#batches = this.#source.batches(this.#schema, after)
    // What was being read comes to its end first: it is the same connection.
    this.#coming = this.#coming.then(() => left.return()).then(() => this.#ahead())
    this.#coming.catch(() => undefined)
  }

  /** The next batch; undefined behind the last one. */
  async next(): Promise<RowBatch | undefined> {
    const { done, value } = await this.#coming
    if (done === true) return undefined
    this.#coming = this.#ahead()
    return value
  }

  /** What is still being read fails. */
  async close(): Promise<void> {
    await this.#source.close()
  }

  #ahead(): Promise<IteratorResult<RowBatch, void>> {
    const coming = this.#batches.next()
    // It is awaited later.
    coming.catch(() => undefined)
    return coming
  }
}

/** Throws SAME_REPLICA where a copy would be of a replica into itself. */
export function checkCopy(from: string, to: string): void {
  if (from !== to) return
  throw new MerganserError('SAME_REPLICA', `${from} is not copied into itself`, { place: { replica: from } })
}

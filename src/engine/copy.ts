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
    await this.#to.lane.open()
    await this.#resume()
    const what = `copy ${this.#schema.name} of ${from.name}`
    journal.remark(
      this.#to.id,
      this.#resumed === 0 ? `${what} began` : `${what} goes on after ${String(this.#resumed)} rows`,
    )
    const whole = await this.#rows()
    const result = this.#result(whole)
    const { rows, written, rejected } = result
    const counts = `rows ${String(rows)} written ${String(written)} rejected ${String(rejected)}`
    journal.remark(this.#to.id, `${what} ${counts}${whole ? '' : ' so far'}`)
    if (whole) await this.#file.remove()
    return result
  }

  /** Looks where an earlier copy was interrupted, and whether the database still holds what it wrote. */
  async #resume(): Promise<void> {
    const found = this.#work.restart ? undefined : await this.#file.read()
    if (found !== undefined && (await this.#holds(found))) {
      this.#progress = found
      this.#resumed = found.rows
      await this.#file.cutRejects(found.rejectBytes)
      return
    }
    if (found !== undefined) {
      const { events } = this.#session.context
      events.message(`${this.#to.name}: ${this.#schema.name} isn't what an interrupted copy left: it begins anew`)
    }
    await this.#file.remove()
    await this.#file.cutRejects(0)
  }

  async #holds({ log, shape, probe }: CopyProgress): Promise<boolean> {
    if (log !== this.#log || shape !== shapeText(this.#schema)) return false
    if (probe === null) return true
    return (await this.#to.lane.readRows(this.#schema, keysOf(this.#schema, [probe]))).rows === 1
  }

  /** Writes batch by batch while the next one is being read; false where it was interrupted. */
  async #rows(): Promise<boolean> {
    const { from, signal, batchRows } = this.#work
    const most = batchBounds(this.#to.capabilities)
    const bounds = batchRows === undefined ? most : { ...most, rows: batchRows }
    const source = new CopySource(this.#session.setup, from, signal, bounds)
    try {
      const batches = source.batches(this.#schema, this.#progress?.last)
      const next = () => {
        const coming = batches.next()
        // It is awaited later.
        coming.catch(() => undefined)
        return coming
      }
      for (let coming = next(); ;) {
        const { done, value } = await coming
        if (signal.aborted) return false
        if (done === true) return true
        coming = next()
        await this.#write(value)
      }
    } finally {
      await source.close()
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

/** Throws SAME_REPLICA where a copy would be of a replica into itself. */
export function checkCopy(from: string, to: string): void {
  if (from !== to) return
  throw new MerganserError('SAME_REPLICA', `${from} is not copied into itself`, { place: { replica: from } })
}

import { fullMemory, MerganserError } from '../core/errors.ts'
import type { FastPath } from '../core/fast-path.ts'
import type { Register, Row } from '../core/row.ts'
import type { Stamp } from '../core/stamp.ts'
import type { ReplicaId, ReplicaState, TableId } from '../core/state.ts'
import { keyTexts, type TableSchema } from '../core/table.ts'
import type { Disk } from '../environment/environment.ts'
import { readRanges, type LogRange, type RangeReader } from '../oplog/read-ranges.ts'
import { readLog } from '../oplog/read.ts'
import type { LogReport } from '../oplog/report.ts'
import type { Catalog } from '../script/catalog.ts'
import { LOG_LIMITS } from '../script/limits.ts'
import { LineParser } from '../script/parser.ts'
import { Statement } from '../script/statement.ts'

const REMARK = 0x23
const NEWLINE = 0x0a

export interface RestoreTarget {
  readonly catalog: Catalog
  readonly state: ReplicaState
  readonly replica: ReplicaId
  readonly count: boolean
  /** Called with each row after it was restored. */
  readonly restored?: (table: TableId, key: readonly string[], row: Row) => void
}

/**
 * Reads a replica's log back into its state: the records after `from`, each as the change that it was. Gives the
 * greatest time met. A line that doesn't parse, because its table isn't configured any more, ends it with where.
 */
export async function readBack(
  disk: Disk,
  report: LogReport,
  from: number,
  upTo: number,
  target: RestoreTarget,
): Promise<bigint> {
  const lines = new LineRestorer(target)
  const { fast } = target.state
  // Rows are wanted one by one only where a database turned out to lack some.
  if (fast !== undefined && target.restored === undefined) {
    const ranges = new RangeRestorer(fast, target, lines, upTo)
    await readRanges(disk, report, from, ranges)
    return lines.greatest
  }
  for await (const chunk of readLog(disk, report, from)) {
    let record = chunk.firstRecord
    for (let i = 0; i < chunk.lines; i++) {
      const start = chunk.starts[i]!
      if (chunk.bytes[start] === REMARK) continue
      if (record > upTo) return lines.greatest
      lines.restore(chunk.bytes, start, chunk.ends[i]!, record++, chunk.path)
    }
  }
  return lines.greatest
}

/** Restores whole ranges of lines by the state's own way; what it doesn't know is parsed. */
class RangeRestorer implements RangeReader {
  readonly #fast: FastPath
  readonly #target: RestoreTarget
  readonly #lines: LineRestorer
  readonly #upTo: number

  constructor(fast: FastPath, target: RestoreTarget, lines: LineRestorer, upTo: number) {
    this.#fast = fast
    this.#target = target
    this.#lines = lines
    this.#upTo = upTo
  }

  buffer(index: 0 | 1): Uint8Array {
    return this.#fast.input(index)
  }

  get steady(): boolean {
    return !(this.#fast.input(0).buffer instanceof ArrayBuffer)
  }

  take({ bytes, start, end, buffer, firstRecord, path }: LogRange): number | undefined {
    let record = firstRecord
    for (let at = start; at < end;) {
      if (buffer !== undefined) {
        const { replica, count } = this.#target
        const result = this.#fast.restore(buffer, at, end, replica, record, this.#upTo, count)
        record += result.records[replica]!
        if (result.greatest > this.#lines.greatest) this.#lines.greatest = result.greatest
        if (result.stop === 'memory') throw fullMemory()
        at = result.at
        if (result.stop === 'end') return at < end ? undefined : record - 1
        if (at === end) break
      }
      // The memory may have moved.
      const now = buffer === undefined ? bytes : asBuffer(this.#fast.input(buffer))
      const lineEnd = now.indexOf(NEWLINE, at)
      if (now[at] !== REMARK) {
        if (record > this.#upTo) return undefined
        this.#lines.restore(Buffer.from(now.subarray(at, lineEnd)), 0, lineEnd - at, record++, path)
      }
      at = lineEnd + 1
    }
    return record - 1
  }
}

function asBuffer({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length)
}

/** Restores line by line. */
class LineRestorer {
  readonly #target: RestoreTarget
  readonly #parser: LineParser
  readonly #statement = new Statement()
  /** The greatest time met. */
  greatest = 0n

  constructor(target: RestoreTarget) {
    this.#target = target
    this.#parser = new LineParser(target.catalog, LOG_LIMITS)
  }

  /** @param record the number of the record in `bytes[start .. end)` */
  restore(bytes: Buffer, start: number, end: number, record: number, path: string): void {
    const { state, replica, count, restored, catalog } = this.#target
    const statement = this.#statement
    this.#parse(bytes, start, end, record, path)
    const { stamp, op, table, input } = statement
    if (stamp === undefined) {
      const message = `record ${String(record)}: the record has no stamp`
      throw new MerganserError('OPLOG_DAMAGED', message, { place: { file: path } })
    }
    if (stamp.time > this.greatest) this.greatest = stamp.time
    if (count) state.startAt(replica, record)
    if (op === 'get') return
    state.restore(replica, table, input, stamp, op === 'delete')
    if (restored === undefined) return
    const schema = catalog.tables[table]!
    restored(table, keyTexts(schema, input.key.subarray(0, input.keyLength)), rowOf(schema, statement, stamp))
  }

  #parse(bytes: Buffer, start: number, end: number, record: number, path: string): void {
    try {
      this.#parser.parse(bytes, start, end, this.#statement)
    } catch (error) {
      if (!(error instanceof MerganserError)) throw error
      throw new MerganserError(error.code, `record ${String(record)} can't be read back: ${error.message}`, {
        place: { ...error.place, file: path },
        advice:
          'the tables and replicas of a log must stay configured; --fresh begins anew and keeps the old state aside',
      })
    }
  }
}

function rowOf({ values }: TableSchema, { op, input }: Statement, stamp: Stamp): Row {
  const registers = values.map((): Register | undefined => undefined)
  for (let i = 0; i < input.count; i++) registers[input.columns[i]!] = { value: input.cell(i), stamp }
  return { registers, tombstone: op === 'delete' ? stamp : undefined }
}

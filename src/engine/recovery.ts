import { MerganserError } from '../core/errors.ts'
import type { Register, Row } from '../core/row.ts'
import type { Stamp } from '../core/stamp.ts'
import type { ReplicaId, ReplicaState, TableId } from '../core/state.ts'
import { keyTexts, type TableSchema } from '../core/table.ts'
import type { Disk } from '../environment/environment.ts'
import { readLog, type LogChunk } from '../oplog/read.ts'
import type { LogReport } from '../oplog/report.ts'
import type { Catalog } from '../script/catalog.ts'
import { located } from '../script/errors.ts'
import { LOG_LIMITS } from '../script/limits.ts'
import { LineParser } from '../script/parser.ts'
import { Statement } from '../script/statement.ts'

const REMARK = 0x23

/**
 * Reads a replica's log back into its state: the records after `from`, each as the change that it was. Gives the
 * greatest time met. A line that doesn't parse, because its table isn't configured any more, ends it with where.
 */
export async function readBack(
  disk: Disk,
  report: LogReport,
  from: number,
  upTo: number,
  target: {
    readonly catalog: Catalog
    readonly state: ReplicaState
    readonly replica: ReplicaId
    readonly count: boolean
    /** Called with each row after it was restored. */
    readonly restored?: (table: TableId, key: readonly string[], row: Row) => void
  },
): Promise<bigint> {
  const parser = new LineParser(target.catalog, LOG_LIMITS)
  const statement = new Statement()
  let greatest = 0n
  for await (const chunk of readLog(disk, report, from)) {
    let record = chunk.firstRecord
    for (let i = 0; i < chunk.lines; i++) {
      const start = chunk.starts[i]!
      if (chunk.bytes[start] === REMARK) continue
      if (record > upTo) return greatest
      parseRecord(parser, chunk, i, record, statement)
      const { stamp, op } = statement
      if (stamp === undefined) throw unreadable(chunk, record, 'the record has no stamp')
      if (stamp.time > greatest) greatest = stamp.time
      if (target.count) target.state.startAt(target.replica, record)
      if (op !== 'get') {
        target.state.restore(target.replica, statement.table, statement.input, stamp, op === 'delete')
        if (target.restored !== undefined) {
          const schema = target.catalog.tables[statement.table]!
          target.restored(statement.table, keyTexts(schema, keyOf(statement)), rowOf(schema, statement, stamp))
        }
      }
      record++
    }
  }
  return greatest
}

const keyOf = ({ input }: Statement) => input.key.subarray(0, input.keyLength)

function rowOf({ values }: TableSchema, { op, input }: Statement, stamp: Stamp): Row {
  const registers = values.map((): Register | undefined => undefined)
  for (let i = 0; i < input.count; i++) registers[input.columns[i]!] = { value: input.cell(i), stamp }
  return { registers, tombstone: op === 'delete' ? stamp : undefined }
}

function parseRecord(parser: LineParser, chunk: LogChunk, line: number, record: number, into: Statement): void {
  try {
    parser.parse(chunk.bytes, chunk.starts[line]!, chunk.ends[line]!, into)
  } catch (error) {
    if (!(error instanceof MerganserError)) throw error
    throw located(
      new MerganserError(error.code, `record ${String(record)} can't be read back: ${error.message}`, {
        place: { ...error.place, file: chunk.path },
        advice:
          'the tables and replicas of a log must stay configured; --fresh begins anew and keeps the old state aside',
      }),
      chunk.path,
      line + 1,
    )
  }
}

function unreadable(chunk: LogChunk, record: number, what: string): MerganserError {
  return new MerganserError('OPLOG_DAMAGED', `record ${String(record)}: ${what}`, { place: { file: chunk.path } })
}

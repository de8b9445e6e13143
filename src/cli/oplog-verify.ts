import type { Config, ReplicaConfig } from '../config/config.ts'
import { MerganserError } from '../core/errors.ts'
import { decodePositions, type Positions } from '../engine/positions.ts'
import { positionsPath } from '../engine/opening.ts'
import type { Disk } from '../environment/environment.ts'
import { realEnvironment } from '../index.ts'
import { readPositions } from '../oplog/positions.ts'
import { readLog } from '../oplog/read.ts'
import { inspectLog } from '../oplog/recover.ts'
import type { LogReport } from '../oplog/report.ts'
import { Catalog } from '../script/catalog.ts'
import { LOG_LIMITS } from '../script/limits.ts'
import { LineParser } from '../script/parser.ts'
import { Statement } from '../script/statement.ts'
import type { Shell } from './shell.ts'
import { counted, several } from './table.ts'

const REMARK = 0x23

/**
 * Verifies logs: headers, seals and their chain, every record, and that none ends before what the positions recorded.
 * Prints a line for each good one and shows what is wrong with the others.
 */
export async function verifyLogs(shell: Shell, config: Config, replicas: readonly ReplicaConfig[]): Promise<void> {
  const { disk } = realEnvironment()
  const catalog = new Catalog(
    config.replicas.map(({ name }) => name),
    config.tables,
    config.aliases,
  )
  const recorded = await recordedPositions(shell, config, disk)
  for (const { name } of replicas) {
    try {
      const position = recorded.get(name)
      const expect = position === undefined ? undefined : { logId: position.log, records: position.records }
      const report = await inspectLog(disk, config.state, name, { expect })
      await parseRecords(disk, report, catalog)
      await shell.print(`${figures(report)}\n`)
    } catch (error) {
      if (!(error instanceof MerganserError)) throw error
      shell.problem(error)
    }
  }
}

/** Damaged positions are a problem of their own; the logs can be verified without them. */
async function recordedPositions(shell: Shell, config: Config, disk: Disk): Promise<Positions> {
  const path = positionsPath(config.state)
  try {
    const content = await readPositions(disk, path)
    return content === undefined ? new Map() : decodePositions(content, path)
  } catch (error) {
    if (!(error instanceof MerganserError)) throw error
    shell.problem(error)
    return new Map()
  }
}

/** Throws where a record is no statement with a stamp. */
async function parseRecords(disk: Disk, report: LogReport, catalog: Catalog): Promise<void> {
  const parser = new LineParser(catalog, LOG_LIMITS)
  const statement = new Statement()
  for await (const { bytes, lines, starts, ends, firstRecord, path, byte } of readLog(disk, report)) {
    let record = firstRecord
    for (let i = 0; i < lines; i++) {
      if (bytes[starts[i]!] === REMARK) continue
      try {
        parser.parse(bytes, starts[i]!, ends[i]!, statement)
      } catch (error) {
        if (!(error instanceof MerganserError)) throw error
        const where = `record ${String(record)} at byte ${String(byte + starts[i]!)}`
        throw new MerganserError(error.code, `${where}: ${error.message}`, {
          place: { file: path },
          advice: 'the tables and replicas of a log must stay configured',
          cause: error,
        })
      }
      record++
    }
  }
}

function figures({ replica, logId, records, segments, torn }: LogReport): string {
  if (logId === undefined) return `${replica}: no oplog yet`
  const bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0)
  const sealed = `${several(records, 'record')}, ${counted(bytes)} bytes in ${several(segments.length, 'segment')}`
  const tail = torn === undefined ? '' : `; ${counted(torn.bytes)} bytes after the last seal were never acknowledged`
  return `${replica}: verified ${sealed}${tail}`
}

import type { Catalog } from '../script/catalog.ts'
import type { Names } from './files.ts'
import { OperationReader, type Operation } from './operations.ts'
import { PlainRows, type Cell, type PlainRow } from './rows.ts'
import { STATE } from './world.ts'

const REMARK = 0x23
const NEWLINE = 0x0a

/** A record of a log; its stamp is always there. */
export interface LogRecord extends Operation {
  readonly stamp: string
}

/** Reads the logs as they lie on the simulated disk, whole lines only: what recovery left is what counts. */
export class LogReader {
  readonly #names: Names
  readonly #catalog: Catalog
  readonly #operations: OperationReader
  /** What was read of each log last: mostly it has only grown. */
  readonly #known: { bytes: Buffer; records: LogRecord[] }[]

  constructor(names: Names, catalog: Catalog) {
    this.#names = names
    this.#catalog = catalog
    this.#operations = new OperationReader(catalog)
    this.#known = catalog.replicas.map(() => ({ bytes: Buffer.alloc(0), records: [] }))
  }

  /** All records of a replica's log, in order. */
  read(replica: number): readonly LogRecord[] {
    const bytes = this.#bytes(this.#catalog.replicas[replica]!)
    const known = this.#known[replica]!
    const grown = bytes.length >= known.bytes.length && bytes.subarray(0, known.bytes.length).equals(known.bytes)
    const records = grown ? known.records : []
    let start = grown ? known.bytes.length : 0
    for (;;) {
      const end = bytes.indexOf(NEWLINE, start)
      if (end < 0) break
      if (bytes[start] !== REMARK) {
        const operation = this.#operations.readBytes(bytes, start, end)
        records.push({ ...operation, stamp: operation.stamp! })
      }
      start = end + 1
    }
    this.#known[replica] = { bytes: Buffer.from(bytes.subarray(0, start)), records }
    return records
  }

  #bytes(name: string): Buffer {
    const live = `${STATE}/oplogs.${name.toLowerCase()}`
    const rotated = this.#names
      .paths()
      .filter((path) => path.startsWith(`${live}.`) && /^\d+$/.test(path.slice(live.length + 1)))
      .sort((a, b) => Number(a.slice(live.length + 1)) - Number(b.slice(live.length + 1)))
    return Buffer.concat([...rotated, live].map((path) => this.#names.get(path)?.bytes ?? Buffer.alloc(0)))
  }
}

/** The row that one record of a log writes. */
export function rowOf(record: LogRecord, columns: number): PlainRow {
  const cells: (Cell | undefined)[] = Array.from({ length: columns }, () => undefined)
  if (record.op === 'delete') return { cells, deleted: record.stamp }
  for (const { column, value } of record.cells) cells[column] = { value, stamp: record.stamp }
  return { cells, deleted: '' }
}

/** What a log says, all of it. */
export function fold(records: readonly LogRecord[], columns: readonly number[]): PlainRows {
  const rows = new PlainRows(columns.length)
  for (const record of records) {
    if (record.op !== 'get') rows.join(record.table, record.key, rowOf(record, columns[record.table]!))
  }
  return rows
}

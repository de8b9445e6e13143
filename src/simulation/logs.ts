import type { Catalog } from '../script/catalog.ts'
import type { Names } from './files.ts'
import { OperationReader, type Operation } from './operations.ts'
import { PlainRows, type Cell, type PlainRow } from './rows.ts'
import { STATE } from './world.ts'

const REMARK = 0x23
const NEWLINE = 0x0a

/** A log that a session has opened holds what is no record (I7). */
export class Unreadable extends Error {}

/** A record of a log, whichever it is; its stamp is always there. */
export interface LogRecord extends Omit<Operation, 'replica'> {
  readonly stamp: string
  /** What it writes; undefined for a GET. */
  readonly row: PlainRow | undefined
}

interface Known {
  bytes: Buffer
  readonly records: LogRecord[]
  /** What the records say, joined. */
  readonly rows: PlainRows
}

/** Reads the logs as they lie on the simulated disk, whole lines only: what recovery left is what counts. */
export class LogReader {
  readonly #names: Names
  readonly #catalog: Catalog
  /** Value columns per table. */
  readonly #columns: readonly number[]
  readonly #operations: OperationReader
  /** What was read of each log last: mostly it has only grown. */
  readonly #known: Known[]
  /** Records by what follows the replica's name in their lines: merges bring the same into every log. */
  readonly #records = new Map<string, LogRecord>()

  constructor(names: Names, catalog: Catalog) {
    this.#names = names
    this.#catalog = catalog
    this.#operations = new OperationReader(catalog)
    this.#columns = catalog.tables.map(({ values }) => values.length)
    this.#known = catalog.replicas.map(() => this.#nothing())
  }

  /** All records of a replica's log, in order. They are of the reader's own, and grow with the log. */
  read(replica: number): readonly LogRecord[] {
    return this.#upToNow(replica).records
  }

  /** The rows that a replica's log holds, all of it; of the reader's own likewise. */
  rows(replica: number): PlainRows {
    return this.#upToNow(replica).rows
  }

  #upToNow(replica: number): Known {
    const name = this.#catalog.replicas[replica]!
    const bytes = this.#bytes(name)
    let known = this.#known[replica]!
    const size = known.bytes.length
    if (bytes.length < size || !bytes.subarray(0, size).equals(known.bytes)) {
      known = this.#known[replica] = this.#nothing()
    }
    let start = known.bytes.length
    for (;;) {
      const end = bytes.indexOf(NEWLINE, start)
      if (end < 0) break
      if (bytes[start] !== REMARK) {
        const record = this.#record(bytes, start, end, name)
        known.records.push(record)
        if (record.row !== undefined) known.rows.join(record.table, record.key, record.row)
      }
      start = end + 1
    }
    known.bytes = bytes.subarray(0, start)
    return known
  }

  #nothing(): Known {
    return { bytes: Buffer.alloc(0), records: [], rows: new PlainRows(this.#columns.length) }
  }

  #record(bytes: Buffer, start: number, end: number, name: string): LogRecord {
    const line = bytes.toString('utf8', start, end)
    const id = line.replace(`, ${name}.`, ', ')
    const known = this.#records.get(id)
    if (known !== undefined) return known
    const operation = this.#operation(bytes, start, end, name)
    const stamp = operation.stamp!
    const row = operation.op === 'get' ? undefined : rowOf(operation, stamp, this.#columns[operation.table]!)
    const record = { ...operation, stamp, row }
    this.#records.set(id, record)
    return record
  }

  #operation(bytes: Buffer, start: number, end: number, name: string): Operation {
    try {
      return this.#operations.readBytes(bytes, start, end)
    } catch (error) {
      throw new Unreadable(`the log of ${name} was taken for good, but byte ${String(start)}: ${String(error)}`)
    }
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

function rowOf({ op, cells: assigned }: Operation, stamp: string, columns: number): PlainRow {
  const cells: (Cell | undefined)[] = Array.from({ length: columns }, () => undefined)
  if (op === 'delete') return { cells, deleted: stamp }
  for (const { column, value } of assigned) cells[column] = { value, stamp }
  return { cells, deleted: '' }
}

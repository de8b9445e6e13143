import type { RowBatch, TextColumn } from '../core/batch.ts'
import { TIME_TEXT_LENGTH, type Stamp } from '../core/stamp.ts'
import type { ReplicaId, RowInput, TableId, TableRows } from '../core/state.ts'
import { AT, CLOSE, COMMA, LF, OPEN_BRACE, SPACE } from './characters.ts'
import type { ByteBuffer } from './byte-buffer.ts'
import type { Catalog } from './catalog.ts'
import { Printer } from './printer.ts'
import { TimeWriter } from './stamps.ts'
import type { Statement } from './statement.ts'
import { appendItem } from './text.ts'

const OPS = ['SET', 'GET', 'DELETE'] as const
const SET = 0
const GET = 1
const DELETE = 2

const NULL = Buffer.from('\\N', 'latin1')
const SHOWS = Buffer.from(') = ', 'latin1')
const THEN = Buffer.from('), ', 'latin1')
const ENDS = Buffer.from('))\n', 'latin1')
const BRACES_END = Buffer.from('})\n', 'latin1')

/**
 * Appends lines to a log or to the output, as bytes and with their line ends: the same lines as `Printer` gives,
 * without strings between where keys and values are plain text.
 */
export class LogLines {
  readonly #catalog: Catalog
  readonly #printer: Printer
  readonly #times = new TimeWriter()
  /** Per replica, table and operation: `, HIVE.SET((`. */
  readonly #heads: readonly Buffer[]
  readonly #names: readonly Buffer[]
  /** Per table and value column `grade: `. */
  readonly #columns: readonly (readonly Buffer[])[]
  /** Per table whether all its key columns are strings. */
  readonly #textKeys: readonly boolean[]
  /** The columns of the row that is being printed, by stamp; -1 is the tombstone. */
  #order: number[] = []

  constructor(catalog: Catalog) {
    this.#catalog = catalog
    this.#printer = new Printer(catalog)
    this.#names = catalog.replicas.map((name) => Buffer.from(name, 'latin1'))
    this.#heads = catalog.replicas.flatMap((_, replica) =>
      catalog.tables.flatMap((_table, table) =>
        OPS.map((op) => Buffer.from(`, ${this.#printer.head(replica, table, op)}((`, 'latin1')),
      ),
    )
    this.#columns = catalog.tables.map((table) =>
      table.values.map((column) => Buffer.from(`${column.name}: `, 'latin1')),
    )
    this.#textKeys = catalog.tables.map((table) => table.key.every((column) => column.type.name === 'string'))
  }

  /** The log line of a SET or DELETE. `line` is the buffer that the statement was parsed from. */
  write(out: ByteBuffer, statement: Statement, line: Buffer, stamp: Stamp): void {
    const { replica, table, input } = statement
    const set = statement.op === 'set'
    this.#stamp(out, stamp, replica)
    this.#head(out, replica, table, set ? SET : DELETE, 0)
    this.#statementKey(out, statement, line)
    if (!set) {
      out.append(ENDS, 0, ENDS.length)
      return
    }
    out.append(THEN, 0, THEN.length)
    if (statement.plain) {
      out.append(line, statement.valueStart, statement.valueEnd)
      out.append(ENDS, 1, ENDS.length)
    } else this.#cells(out, table, input)
  }

  /** The log line of a GET with what it showed (`Printer.rowText`). */
  read(out: ByteBuffer, statement: Statement, line: Buffer, stamp: Stamp, shown: string): void {
    this.#stamp(out, stamp, statement.replica)
    this.#head(out, statement.replica, statement.table, GET, 0)
    this.#answer(out, statement, line, shown)
  }

  /** The output line of a GET: as in the log, without the stamp. */
  answer(out: ByteBuffer, statement: Statement, line: Buffer, shown: string): void {
    this.#head(out, statement.replica, statement.table, GET, 2)
    this.#answer(out, statement, line, shown)
  }

  #answer(out: ByteBuffer, statement: Statement, line: Buffer, shown: string): void {
    this.#statementKey(out, statement, line)
    out.appendByte(CLOSE)
    out.append(SHOWS, 0, SHOWS.length)
    out.appendText(shown)
    out.appendByte(LF)
  }

  /** A SET or DELETE that has no statement: `input` without cells is a DELETE. */
  input(out: ByteBuffer, replica: ReplicaId, table: TableId, input: RowInput, stamp: Stamp): void {
    this.#stamp(out, stamp, replica)
    this.#head(out, replica, table, input.count === 0 ? DELETE : SET, 0)
    this.#key(out, table, input)
    if (input.count === 0) {
      out.append(ENDS, 0, ENDS.length)
      return
    }
    out.append(THEN, 0, THEN.length)
    this.#cells(out, table, input)
  }

  /**
   * The log lines of rows that a replica took or restored, one for each distinct stamp of a row, by rising stamps; a
   * tombstone is a DELETE. Gives their number.
   */
  rows(out: ByteBuffer, replica: ReplicaId, { table, batch }: TableRows): number {
    let lines = 0
    for (let row = 0; row < batch.rows; row++) lines += this.#row(out, replica, table, batch, row)
    return lines
  }

  #row(out: ByteBuffer, replica: ReplicaId, table: TableId, batch: RowBatch, row: number): number {
    const order = this.#order
    order.length = 0
    const stamps = (column: number) => (column === -1 ? batch.deleted : batch.stamps[column]!)
    const compare = (a: number, b: number) => compareAt(stamps(a), stamps(b), row)
    if (!isNullAt(batch.deleted, row)) order.push(-1)
    for (let c = 0; c < batch.stamps.length; c++) if (!isNullAt(batch.stamps[c]!, row)) order.push(c)
    if (order.length > 1) order.sort((a, b) => compare(a, b) || a - b)
    let lines = 0
    for (let i = 0; i < order.length; lines++) {
      let next = i + 1
      while (next < order.length && compare(order[i]!, order[next]!) === 0) next++
      this.#rowLine(out, replica, table, batch, row, i, next)
      i = next
    }
    return lines
  }

  /** The line of the columns `order[from .. to)`, which have one stamp. */
  #rowLine(
    out: ByteBuffer,
    replica: ReplicaId,
    table: TableId,
    batch: RowBatch,
    row: number,
    from: number,
    to: number,
  ): void {
    const first = this.#order[from]!
    this.#stampBytes(out, first === -1 ? batch.deleted : batch.stamps[first]!, row, replica)
    // A register that isn't newer than the tombstone is none (normal form): with equal stamps the tombstone is left.
    this.#head(out, replica, table, first === -1 ? DELETE : SET, 0)
    batch.keys.forEach((column, c) => {
      if (c > 0) out.appendByte(COMMA)
      appendItem(out, column.bytes, startAt(column, row), column.ends[row]!)
    })
    if (first === -1) {
      out.append(ENDS, 0, ENDS.length)
      return
    }
    out.append(THEN, 0, THEN.length)
    this.#openCells(out, table)
    for (let i = from; i < to; i++) {
      const column = this.#order[i]!
      const { bytes, ends } = batch.values[column]!
      const isNull = isNullAt(batch.values[column]!, row)
      this.#cell(
        out,
        table,
        column,
        i === from,
        isNull ? undefined : bytes,
        startAt(batch.values[column]!, row),
        ends[row]!,
      )
    }
    this.#closeCells(out, table)
  }

  #stamp(out: ByteBuffer, stamp: Stamp, replica: ReplicaId): void {
    this.#times.append(out, stamp.time)
    if (stamp.origin === this.#catalog.replicas[replica]) return
    out.appendByte(AT)
    out.appendText(stamp.origin)
  }

  #stampBytes(out: ByteBuffer, column: TextColumn, row: number, replica: ReplicaId): void {
    const { bytes } = column
    const start = startAt(column, row)
    const end = column.ends[row]!
    const name = this.#names[replica]!
    const origin = start + TIME_TEXT_LENGTH + 1
    let same = end - origin === name.length
    for (let i = 0; same && i < name.length; i++) same = bytes[origin + i] === name[i]
    out.append(bytes, start, same ? origin - 1 : end)
  }

  #head(out: ByteBuffer, replica: ReplicaId, table: TableId, op: number, skip: number): void {
    const head = this.#heads[(replica * this.#catalog.tables.length + table) * OPS.length + op]!
    out.append(head, skip, head.length)
  }

  #statementKey(out: ByteBuffer, statement: Statement, line: Buffer): void {
    if (statement.plain) out.append(line, statement.keyStart, statement.keyEnd)
    else this.#key(out, statement.table, statement.input)
  }

  /** The items of a key without the parentheses. */
  #key(out: ByteBuffer, table: TableId, { key, keyLength }: RowInput): void {
    const begin = out.length
    if (this.#textKeys[table] === true) {
      let start = 0
      let at = 0
      while (at < keyLength && key[at] !== 0) at++
      while (at < keyLength && key[at + 1] === 1) {
        appendItem(out, key, start, at)
        start = at + 2
        if (start === keyLength) return
        out.appendByte(COMMA)
        for (at = start; at < keyLength && key[at] !== 0;) at++
      }
      // A zero byte inside an item, or no key at all.
      out.length = begin
    }
    out.appendText(this.#printer.keyText(table, key.subarray(0, keyLength)).slice(1, -1))
  }

  #cells(out: ByteBuffer, table: TableId, input: RowInput): void {
    this.#openCells(out, table)
    for (let i = 0; i < input.count; i++) {
      const start = i === 0 ? 0 : input.ends[i - 1]!
      const bytes = input.nulls[i] === 1 ? undefined : input.values
      this.#cell(out, table, input.columns[i]!, i === 0, bytes, start, input.ends[i]!)
    }
    this.#closeCells(out, table)
  }

  #openCells(out: ByteBuffer, table: TableId): void {
    if (this.#columns[table]!.length > 1) out.appendByte(OPEN_BRACE)
  }

  #cell(
    out: ByteBuffer,
    table: TableId,
    column: number,
    first: boolean,
    bytes: Uint8Array | undefined,
    start: number,
    end: number,
  ): void {
    const names = this.#columns[table]!
    if (names.length > 1) {
      if (!first) {
        out.appendByte(COMMA)
        out.appendByte(SPACE)
      }
      const name = names[column]!
      out.append(name, 0, name.length)
    }
    if (bytes === undefined) out.append(NULL, 0, NULL.length)
    else appendItem(out, bytes, start, end)
  }

  #closeCells(out: ByteBuffer, table: TableId): void {
    const several = this.#columns[table]!.length > 1
    if (several) out.append(BRACES_END, 0, BRACES_END.length)
    else out.append(ENDS, 1, ENDS.length)
  }
}

function startAt(column: TextColumn, row: number): number {
  return row === 0 ? 0 : column.ends[row - 1]!
}

function isNullAt(column: TextColumn, row: number): boolean {
  return column.nulls !== undefined && column.nulls[row] === 1
}

/** Texts of two columns in one row, by their bytes. */
function compareAt(a: TextColumn, b: TextColumn, row: number): number {
  let i = startAt(a, row)
  let j = startAt(b, row)
  const [aEnd, bEnd] = [a.ends[row]!, b.ends[row]!]
  for (; i < aEnd && j < bEnd; i++, j++) {
    const difference = a.bytes[i]! - b.bytes[j]!
    if (difference !== 0) return difference
  }
  return aEnd - i - (bEnd - j)
}

import { assert } from '../core/errors.ts'
import type { Row } from '../core/row.ts'
import type { ReplicaId, TableId, TableRows } from '../core/state.ts'
import type { Stamp } from '../core/stamp.ts'
import type { Catalog } from '../script/catalog.ts'
import { LogLines } from '../script/log-lines.ts'
import { Printer } from '../script/printer.ts'
import type { Statement } from '../script/statement.ts'
import type { Sequencer } from './sequencer.ts'

const NO_LINE = Buffer.alloc(0)

/** Writes what happened as lines of the operation language, into the replicas' oplogs and the results. */
export class Journal {
  readonly #catalog: Catalog
  readonly #printer: Printer
  readonly #lines: LogLines
  readonly #sequencer: Sequencer

  constructor(catalog: Catalog, sequencer: Sequencer) {
    this.#catalog = catalog
    this.#printer = new Printer(catalog)
    this.#lines = new LogLines(catalog)
    this.#sequencer = sequencer
  }

  /** False where nobody reads the logs' lines. */
  get keepsLines(): boolean {
    return this.#sequencer.keepsLines
  }

  /** Whether neither logs nor results are kept: what a GET shows need not be spelled. */
  get silent(): boolean {
    return !this.keepsLines && this.#sequencer.results === undefined
  }

  /** A key in its one spelling. */
  keyText(table: TableId, key: Uint8Array | readonly string[]): string {
    return this.#printer.keyText(table, key)
  }

  /** What a GET shows: `A`, `{a: 1, b: \N}`, `none`. */
  shown(table: TableId, row: Row | undefined): string {
    return this.#printer.rowText(table, row)
  }

  /** What a GET with an expectation expects. */
  cellsText(table: TableId, cells: readonly (string | null | undefined)[]): string {
    return this.#printer.cellsText(table, cells)
  }

  /** A statement as it is spelled in logs and messages, without a stamp. */
  getText(replica: ReplicaId, table: TableId, key: string): string {
    return `${this.#printer.head(replica, table, 'GET')}(${key})`
  }

  /** The line of a SET or DELETE. `line` is what the statement was parsed from, if it was. */
  write(statement: Statement, stamp: Stamp, line: Buffer = NO_LINE): void {
    const { replica } = statement
    if (this.#sequencer.keepsLines) this.#lines.write(this.#sequencer.lines(replica), statement, line, stamp)
    this.#sequencer.wrote(replica, 1)
  }

  /** A GET with what it showed, in the log and among the results. */
  read(statement: Statement, stamp: Stamp, shown: string, line: Buffer = NO_LINE): void {
    const { replica } = statement
    if (this.#sequencer.keepsLines) this.#lines.read(this.#sequencer.lines(replica), statement, line, stamp, shown)
    this.#sequencer.wrote(replica, 1)
    const results = this.#sequencer.results
    if (results !== undefined) this.#lines.answer(results, statement, line, shown)
  }

  /** The same once its statement is gone: `key` is its spelling. */
  readLater(replica: ReplicaId, table: TableId, key: string, stamp: Stamp, shown: string): void {
    this.#sequencer.lines(replica).appendText(`${this.#printer.getLine(replica, table, key, shown, stamp)}\n`)
    this.#sequencer.wrote(replica, 1)
    this.#sequencer.results?.appendText(`${this.#printer.getLine(replica, table, key, shown)}\n`)
  }

  /**
   * Rows that a merge took or that UNDO restored: a line for each distinct stamp. Gives the batches back.
   * @param records how many the state counted
   */
  rows(replica: ReplicaId, rows: readonly TableRows[], records: number): void {
    // Behind what the state wrote itself.
    const out = this.keepsLines ? this.#sequencer.lines(replica) : undefined
    this.#sequencer.wrote(replica, records)
    let lines = 0
    for (const part of rows) {
      if (out !== undefined) lines += this.#lines.rows(out, replica, part)
      part.batch.release?.()
    }
    assert(out === undefined || lines === records, 'log and state count the same records')
  }

  /** Lines that the state wrote itself. */
  stateRows(replica: ReplicaId, records: number): void {
    this.#sequencer.stateWrote(replica, records)
  }

  remark(replica: ReplicaId, text: string): void {
    if (!this.keepsLines) return
    this.#sequencer.lines(replica).appendText(`# ${text.replace(/[\r\n]/g, ' ')}\n`)
  }

  /** A remark in every log. */
  remarkAll(text: string): void {
    for (let replica = 0; replica < this.#catalog.replicas.length; replica++) this.remark(replica, text)
  }
}

import { assert } from '../core/errors.ts'
import { exists, type Row } from '../core/row.ts'
import type { ReplicaId, TableId } from '../core/state.ts'
import { timeText, type Stamp } from '../core/stamp.ts'
import { keyTexts } from '../core/table.ts'
import type { Catalog } from './catalog.ts'
import type { ExpectedCells, Statement } from './statement.ts'
import { itemText, valueText } from './text.ts'

/**
 * Writes statements in the language, each in its one spelling: no table name for the default table, keys in
 * parentheses, the value alone where a table has one value column. Lines have no line end. The parser reads each back
 * as what it was.
 */
export class Printer {
  readonly #catalog: Catalog

  constructor(catalog: Catalog) {
    this.#catalog = catalog
  }

  /** `(SID1,CSE1)`: the one spelling of a key, from its canonical bytes or the canonical texts of its columns. */
  keyText(table: TableId, key: Uint8Array | readonly string[]): string {
    const texts = key instanceof Uint8Array ? keyTexts(this.#catalog.schema(table), key) : key
    return `(${texts.map(itemText).join(',')})`
  }

  /** `A`, or `{a: 1, b: \N}` in table order: canonical texts, one per value column, undefined where not named. */
  cellsText(table: TableId, cells: readonly (string | null | undefined)[]): string {
    const { values } = this.#catalog.schema(table)
    if (values.length === 1) {
      const [only] = cells
      assert(only !== undefined, 'the one value column is named')
      return valueText(only)
    }
    const named = values.flatMap((column, i) => {
      const cell = cells[i]
      return cell === undefined ? [] : [`${column.name}: ${valueText(cell)}`]
    })
    assert(named.length > 0, 'a value column is named')
    return `{${named.join(', ')}}`
  }

  /** What a GET shows of a row: all its value columns, or `none`. */
  rowText(table: TableId, row: Row | undefined): string {
    if (!exists(row)) return 'none'
    if (row.registers.length === 1) return valueText(row.registers[0]!.value)
    return this.cellsText(
      table,
      this.#catalog.schema(table).values.map((_, i) => row.registers[i]?.value ?? null),
    )
  }

  /** @param cells as `cellsText` gives them */
  setLine(replica: ReplicaId, table: TableId, keyText: string, cells: string, stamp?: Stamp): string {
    return `${this.head(replica, table, 'SET', stamp)}(${keyText}, ${cells})`
  }

  deleteLine(replica: ReplicaId, table: TableId, keyText: string, stamp?: Stamp): string {
    return `${this.head(replica, table, 'DELETE', stamp)}(${keyText})`
  }

  /** @param shown as `rowText` gives it */
  getLine(replica: ReplicaId, table: TableId, keyText: string, shown: string, stamp?: Stamp): string {
    return `${this.head(replica, table, 'GET', stamp)}(${keyText}) = ${shown}`
  }

  /** `2026-11-22 15:11:21.956711651Z, HIVE.grades.SET`: what stands before the parentheses. */
  head(replica: ReplicaId, table: TableId, op: 'SET' | 'GET' | 'DELETE', stamp?: Stamp): string {
    const name = this.#catalog.replicaName(replica)
    const prefix =
      stamp === undefined ? '' : `${timeText(stamp.time)}${stamp.origin === name ? '' : `@${stamp.origin}`}, `
    return `${prefix}${name}.${table === 0 ? '' : `${this.#catalog.schema(table).name}.`}${op}`
  }

  /** The line of a statement. */
  statement(statement: Statement): string {
    const { sequence } = statement
    if (sequence === undefined) return this.#body(statement)
    return statement.op === 'none' ? `${String(sequence)},` : `${String(sequence)}, ${this.#body(statement)}`
  }

  #body(statement: Statement): string {
    const of = statement.replica === -1 ? '' : `${this.#catalog.replicaName(statement.replica)}.`
    switch (statement.op) {
      case 'none':
        return ''
      case 'set':
      case 'get':
      case 'delete':
        return this.#rowOperation(statement)
      case 'merge':
        return `${of}MERGE(${this.#catalog.replicaName(statement.other)})`
      case 'sync':
      case 'undo':
        return of + statement.op.toUpperCase()
      case 'fullSync':
        return 'FULL_SYNC'
      case 'commit':
      case 'rollback':
      case 'exit':
        return statement.op.toUpperCase()
    }
  }

  #rowOperation({ op, replica, table, input, stamp, expected }: Statement): string {
    const key = this.keyText(table, input.key.subarray(0, input.keyLength))
    if (op === 'delete') return this.deleteLine(replica, table, key, stamp)
    if (op === 'set') return this.setLine(replica, table, key, this.#cells(table, inputCells(input)), stamp)
    if (expected === undefined) return `${this.head(replica, table, 'GET', stamp)}(${key})`
    return this.getLine(replica, table, key, expected === 'none' ? 'none' : this.#cells(table, expected), stamp)
  }

  #cells(table: TableId, { columns, texts }: ExpectedCells): string {
    const cells: (string | null | undefined)[] = this.#catalog.schema(table).values.map(() => undefined)
    columns.forEach((column, i) => {
      cells[column] = texts[i] ?? null
    })
    return this.cellsText(table, cells)
  }
}

/** The cells of an input as columns and texts. */
function inputCells(input: Statement['input']): ExpectedCells {
  const columns = Array.from(input.columns.subarray(0, input.count))
  return { columns, texts: columns.map((_, i) => input.cell(i)) }
}

/** The line of a statement; `LineParser` reads it back as the same statement. */
export function printStatement(statement: Statement, catalog: Catalog): string {
  return new Printer(catalog).statement(statement)
}

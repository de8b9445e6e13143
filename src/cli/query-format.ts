import { textAt, type RowBatch, type TextColumn } from '../core/batch.ts'
import type { Column, TableSchema } from '../core/table.ts'
import type { ColumnType, TypeName } from '../core/types.ts'
import { blanksLike, displayText } from '../script/display.ts'
import { columnNamed } from './query-where.ts'

/** A column of the result. */
export interface Shown {
  readonly name: string
  readonly type: ColumnType
  readonly of: (batch: RowBatch) => TextColumn
}

const STAMP: ColumnType = { name: 'string' }

/**
 * The columns that are shown: those named, or all in the table's order; with stamps each value's behind it, and the
 * tombstone's last. Throws UNKNOWN_COLUMN.
 */
export function shownColumns(table: TableSchema, names: readonly string[] | undefined, stamps: boolean): Shown[] {
  const all = [...table.key, ...table.values].map((column) => column.name)
  const shown = (names ?? all).flatMap((name) => {
    const { column, of } = columnNamed(table, name)
    const itself: Shown = { name: column.name, type: column.type, of }
    const stamp = stamps ? stampOf(table, column) : undefined
    return stamp === undefined ? [itself] : [itself, stamp]
  })
  if (stamps) shown.push({ name: 'deleted_stamp', type: STAMP, of: (batch) => batch.deleted })
  return shown
}

function stampOf(table: TableSchema, column: Column): Shown | undefined {
  const value = table.values.indexOf(column)
  if (value === -1) return undefined
  return { name: `${column.name}_stamp`, type: STAMP, of: (batch) => batch.stamps[value]! }
}

/** Writes rows as text. */
export interface Format {
  /** What comes before all rows. */
  begin(): string
  /** Some rows of a batch. */
  rows(batch: RowBatch, rows: readonly number[]): string
  /** What comes after all rows. */
  end(): string
}

export function formatOf(name: 'table' | 'jsonl' | 'csv', columns: readonly Shown[]): Format {
  if (name === 'csv') return new CsvFormat(columns)
  return name === 'jsonl' ? new JsonLines(columns) : new TextTable(columns)
}

/** The texts of a row. */
function textsOf(columns: readonly Shown[], batch: RowBatch, row: number): (string | null)[] {
  return columns.map(({ of }) => textAt(of(batch), row))
}

/**
 * RFC 4180 with LF and a header. Null is \N without quotes, the text \N stands in quotes, the empty string is empty:
 * as `load` reads it, and PostgreSQL's COPY with `NULL '\N'`.
 */
class CsvFormat implements Format {
  readonly #columns: readonly Shown[]

  constructor(columns: readonly Shown[]) {
    this.#columns = columns
  }

  begin(): string {
    return `${this.#columns.map(({ name }) => name).join(',')}\n`
  }

  rows(batch: RowBatch, rows: readonly number[]): string {
    let out = ''
    for (const row of rows)
      out += `${textsOf(this.#columns, batch, row)
        .map((text) => this.#field(text))
        .join(',')}\n`
    return out
  }

  end(): string {
    return ''
  }

  #field(text: string | null): string {
    if (text === null) return '\\N'
    // A line without anything would be no row.
    const blank = text === '' && this.#columns.length === 1
    return blank || text === '\\N' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  }
}

/**
 * One object a line. A column has one kind of JSON value: booleans and json are themselves, float64 are numbers (but
 * "NaN", "Infinity", "-Infinity"), all else is a string: an int64 or decimal as a number would lose digits in most
 * readers.
 */
class JsonLines implements Format {
  readonly #columns: readonly Shown[]
  readonly #names: readonly string[]

  constructor(columns: readonly Shown[]) {
    this.#columns = columns
    this.#names = columns.map(({ name }) => JSON.stringify(name))
  }

  begin(): string {
    return ''
  }

  rows(batch: RowBatch, rows: readonly number[]): string {
    let out = ''
    for (const row of rows) {
      const texts = textsOf(this.#columns, batch, row)
      out += `{${texts.map((text, c) => `${this.#names[c]!}:${jsonOf(this.#columns[c]!.type.name, text)}`).join(',')}}\n`
    }
    return out
  }

  end(): string {
    return ''
  }
}

export function jsonOf(type: TypeName, text: string | null): string {
  if (text === null) return 'null'
  if (type === 'json' || type === 'boolean') return text
  if (type === 'float64' && !/^(?:NaN|-?Infinity)$/.test(text)) return text
  return JSON.stringify(text)
}

/** Rows whose widths decide those of the columns: a table of any length is written as it comes. */
const MEASURED = 1000
/** Longest shown text of one cell. */
const WIDEST = 200

/** Aligned columns for people: null is \N, the text \N stands in quotes, control characters are shown as signs. */
class TextTable implements Format {
  readonly #columns: readonly Shown[]
  readonly #right: readonly boolean[]
  /** Until the columns are measured. */
  #held: string[][] = []
  #widths: number[] | undefined

  constructor(columns: readonly Shown[]) {
    this.#columns = columns
    this.#right = columns.map(({ type }) => type.name === 'int64' || type.name === 'decimal' || type.name === 'float64')
  }

  begin(): string {
    return ''
  }

  rows(batch: RowBatch, rows: readonly number[]): string {
    const lines = rows.map((row) => textsOf(this.#columns, batch, row).map(cell))
    if (this.#widths !== undefined) return this.#lines(lines, this.#widths)
    this.#held.push(...lines)
    return this.#held.length < MEASURED ? '' : this.#measured()
  }

  end(): string {
    return this.#widths === undefined ? this.#measured() : ''
  }

  /** Fixes the widths and writes the header and what was held. */
  #measured(): string {
    const heads = this.#columns.map(({ name }) => name)
    const widths = heads.map((head, c) => {
      return this.#held.reduce((most, line) => Math.max(most, width(line[c]!)), width(head))
    })
    this.#widths = widths
    const rule = widths.map((wide) => '-'.repeat(wide))
    const held = this.#held
    this.#held = []
    return this.#lines([heads, rule, ...held], widths)
  }

  #lines(lines: readonly (readonly string[])[], widths: readonly number[]): string {
    let out = ''
    for (const line of lines) {
      const cells = line.map((text, c) => {
        const pad = ' '.repeat(Math.max(0, widths[c]! - width(text)))
        return this.#right[c] === true ? pad + text : text + pad
      })
      out += `${cells.join('  ').trimEnd()}\n`
    }
    return out
  }
}

function cell(text: string | null): string {
  if (text === null) return '\\N'
  if (text === '\\N') return '"\\N"'
  const short = text.length > WIDEST ? `${text.slice(0, WIDEST).replace(/[\ud800-\udbff]$/, '')}\u2026` : text
  return displayText(short.replaceAll('\t', '\u2409'))
}

/** Columns that a text fills on a terminal. */
function width(text: string): number {
  return /^[\x20-\x7e]*$/.test(text) ? text.length : blanksLike(text, Array.from(text).length).length
}

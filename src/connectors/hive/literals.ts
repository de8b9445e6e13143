import type { TextColumn } from '../../core/batch.ts'
import { textAt } from '../../core/batch.ts'

/*
 * How texts stand in HiveQL. There are no parameters over Thrift, so this is the only place where values and statements
 * meet: rows go as one literal that Hive splits, so that whatever they hold is inside one pair of quotes.
 */

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "\\'",
  '\n': '\\n',
  '\r': '\\r',
  '\0': '\\u0000',
  // What looks like a variable is none for the server either, even where substitution is on.
  $: '\\u0024',
  ';': '\\u003b',
}

/**
 * A text as a literal. A NUL is right only where no digit follows: Hive writes literals anew as `\\0` while it plans,
 * and reads the digits as part of it. So keys with a NUL are compared in hexadecimal, and packed rows mark it.
 */
export function literal(text: string): string {
  return `'${text.replace(/[\\'\n\r\0$;]/g, (found) => ESCAPES[found]!)}'`
}

/** A name as a quoted identifier. */
export function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}

const FIELD = '\u0001'
const ROW = '\u0002'
const MARK = '\u0003'
const NULL = `${MARK}0`
const SPECIAL = new RegExp(`[\0${FIELD}${ROW}${MARK}]`)
const CODES = [
  [MARK, `${MARK}3`],
  [FIELD, `${MARK}1`],
  [ROW, `${MARK}2`],
  ['\0', `${MARK}4`],
] as const

/** Rows of texts as one text: fields and rows apart by control characters, which in the texts are marked. */
export interface PackedRows {
  readonly rows: number
  readonly text: string
  readonly columns: number
  /** Columns in which control characters were marked. */
  readonly marked: ReadonlySet<number>
}

/** Packs rows of columns; the row's number comes last. */
export function packRows(columns: readonly TextColumn[], rows: Iterable<number>): PackedRows {
  const marked = new Set<number>()
  const lines: string[] = []
  for (const row of rows) {
    const fields = columns.map((column, c) => {
      const text = textAt(column, row)
      if (text === null) return NULL
      if (!SPECIAL.test(text)) return text
      marked.add(c)
      return CODES.reduce((sum, [plain, code]) => sum.replaceAll(plain, code), text)
    })
    lines.push([...fields, String(row)].join(FIELD))
  }
  return { rows: lines.length, text: lines.join(ROW), columns: columns.length, marked }
}

/** A query of packed rows: texts `f0`, `f1`, … and the number `r`. */
export function packedQuery(packed: PackedRows): string {
  const fields = Array.from({ length: packed.columns }, (_, c) => {
    const field = `nullif(f[${String(c)}], ${literal(NULL)})`
    if (!packed.marked.has(c)) return `${field} AS f${String(c)}`
    const plain = [...CODES]
      .reverse()
      .reduce((sum, [text, code]) => `replace(${sum}, ${literal(code)}, ${literal(text)})`, field)
    return `${plain} AS f${String(c)}`
  })
  return (
    `SELECT ${fields.join(', ')}, cast(f[${String(packed.columns)}] as int) AS r FROM (` +
    `SELECT split(x, ${literal(FIELD)}) AS f FROM (` +
    `SELECT explode(split(${literal(packed.text)}, ${literal(ROW)})) AS x) a) b`
  )
}

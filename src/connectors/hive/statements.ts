import type { Column, TableSchema } from '../../core/table.ts'
import type { ColumnType } from '../../core/types.ts'
import { literal, quoted } from './literals.ts'
import { differs, fromText, hiveType, orderOf } from './types.ts'

/** A column as it is in the database. */
export interface StoredColumn {
  readonly name: string
  readonly type: string
}

/** The columns of a table there: keys, each value with its stamp beside it, the tombstone. Hive knows no upper case. */
export function storedColumns(table: TableSchema): StoredColumn[] {
  return [
    ...table.key.map(({ name, type }) => ({ name: name.toLowerCase(), type: hiveType(type) })),
    ...table.values.flatMap(({ name, type }) => [
      { name: name.toLowerCase(), type: hiveType(type) },
      { name: `${name.toLowerCase()}_stamp`, type: 'string' },
    ]),
    { name: 'deleted_stamp', type: 'string' },
  ]
}

export function tableName(table: TableSchema): string {
  return quoted(table.name.toLowerCase())
}

export function viewName(table: TableSchema): string {
  return quoted(`${table.name.toLowerCase()}_live`)
}

/** Fails where the table is there. */
export function createTable(table: TableSchema): string {
  const columns = storedColumns(table).map(({ name, type }) => `${quoted(name)} ${type}`)
  return (
    `CREATE TABLE ${tableName(table)} (${columns.join(', ')}) STORED AS ORC ` +
    "TBLPROPERTIES ('transactional' = 'true')"
  )
}

/** The rows that exist, without stamps, for people. */
export function createView(table: TableSchema): string {
  const columns = [...table.key, ...table.values].map(({ name }) => quoted(name.toLowerCase()))
  const exists = table.values.map(({ name }) => `${quoted(`${name.toLowerCase()}_stamp`)} IS NOT NULL`)
  return (
    `CREATE VIEW IF NOT EXISTS ${viewName(table)} AS SELECT ${columns.join(', ')} ` +
    `FROM ${tableName(table)} WHERE ${exists.join(' OR ')}`
  )
}

/** Rows that come in: what to read the texts of their columns from. */
export interface Source {
  readonly from: string
  /** The text of column `c`, in the order of a batch: keys, values, stamps, tombstone. */
  readonly field: (c: number) => string
}

/** A source's rows with their types: `r`, `k0…`, and for rows `v0…`, `s0…`, `d`. */
export function typedRows(table: TableSchema, source: Source, what: 'keys' | 'rows'): string {
  const keys = table.key.length
  const values = table.values.length
  const typed = (type: ColumnType, c: number) => fromText(type, source.field(c))
  const columns = table.key.map(({ type }, c) => `${typed(type, c)} AS k${String(c)}`)
  if (what === 'rows') {
    columns.push(...table.values.map(({ type }, c) => `${typed(type, keys + c)} AS v${String(c)}`))
    columns.push(...table.values.map((_, c) => `${source.field(keys + values + c)} AS s${String(c)}`))
    columns.push(`${source.field(keys + 2 * values)} AS d`)
  }
  return `(SELECT r, ${columns.join(', ')} FROM ${source.from})`
}

function sameKey(table: TableSchema): string {
  return table.key.map((column, c) => `${stored(column.name)} = s.k${String(c)}`).join(' AND ')
}

const stored = (name: string): string => `t.${quoted(name.toLowerCase())}`
const storedStamp = (name: string): string => stored(`${name}_stamp`)
/** `greatest` is NULL where one side is: the empty text stands for none. */
const known = (stamp: string): string => `nvl(${stamp}, '')`
const greatest = (a: string, b: string): string => `greatest(${known(a)}, ${known(b)})`

/**
 * The join, as one statement: per column the greater stamp's value, the stored one where they are equal; the greater
 * tombstone; then normal form. Changes, and counts, only the rows whose join is another row.
 */
export function mergeStatement(table: TableSchema, source: Source, branches: 'all' | 'insert' = 'all'): string {
  const matched = branches === 'all' ? ` ${updateBranch(table)}` : ''
  return (
    `MERGE INTO ${tableName(table)} AS t USING ${typedRows(table, source, 'rows')} AS s ON ${sameKey(table)}` +
    `${matched} ${insertBranch(table)}`
  )
}

function updateBranch(table: TableSchema): string {
  const dead = greatest('s.d', 't.deleted_stamp')
  const columns = table.values.map(({ name }, c) => {
    const winner = greatest(`s.s${String(c)}`, storedStamp(name))
    const alive = `${winner} > ${dead}`
    const newer = `${known(`s.s${String(c)}`)} > ${known(storedStamp(name))}`
    return {
      name,
      alive,
      value: `CASE WHEN NOT (${alive}) THEN NULL WHEN ${newer} THEN s.v${String(c)} ELSE ${stored(name)} END`,
      stamp: `CASE WHEN ${alive} THEN ${winner} END`,
    }
  })
  const tombstone = `CASE WHEN ${columns.map(({ alive }) => alive).join(' AND ')} THEN NULL ELSE nullif(${dead}, '') END`
  const changes = [
    ...columns.map(({ name, stamp }) => `NOT (${stamp} <=> ${storedStamp(name)})`),
    `NOT (${tombstone} <=> t.deleted_stamp)`,
  ]
  const updates = [
    ...columns.flatMap(({ name, value, stamp }) => [
      `${quoted(name.toLowerCase())} = ${value}`,
      `${quoted(`${name.toLowerCase()}_stamp`)} = ${stamp}`,
    ]),
    `deleted_stamp = ${tombstone}`,
  ]
  return `WHEN MATCHED AND (${changes.join(' OR ')}) THEN UPDATE SET ${updates.join(', ')}`
}

/** The row in normal form; one without register and tombstone is none. */
function insertBranch(table: TableSchema): string {
  const alive = table.values.map((_, c) => `s.s${String(c)} > ${known('s.d')}`)
  const values = [
    ...table.key.map((_, c) => `s.k${String(c)}`),
    ...alive.flatMap((condition, c) => [
      `CASE WHEN ${condition} THEN s.v${String(c)} END`,
      `CASE WHEN ${condition} THEN s.s${String(c)} END`,
    ]),
    `CASE WHEN ${alive.join(' AND ')} THEN NULL ELSE s.d END`,
  ]
  const something = [...table.values.map((_, c) => `s.s${String(c)} IS NOT NULL`), 's.d IS NOT NULL']
  return `WHEN NOT MATCHED AND (${something.join(' OR ')}) THEN INSERT VALUES (${values.join(', ')})`
}

/** Rows of a source with a register that is stored under its stamp with another value: `r`, then 1 or 0 per column. */
export function foreignStatement(table: TableSchema, source: Source): string {
  const flags = table.values.map(({ name, type }, c) => {
    return `(s.s${String(c)} = ${storedStamp(name)} AND ${differs(type, `s.v${String(c)}`, stored(name))})`
  })
  return (
    `SELECT s.r, ${flags.map((flag) => `if(${flag}, 1, 0)`).join(', ')} FROM ${tableName(table)} t ` +
    `JOIN ${typedRows(table, source, 'rows')} s ON ${sameKey(table)} WHERE ${flags.join(' OR ')}`
  )
}

/** The columns of a batch: keys, values, stamps, tombstone. */
export function rowColumns(table: TableSchema): { readonly sql: string; readonly type: ColumnType }[] {
  const text = { name: 'string' } as const
  return [
    ...table.key.map(({ name, type }) => ({ sql: stored(name), type })),
    ...table.values.map(({ name, type }) => ({ sql: stored(name), type })),
    ...table.values.map(({ name }) => ({ sql: storedStamp(name), type: text })),
    { sql: 't.deleted_stamp', type: text },
  ]
}

function readStatement(table: TableSchema, rest: string): string {
  const columns = rowColumns(table).map(({ sql }) => sql)
  return `SELECT ${columns.join(', ')} FROM ${tableName(table)} t${rest}`
}

/** The rows of a few keys, as literals. */
export function fewKeysStatement(table: TableSchema, keys: readonly (readonly string[])[]): string {
  const [only] = table.key
  if (table.key.length === 1 && !keys.some(([text]) => UNEVEN.test(text!))) {
    const items = keys.map(([text]) => fromText(only!.type, literal(text!)))
    return readStatement(table, ` WHERE ${stored(only!.name)} IN (${items.join(', ')})`)
  }
  const each = keys.map((key) => {
    return `(${table.key.map((column, c) => comparedKey(column, key[c]!).join(' = ')).join(' AND ')})`
  })
  return readStatement(table, ` WHERE ${each.join(' OR ')}`)
}

/** NUL isn't safe in literals; and ORC's statistics compare UTF-16, which differs from bytes from U+D800 on. */
const UNEVEN = /[\0\ud800-\uffff]/

/** A key column and a text, in a form in which Hive compares them as their canonical keys. */
function comparedKey({ name, type }: Column, text: string): [string, string] {
  if (type.name === 'string' && UNEVEN.test(text)) {
    return [`hex(${stored(name)})`, literal(Buffer.from(text, 'utf8').toString('hex').toUpperCase())]
  }
  return [orderOf(type, stored(name)), orderOf(type, fromText(type, literal(text)))]
}

/** The rows of the keys of a source. */
export function manyKeysStatement(table: TableSchema, source: Source): string {
  return readStatement(table, ` LEFT SEMI JOIN ${typedRows(table, source, 'keys')} s ON ${sameKey(table)}`)
}

/** Whether a row lies behind a key, or up to one. */
export function boundCondition(table: TableSchema, side: 'after' | 'upTo', key: readonly string[]): string {
  const parts = table.key.map((column, last) => {
    const equal = table.key.slice(0, last).map((before, c) => comparedKey(before, key[c]!).join(' = '))
    const end = side === 'after' ? '>' : last === table.key.length - 1 ? '<=' : '<'
    return `(${[...equal, comparedKey(column, key[last]!).join(` ${end} `)].join(' AND ')})`
  })
  return `(${parts.join(' OR ')})`
}

/** Rows that fit the conditions: some, in no order, or all in key order. */
export function scanStatement(table: TableSchema, conditions: readonly string[], rest: 'ordered' | number): string {
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`
  if (rest !== 'ordered') return readStatement(table, `${where} LIMIT ${String(rest)}`)
  const order = table.key.map(({ name, type }) => orderOf(type, stored(name)))
  return readStatement(table, `${where} ORDER BY ${order.join(', ')}`)
}

export function greatestStatement(table: TableSchema): string {
  const stamps = [...table.values.map(({ name }) => `${name.toLowerCase()}_stamp`), 'deleted_stamp']
  return `SELECT greatest(${stamps.map((name) => `nvl(max(${quoted(name)}), '')`).join(', ')}) FROM ${tableName(table)}`
}

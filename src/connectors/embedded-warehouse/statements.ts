import type { TableSchema } from '../../core/table.ts'
import type { ColumnType } from '../../core/types.ts'
import type { KeyRange } from '../connector.ts'
import { differs, fromText, quoted, sqlType, toText } from './types.ts'

/** A column as it is in the database. */
export interface StoredColumn {
  readonly name: string
  readonly type: string
  readonly required: boolean
}

/** The columns that a table has there: keys, each value with its stamp beside it, the tombstone. */
export function storedColumns(table: TableSchema): StoredColumn[] {
  return [
    ...table.key.map(({ name, type }) => ({ name, type: sqlType(type), required: true })),
    ...table.values.flatMap(({ name, type }) => [
      { name, type: sqlType(type), required: false },
      { name: `${name}_stamp`, type: 'VARCHAR', required: false },
    ]),
    { name: 'deleted_stamp', type: 'VARCHAR', required: false },
  ]
}

export function createTable(table: TableSchema): string {
  const columns = storedColumns(table).map(
    ({ name, type, required }) => `${quoted(name)} ${type}${required ? ' NOT NULL' : ''}`,
  )
  return `CREATE TABLE ${quoted(table.name)} (${columns.join(', ')})`
}

/** The rows that exist, without stamps, for people. */
export function createView(table: TableSchema): string {
  const columns = [...table.key, ...table.values].map(({ name }) => quoted(name))
  const exists = table.values.map(({ name }) => `${quoted(`${name}_stamp`)} IS NOT NULL`)
  return (
    `CREATE VIEW ${quoted(`${table.name}_live`)} AS SELECT ${columns.join(', ')} ` +
    `FROM ${quoted(table.name)} WHERE ${exists.join(' OR ')}`
  )
}

/** The temporary table's name: one that no table of a schema can have. */
export const STAGE = 'merganser stage'

/** Where a batch of rows, or of keys alone, waits as texts: `r` its row, `k0…`, `v0…`, `s0…`, `d`. */
export function createStage(stage: string, table: TableSchema, rows: 'keys' | 'rows'): string {
  const columns = table.key.map((_, c) => `k${String(c)} VARCHAR`)
  if (rows === 'rows') {
    columns.push(...table.values.map((_, c) => `v${String(c)} VARCHAR`))
    columns.push(...table.values.map((_, c) => `s${String(c)} VARCHAR`), 'd VARCHAR')
  }
  return `CREATE OR REPLACE TEMP TABLE ${quoted(stage)} (r INTEGER, ${columns.join(', ')})`
}

/** The staged rows with their types, as a subquery. */
function typedStage(stage: string, table: TableSchema, rows: 'keys' | 'rows'): string {
  const typed = (type: ColumnType, column: string) => `${fromText(type, column)} AS ${column}`
  const columns = table.key.map(({ type }, c) => typed(type, `k${String(c)}`))
  if (rows === 'rows') {
    columns.push(...table.values.map(({ type }, c) => typed(type, `v${String(c)}`)))
    columns.push(...table.values.map((_, c) => `s${String(c)}`), 'd')
  }
  return `(SELECT r, ${columns.join(', ')} FROM temp.${quoted(stage)})`
}

function sameKey(table: TableSchema): string {
  return table.key.map(({ name }, c) => `t.${quoted(name)} = s.k${String(c)}`).join(' AND ')
}

/**
 * The join, as one statement (`greatest` ignores NULL): per column the greater stamp's value, the stored one where they
 * are equal; the greater tombstone; then normal form. Changes, and counts, only the rows whose join is another row.
 */
export function mergeStatement(stage: string, table: TableSchema): string {
  const deleted = 'greatest(s.d, t.deleted_stamp)'
  const columns = table.values.map(({ name }, c) => {
    const stored = `t.${quoted(`${name}_stamp`)}`
    const greater = `greatest(s.s${String(c)}, ${stored})`
    const alive = `${greater} > coalesce(${deleted}, '')`
    const value = `CASE WHEN s.s${String(c)} > coalesce(${stored}, '') THEN s.v${String(c)} ELSE t.${quoted(name)} END`
    return {
      name,
      stored,
      alive,
      value: `CASE WHEN ${alive} THEN ${value} END`,
      stamp: `CASE WHEN ${alive} THEN ${greater} END`,
    }
  })
  const tombstone = `CASE WHEN ${columns.map(({ alive }) => alive).join(' AND ')} THEN NULL ELSE ${deleted} END`
  const changes = [
    ...columns.map(({ stored, stamp }) => `${stamp} IS DISTINCT FROM ${stored}`),
    `${tombstone} IS DISTINCT FROM t.deleted_stamp`,
  ]
  const updates = [
    ...columns.flatMap(({ name, value, stamp }) => [
      `${quoted(name)} = ${value}`,
      `${quoted(`${name}_stamp`)} = ${stamp}`,
    ]),
    `deleted_stamp = ${tombstone}`,
  ]
  return (
    `MERGE INTO ${quoted(table.name)} AS t USING ${typedStage(stage, table, 'rows')} AS s ON ${sameKey(table)} ` +
    `WHEN MATCHED AND (${changes.join(' OR ')}) THEN UPDATE SET ${updates.join(', ')} ${insertBranch(table)}`
  )
}

/** The row in normal form; one without register and tombstone is none. */
function insertBranch(table: TableSchema): string {
  const alive = table.values.map((_, c) => `s.s${String(c)} > coalesce(s.d, '')`)
  const names = storedColumns(table).map(({ name }) => quoted(name))
  const values = [
    ...table.key.map((_, c) => `s.k${String(c)}`),
    ...alive.flatMap((condition, c) => [
      `CASE WHEN ${condition} THEN s.v${String(c)} END`,
      `CASE WHEN ${condition} THEN s.s${String(c)} END`,
    ]),
    `CASE WHEN ${alive.join(' AND ')} THEN NULL ELSE s.d END`,
  ]
  const something = [...table.values.map((_, c) => `s.s${String(c)} IS NOT NULL`), 's.d IS NOT NULL']
  return `WHEN NOT MATCHED AND (${something.join(' OR ')}) THEN INSERT (${names.join(', ')}) VALUES (${values.join(', ')})`
}

/** Staged rows with a register that is stored under its stamp with another value: `r`, then a flag for each column. */
export function foreignStatement(stage: string, table: TableSchema): string {
  const flags = table.values.map(({ name, type }, c) => {
    const stored = `t.${quoted(name)}`
    return `(s.s${String(c)} = t.${quoted(`${name}_stamp`)} AND ${differs(type, `s.v${String(c)}`, stored)})`
  })
  const list = flags.map((flag) => `coalesce(${flag}, false)`)
  return (
    `SELECT s.r, ${list.join(', ')} FROM ${typedStage(stage, table, 'rows')} AS s JOIN ${quoted(table.name)} AS t ` +
    `ON ${sameKey(table)} WHERE ${flags.join(' OR ')} ORDER BY s.r`
  )
}

/**
 * Rows as `reading.ts` takes them: for each column of a batch (keys, values, stamps, tombstone) the length of its text
 * in bytes, -1 for null, then all texts of the row in one blob; a float64 is one number (NULL where there is none).
 */
export function readStatement(table: TableSchema, from: string, order = ''): string {
  const texts: string[] = []
  const lengths: string[] = []
  const columns = [
    ...table.key,
    ...table.values,
    ...table.values.map(({ name }) => ({ name: `${name}_stamp`, type: { name: 'string' } as const })),
    { name: 'deleted_stamp', type: { name: 'string' } as const },
  ]
  columns.forEach(({ name, type }, c) => {
    const stored = `t.${quoted(name)}`
    if (type.name === 'float64') {
      texts.push(`${stored} AS x${String(c)}`)
      lengths.push(`x${String(c)}`)
    } else {
      texts.push(`${toText(type, stored)} AS x${String(c)}`)
      lengths.push(`coalesce(CAST(strlen(x${String(c)}) AS INTEGER), -1)`)
    }
  })
  const strings = columns.flatMap(({ type }, c) => (type.name === 'float64' ? [] : [`x${String(c)}`]))
  const keys = table.key.map(({ name }, c) => (order === '' ? '' : `, t.${quoted(name)} AS o${String(c)}`)).join('')
  return (
    `SELECT ${lengths.join(', ')}, encode(concat(${strings.join(', ')})) ` +
    `FROM (SELECT ${texts.join(', ')}${keys} FROM ${quoted(table.name)} AS t ${from})${order}`
  )
}

/** The rows of the staged keys. */
export function lookupStatement(stage: string, table: TableSchema): string {
  return readStatement(table, `SEMI JOIN ${typedStage(stage, table, 'keys')} AS s ON (${sameKey(table)})`)
}

/** The texts that `rangeCondition` takes as parameters, in UTF-8 so that any character passes. */
export function rangeTexts({ after, upTo }: KeyRange): readonly string[] {
  return [...(after ?? []), ...(upTo ?? [])]
}

/** The keys of a range. */
export function rangeCondition(table: TableSchema, { after, upTo }: KeyRange): string {
  const conditions = [
    ...(after === undefined ? [] : [behind(table, 1)]),
    ...(upTo === undefined ? [] : [`NOT ${behind(table, after === undefined ? 1 : table.key.length + 1)}`]),
  ]
  return conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`
}

/** What comes after a key, whose texts are parameters from `first` on. */
function behind(table: TableSchema, first: number): string {
  const item = (c: number, type: ColumnType) => fromText(type, `decode($${String(first + c)}::BLOB)`)
  const parts = table.key.map(({ name, type }, last) => {
    const equal = table.key.slice(0, last).map((column, c) => `t.${quoted(column.name)} = ${item(c, column.type)}`)
    return `(${[...equal, `t.${quoted(name)} > ${item(last, type)}`].join(' AND ')})`
  })
  return `(${parts.join(' OR ')})`
}

export function scanStatement(table: TableSchema, from: string): string {
  return readStatement(table, from, ` ORDER BY ${table.key.map((_, c) => `o${String(c)}`).join(', ')}`)
}

export function countStatement(table: TableSchema, from: string): string {
  return `SELECT count(*) FROM ${quoted(table.name)} AS t ${from}`
}

export function greatestStatement(table: TableSchema): string {
  const stamps = [...table.values.map(({ name }) => `${name}_stamp`), 'deleted_stamp']
  return `SELECT greatest(${stamps.map((name) => `max(${quoted(name)})`).join(', ')}, '') FROM ${quoted(table.name)}`
}

import { MerganserError } from '../../core/errors.ts'
import type { Column, TableSchema } from '../../core/table.ts'
import type { ColumnType } from '../../core/types.ts'

/*
 * How a table of Merganser's own stands in PostgreSQL: key columns, value columns, each value's stamp as text beside it,
 * `deleted_stamp`, and a view without stamps and deleted rows. The names and types of it are decided here only.
 */

/** PostgreSQL cuts identifiers at this many bytes. */
const NAME_BYTES = 63
const MOST_KEY_COLUMNS = 32
const SYSTEM_COLUMNS = new Set(['tableoid', 'xmin', 'cmin', 'xmax', 'cmax', 'ctid'])

/** An identifier as SQL text. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A table's column as it stands in the database. */
export interface StoredColumn {
  /** The identifier, not quoted. */
  readonly name: string
  readonly type: ColumnType
}

/** A table's names in the database, checked. */
export interface TableLayout {
  readonly schema: TableSchema
  /** The identifiers, not quoted. */
  readonly name: string
  readonly view: string
  readonly keys: readonly StoredColumn[]
  readonly values: readonly StoredColumn[]
  /** One per value column. */
  readonly stamps: readonly string[]
  readonly deleted: string
}

const cut = (name: string): string => name.slice(0, NAME_BYTES)

/** A table's layout. Throws BAD_SCHEMA where PostgreSQL can't have such a table. */
export function layoutOf(schema: TableSchema): TableLayout {
  const fail = (message: string): never => {
    throw new MerganserError('BAD_SCHEMA', `table ${schema.name} can't stand in PostgreSQL: ${message}`, {
      place: { table: schema.name },
      advice: 'choose other or shorter names',
    })
  }
  if (schema.name.length > NAME_BYTES) fail(`its name is longer than ${String(NAME_BYTES)} bytes`)
  if (schema.name.startsWith('merganser_')) fail('names in merganser_ are kept for Merganser')
  if (schema.key.length > MOST_KEY_COLUMNS) fail(`more than ${String(MOST_KEY_COLUMNS)} key columns`)
  const stored = (column: Column): StoredColumn => ({ name: cut(column.name), type: column.type })
  const layout: TableLayout = {
    schema,
    name: schema.name,
    view: cut(`${schema.name}_live`),
    keys: schema.key.map(stored),
    values: schema.values.map(stored),
    stamps: schema.values.map((column) => cut(`${column.name}_stamp`)),
    deleted: 'deleted_stamp',
  }
  if (layout.view === layout.name) fail(`its name and that of its view are the same in ${String(NAME_BYTES)} bytes`)
  const seen = new Set<string>()
  for (const name of columnNames(layout)) {
    if (SYSTEM_COLUMNS.has(name)) fail(`${name} is a system column there`)
    if (seen.has(name))
      fail(`two of its columns are both called ${name} there (names are cut at ${String(NAME_BYTES)} bytes)`)
    seen.add(name)
  }
  return layout
}

/** All columns in their order: keys, each value with its stamp, the tombstone. */
export function columnNames(layout: TableLayout): string[] {
  const pairs = layout.values.flatMap((column, c) => [column.name, layout.stamps[c]!])
  return [...layout.keys.map((column) => column.name), ...pairs, layout.deleted]
}

/** A type's name, spelled as `format_type` spells it. */
export function typeSql(type: ColumnType): string {
  switch (type.name) {
    case 'string':
      return 'text'
    case 'int64':
      return 'bigint'
    case 'float64':
      return 'double precision'
    case 'decimal':
      return `numeric(${String(type.precision ?? 38)},${String(type.scale ?? 18)})`
    case 'boolean':
      return 'boolean'
    case 'bytes':
      return 'bytea'
    case 'date':
      return 'date'
    case 'timestamp':
      return 'timestamp with time zone'
    case 'json':
      return 'json'
  }
}

/** What a column must be: its type and, where bytes must decide the order, the collation. */
export interface ColumnShape {
  readonly name: string
  readonly type: string
  readonly collation: 'C' | undefined
}

/** Every column of a table that Merganser makes. */
export function shapeOf(layout: TableLayout): ColumnShape[] {
  const stamp = (name: string): ColumnShape => ({ name, type: 'text', collation: 'C' })
  return [
    ...layout.keys.map(({ name, type }): ColumnShape => {
      return { name, type: typeSql(type), collation: type.name === 'string' ? 'C' : undefined }
    }),
    ...layout.values.flatMap(({ name, type }, c): ColumnShape[] => [
      { name, type: typeSql(type), collation: undefined },
      stamp(layout.stamps[c]!),
    ]),
    stamp(layout.deleted),
  ]
}

/** A table's name as SQL text. */
export function tableSql(layout: TableLayout): string {
  return `public.${quoted(layout.name)}`
}

/** The statement that makes the table. */
export function createTableSql(layout: TableLayout): string {
  const columns = shapeOf(layout).map(({ name, type, collation }) => {
    return `${quoted(name)} ${type}${collation === undefined ? '' : ` COLLATE "${collation}"`}`
  })
  const key = layout.keys.map(({ name }) => quoted(name)).join(', ')
  return `CREATE TABLE ${tableSql(layout)} (${columns.join(', ')}, PRIMARY KEY (${key}))`
}

/** The statement that makes the view of the rows that exist: those with a register. */
export function createViewSql(layout: TableLayout): string {
  const columns = [...layout.keys, ...layout.values].map(({ name }) => quoted(name)).join(', ')
  const exists = layout.stamps.map((stamp) => `${quoted(stamp)} IS NOT NULL`).join(' OR ')
  return `CREATE VIEW public.${quoted(layout.view)} AS SELECT ${columns} FROM ${tableSql(layout)} WHERE ${exists}`
}

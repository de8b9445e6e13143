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
  /** The identifiers, not quoted: PostgreSQL's schema, the table, its view. */
  readonly namespace: string
  readonly name: string
  readonly view: string
  readonly keys: readonly StoredColumn[]
  readonly values: readonly StoredColumn[]
  /** One per value column. */
  readonly stamps: readonly string[]
  readonly deleted: string
}

/** As PostgreSQL cuts names: by bytes, never within a character. */
function cut(name: string): string {
  const bytes = Buffer.from(name)
  if (bytes.length <= NAME_BYTES) return name
  let end = NAME_BYTES
  while ((bytes[end]! & 0xc0) === 0x80) end--
  return bytes.toString('utf8', 0, end)
}

/**
 * A table's layout. Throws BAD_SCHEMA where PostgreSQL can't have such a table.
 * @param namespace PostgreSQL's schema, where the table's name doesn't state one before a dot
 */
export function layoutOf(schema: TableSchema, namespace = 'public'): TableLayout {
  const dot = schema.name.indexOf('.')
  const name = schema.name.slice(dot + 1)
  const fail = (message: string): never => {
    throw new MerganserError('BAD_SCHEMA', `table ${schema.name} can't stand in PostgreSQL: ${message}`, {
      place: { table: schema.name },
      advice: 'choose other or shorter names',
    })
  }
  if (Buffer.byteLength(name) > NAME_BYTES) fail(`its name is longer than ${String(NAME_BYTES)} bytes`)
  if (dot === 0 || name === '' || name.includes('.')) fail('its name must be TABLE or SCHEMA.TABLE')
  if (name.startsWith('merganser_')) fail('names in merganser_ are kept for Merganser')
  if (schema.key.length > MOST_KEY_COLUMNS) fail(`more than ${String(MOST_KEY_COLUMNS)} key columns`)
  const stored = (column: Column): StoredColumn => ({ name: cut(column.name), type: column.type })
  const layout: TableLayout = {
    schema,
    namespace: dot < 0 ? namespace : schema.name.slice(0, dot),
    name,
    view: cut(`${name}_live`),
    keys: schema.key.map(stored),
    values: schema.values.map(stored),
    stamps: schema.values.map((column) => cut(`${column.name}_stamp`)),
    deleted: 'deleted_stamp',
  }
  if (layout.view === layout.name) fail(`its name and that of its view are the same in ${String(NAME_BYTES)} bytes`)
  const seen = new Set<string>()
  if (schema.name.includes('\0')) fail('its name holds U+0000')
  for (const name of columnNames(layout)) {
    if (name === '' || name.includes('\0')) fail('a column has a name that is none there')
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
  return `${quoted(layout.namespace)}.${quoted(layout.name)}`
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
  return `CREATE VIEW ${quoted(layout.namespace)}.${quoted(layout.view)} AS SELECT ${columns} FROM ${tableSql(layout)} WHERE ${exists}`
}

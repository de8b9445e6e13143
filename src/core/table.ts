import { decodeKey, encodeKey } from './key.ts'
import { MerganserError } from './errors.ts'
import { keyable, parseType, typeText, type ColumnType } from './types.ts'

export interface Column {
  /** As configured; names are matched whatever their case. */
  readonly name: string
  readonly type: ColumnType
}

/** A table's schema, plain data that crosses threads: a composite key and value columns, each in order. */
export interface TableSchema {
  readonly name: string
  readonly key: readonly Column[]
  readonly values: readonly Column[]
}

/** Longest canonical key, in bytes. */
export const MAX_KEY_BYTES = 2000
/** Longest value, in bytes of its canonical text. */
export const MAX_VALUE_BYTES = 512 * 1024
/** Most columns of one table, keys and values together. */
export const MAX_COLUMNS = 500
/** Longest name of a table or column: PostgreSQL cuts names at 63 bytes, and `_stamp` or `_live` is added to ours. */
export const MAX_NAME_LENGTH = 57

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/** The table of the seed: what a session has where nothing is configured. */
export const DEFAULT_TABLE: TableSchema = {
  name: 'student_course_grades',
  key: [
    { name: 'student_id', type: { name: 'string' } },
    { name: 'course_id', type: { name: 'string' } },
  ],
  values: [{ name: 'grade', type: { name: 'string' } }],
}

/** Throws BAD_SCHEMA unless a schema can be a table in every kind of database. */
export function checkSchema(schema: TableSchema): TableSchema {
  const fail = (message: string): never => {
    throw new MerganserError('BAD_SCHEMA', `table ${schema.name}: ${message}`, { place: { table: schema.name } })
  }
  if (!NAME.test(schema.name)) fail('its name must be letters, digits and _')
  if (schema.name.length > MAX_NAME_LENGTH) fail(`its name is longer than ${String(MAX_NAME_LENGTH)} letters`)
  if (schema.name.toLowerCase().startsWith('merganser_')) fail('names in merganser_ are kept for Merganser')
  if (schema.name === '__proto__') fail('its name means something else to JavaScript')
  if (schema.key.length === 0) fail('it needs a key column')
  if (schema.values.length === 0) fail('it needs a value column')
  if (schema.key.length + schema.values.length > MAX_COLUMNS) fail(`more than ${String(MAX_COLUMNS)} columns`)
  const seen = new Set(['deleted_stamp', '_id', 'stamps', '__proto__'])
  for (const column of [...schema.key, ...schema.values]) {
    const lower = column.name.toLowerCase()
    if (!NAME.test(column.name)) fail(`column ${column.name}: its name must be letters, digits and _`)
    if (column.name.length > MAX_NAME_LENGTH) {
      fail(`column ${column.name}: its name is longer than ${String(MAX_NAME_LENGTH)} letters`)
    }
    if (parseType(typeText(column.type)) === undefined) fail(`column ${column.name}: there is no type of its kind`)
    if (lower.startsWith('merganser_')) fail(`column ${column.name}: names in merganser_ are kept for Merganser`)
    if (seen.has(lower)) fail(`column ${column.name}: the name is taken`)
    seen.add(lower)
  }
  for (const column of schema.values) {
    const stamp = `${column.name.toLowerCase()}_stamp`
    if (seen.has(stamp)) fail(`column ${stamp}: the name is taken by the stamp of ${column.name}`)
  }
  for (const column of schema.key) {
    if (!keyable(column.type)) fail(`key column ${column.name}: ${column.type.name} can't be in a key`)
  }
  return schema
}

/** Canonical key bytes from the canonical texts of the key columns. */
export function keyBytes(schema: TableSchema, texts: readonly string[]): Buffer {
  return encodeKey(
    schema.key.map((column) => column.type),
    texts,
  )
}

/** The canonical texts of the key columns from canonical key bytes. */
export function keyTexts(schema: TableSchema, bytes: Uint8Array): string[] {
  return decodeKey(
    schema.key.map((column) => column.type),
    bytes,
  )
}

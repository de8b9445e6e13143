import type { ColumnType } from '../../core/types.ts'

/*
 * How canonical values are held in DuckDB. Every cast is DuckDB's own and exact both ways for canonical texts: no value
 * passes through a JavaScript number, but a float64, which is one.
 */

/** Digits of a second that TIMESTAMP keeps; a column that wants more is TIMESTAMP_NS, with its narrower range of years. */
export const MICROSECOND_DIGITS = 6
/** The whole years of TIMESTAMP_NS. */
export const FIRST_NANOSECOND_YEAR = 1678
export const LAST_NANOSECOND_YEAR = 2261

/** Whether a column is held as TIMESTAMP_NS, whose 64 bits of nanoseconds end in the years 1677 and 2262. */
export function hasNanoseconds(type: ColumnType): boolean {
  return type.name === 'timestamp' && (type.scale ?? 9) > MICROSECOND_DIGITS
}

/** The column's type, spelled as DuckDB prints it. */
export function sqlType(type: ColumnType): string {
  switch (type.name) {
    case 'int64':
      return 'BIGINT'
    case 'float64':
      return 'DOUBLE'
    case 'decimal':
      return `DECIMAL(${String(type.precision ?? 38)},${String(type.scale ?? 18)})`
    case 'boolean':
      return 'BOOLEAN'
    case 'bytes':
      return 'BLOB'
    case 'date':
      return 'DATE'
    case 'timestamp':
      return hasNanoseconds(type) ? 'TIMESTAMP_NS' : 'TIMESTAMP'
    case 'string':
    case 'json':
      return 'VARCHAR'
  }
}

/** The typed value of an expression that is a canonical text. */
export function fromText(type: ColumnType, text: string): string {
  switch (type.name) {
    case 'string':
    case 'json':
      return text
    case 'bytes':
      return `unhex(substr(${text}, 3))`
    case 'timestamp':
      return `CAST(rtrim(${text}, 'Z') AS ${sqlType(type)})`
    default:
      return `CAST(${text} AS ${sqlType(type)})`
  }
}

/**
 * The text of a key to look for, as one that its column's type has: what is out of the range of TIMESTAMP_NS, and so
 * isn't stored, becomes a moment that isn't stored either, on the same side.
 */
export function searchableText(type: ColumnType, text: string): string {
  if (!hasNanoseconds(type)) return text
  const year = Number(text.slice(0, 4))
  if (year < FIRST_NANOSECOND_YEAR) return `${String(FIRST_NANOSECOND_YEAR - 1)}-12-31 23:59:59Z`
  return year > LAST_NANOSECOND_YEAR ? `${String(LAST_NANOSECOND_YEAR + 1)}-01-01 00:00:00Z` : text
}

/** The canonical text of a typed expression; not for float64, whose shortest text is JavaScript's. */
export function toText(type: ColumnType, value: string): string {
  switch (type.name) {
    case 'string':
    case 'json':
      return value
    case 'bytes':
      return `'\\x' || lower(hex(${value}))`
    case 'timestamp':
      return `CAST(${value} AS VARCHAR) || 'Z'`
    case 'decimal':
      return decimalText(type, `CAST(${value} AS VARCHAR)`)
    default:
      return `CAST(${value} AS VARCHAR)`
  }
}

/** DuckDB prints all digits of the scale, and no zero before the point where the type has no room for one. */
function decimalText(type: ColumnType, printed: string): string {
  const scale = type.scale ?? 18
  if (scale === 0) return printed
  const trimmed = `rtrim(rtrim(${printed}, '0'), '.')`
  return scale === (type.precision ?? 38) ? `regexp_replace(${trimmed}, '^(-?)(\\.|$)', '\\10\\2')` : trimmed
}

/** Whether two typed expressions hold different values; the sign of zero counts. */
export function differs(type: ColumnType, a: string, b: string): string {
  const distinct = `${a} IS DISTINCT FROM ${b}`
  return type.name === 'float64' ? `(${distinct} OR signbit(${a}) <> signbit(${b}))` : distinct
}

/** A name as a quoted identifier. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A text as a literal: for paths, which can't be parameters. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

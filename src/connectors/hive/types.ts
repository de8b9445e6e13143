import { floatText, type ColumnType } from '../../core/types.ts'

/*
 * How canonical values are held in Hive. They go there as texts, which Hive casts, and come back as Hive writes them in
 * results; no value but a float64 passes through a JavaScript number.
 */

/** The column's type, spelled as `DESCRIBE` spells it. */
export function hiveType(type: ColumnType): string {
  switch (type.name) {
    case 'string':
    case 'json':
      return 'string'
    case 'int64':
      return 'bigint'
    case 'float64':
      return 'double'
    case 'decimal':
      return `decimal(${String(type.precision ?? 38)},${String(type.scale ?? 18)})`
    case 'boolean':
      return 'boolean'
    case 'bytes':
      return 'binary'
    case 'date':
      return 'date'
    case 'timestamp':
      return 'timestamp'
  }
}

/** The typed value of an expression that is a canonical text. */
export function fromText(type: ColumnType, text: string): string {
  switch (type.name) {
    case 'string':
    case 'json':
      return text
    case 'boolean':
      return `(${text} = 'true')`
    case 'bytes':
      return `unhex(substr(${text}, 3))`
    case 'timestamp':
      return `cast(regexp_replace(${text}, 'Z', '') as timestamp)`
    default:
      return `cast(${text} as ${hiveType(type)})`
  }
}

/** The canonical text of a typed expression; for the types in `hiveCapabilities.digests`. */
export function toText(type: ColumnType, value: string): string {
  switch (type.name) {
    case 'string':
    case 'json':
      return value
    case 'boolean':
      return `lower(cast(${value} as string))`
    case 'bytes':
      return `concat('\\\\x', lower(hex(${value})))`
    case 'timestamp':
      return `concat(cast(${value} as string), 'Z')`
    case 'decimal': {
      const text = `cast(${value} as string)`
      return (type.scale ?? 18) === 0 ? text : `regexp_replace(${text}, '[.]?0+$', '')`
    }
    default:
      return `cast(${value} as string)`
  }
}

/** Whether two typed expressions hold different values. */
export function differs(type: ColumnType, a: string, b: string): string {
  if (type.name === 'float64') return `NOT (cast(${a} as string) <=> cast(${b} as string))`
  if (type.name === 'bytes') return `NOT (hex(${a}) <=> hex(${b}))`
  return `NOT (${a} <=> ${b})`
}

/** What orders a column's values as their canonical keys. */
export function orderOf(type: ColumnType, value: string): string {
  return type.name === 'bytes' ? `hex(${value})` : value
}

/** The canonical text of a value as a result holds it. */
export function canonicalText(type: ColumnType, value: unknown): string {
  if (Buffer.isBuffer(value)) {
    return type.name === 'bytes' ? `\\x${value.toString('hex')}` : value.toString('utf8')
  }
  if (typeof value === 'number') return type.name === 'float64' ? floatText(value) : String(value)
  const text = String(value)
  switch (type.name) {
    case 'decimal':
      return text.includes('.') ? text.replace(/\.?0+$/, '') : text
    case 'timestamp':
      return `${text.includes('.') ? text.replace(/\.?0+$/, '') : text}Z`
    default:
      return text
  }
}

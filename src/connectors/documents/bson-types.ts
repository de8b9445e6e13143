import type { ColumnType } from '../../core/types.ts'

/** The BSON types that documents have (bsonspec.org). */
export const BsonType = {
  double: 0x01,
  string: 0x02,
  document: 0x03,
  array: 0x04,
  binary: 0x05,
  boolean: 0x08,
  date: 0x09,
  null: 0x0a,
  int32: 0x10,
  int64: 0x12,
  decimal: 0x13,
} as const

/** Digits of a second that a BSON date holds. */
const DATE_DIGITS = 3

/**
 * Whether a timestamp column is a BSON date. A finer one is text of a fixed width, which is exact and sorts by time;
 * the column's type decides, so that a column holds one kind only.
 */
export function isBsonDate(type: ColumnType): boolean {
  return (type.scale ?? 9) <= DATE_DIGITS
}

/** The type in BSON that holds a canonical type's values, for the documentation. */
export function heldAs(type: ColumnType): string {
  switch (type.name) {
    case 'string':
      return 'string'
    case 'int64':
      return 'long'
    case 'float64':
      return 'double'
    case 'decimal':
      return 'decimal128'
    case 'boolean':
      return 'bool'
    case 'bytes':
      return 'binary'
    case 'date':
      return 'date'
    case 'timestamp':
      return isBsonDate(type) ? 'date' : 'string'
    case 'json':
      return 'any type'
  }
}

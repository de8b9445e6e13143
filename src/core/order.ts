import { utf8Compare } from './bytes.ts'
import type { ColumnType } from './types.ts'

/**
 * Compares two canonical texts of one type: strings, bytes and json by their bytes, all else by value; the same as the
 * order of key bytes for the types that may stand in a key. Of float64 -0 and 0 are equal, and NaN equals itself and is
 * the greatest. Negative, zero or positive as `a` is less than, equal to or greater than `b`.
 */
export function compareCanonical(type: ColumnType, a: string, b: string): number {
  if (a === b) return 0
  switch (type.name) {
    case 'int64':
      return compareIntegers(a, b)
    case 'decimal':
      return compareDecimals(a, b)
    case 'float64':
      return compareFloats(Number(a), Number(b))
    case 'timestamp':
      // Without the Z a longer fraction of the same second is the greater text.
      return compareAscii(a.slice(0, -1), b.slice(0, -1))
    case 'boolean':
    case 'bytes':
    case 'date':
      return compareAscii(a, b)
    default:
      return utf8Compare(a, b)
  }
}

function compareAscii(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1
}

/** Digits without leading zeros and, for negative ones, a sign. */
function compareIntegers(a: string, b: string): number {
  const negative = a.startsWith('-')
  if (negative !== b.startsWith('-')) return negative ? -1 : 1
  const order = a.length === b.length ? compareAscii(a, b) : a.length - b.length
  return negative ? -order : order
}

function compareDecimals(a: string, b: string): number {
  const [aWhole, aFraction = ''] = a.split('.') as [string, string?]
  const [bWhole, bFraction = ''] = b.split('.') as [string, string?]
  if (aWhole !== bWhole) return compareIntegers(aWhole, bWhole)
  // Fractions have no zeros at their end, so that their texts compare as they do.
  const order = compareAscii(aFraction, bFraction)
  return a.startsWith('-') ? -order : order
}

function compareFloats(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
  return a === b ? 0 : a < b ? -1 : 1
}

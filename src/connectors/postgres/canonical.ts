import { floatText, parseValue, type ColumnType } from '../../core/types.ts'
import { canonicalJson } from '../../core/json.ts'

/** Whether PostgreSQL's own text of a type (ISO dates, UTC, hexadecimal bytea) is always the canonical one. */
export function isCanonical(type: ColumnType): boolean {
  return type.name !== 'float64' && type.name !== 'decimal' && type.name !== 'timestamp' && type.name !== 'json'
}

/**
 * The canonical text of a value from PostgreSQL's text of it. What only a hand could have put there and no canonical
 * text says (`infinity` as a timestamp, a year BC) comes back as PostgreSQL writes it.
 */
export function canonicalText(type: ColumnType, text: string): string {
  switch (type.name) {
    case 'float64':
      return floatText(Number(text))
    case 'timestamp':
      return text.endsWith('+00') ? `${text.slice(0, -3)}Z` : text
    case 'decimal': {
      const parsed = parseValue(type, text)
      return 'text' in parsed ? parsed.text : text
    }
    case 'json': {
      const parsed = canonicalJson(text)
      return 'text' in parsed ? parsed.text : text
    }
    default:
      return text
  }
}

import type { ColumnType } from '../../core/types.ts'

/** Why a server of MongoDB's protocol over another database can't hold a value: some of them end its connection. */
export function weakMisfit(type: ColumnType, text: string): string | undefined {
  switch (type.name) {
    case 'decimal':
      return 'this server holds no decimals'
    case 'float64':
      return /^(?:-0|NaN|-?Infinity)$/.test(text) ? `this server holds no ${text}` : undefined
    case 'json':
      return namesOf(JSON.parse(text))
        ? 'this server holds no names with a dot or a dollar sign, nor empty ones'
        : undefined
    default:
      return undefined
  }
}

function namesOf(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(value).some(
    ([name, member]) => (!Array.isArray(value) && (name === '' || /[.$]/.test(name))) || namesOf(member),
  )
}

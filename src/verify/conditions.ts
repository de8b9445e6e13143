import type { StampedRow } from '../core/batch.ts'
import { MerganserError } from '../core/errors.ts'
import { compareCanonical } from '../core/order.ts'
import type { TableSchema } from '../core/table.ts'
import type { Condition } from '../connectors/connector.ts'

/** Whether an operator holds for two values of that order. */
export function holds(operator: Condition['operator'], order: number): boolean {
  switch (operator) {
    case '=':
      return order === 0
    case '!=':
      return order !== 0
    case '<':
      return order < 0
    case '<=':
      return order <= 0
    case '>':
      return order > 0
    case '>=':
      return order >= 0
  }
}

/** A condition, of which null asks for nulls (`=`) or for what is none (`!=`). */
export type RowCondition = Omit<Condition, 'value'> & { readonly value: string | null }

/**
 * Whether a row meets all conditions, as `merganser query` understands them: by the order of canonical values, null
 * meets no comparison. Throws UNKNOWN_COLUMN.
 */
export function rowMeets(table: TableSchema, conditions: readonly RowCondition[]): (row: StampedRow) => boolean {
  const tests = conditions.map(({ column: name, operator, value }) => {
    const same = (column: { readonly name: string }) => column.name.toLowerCase() === name.toLowerCase()
    const key = table.key.findIndex(same)
    const column = key === -1 ? table.values.findIndex(same) : key
    const type = (key === -1 ? table.values[column] : table.key[key])?.type
    if (type === undefined) throw unknownColumn(table, name)
    return (row: StampedRow) => {
      const text = key === -1 ? (row.cells[column]?.value ?? null) : row.key[key]!
      if (value === null) return (text === null) === (operator === '=')
      return text !== null && holds(operator, compareCanonical(type, text, value))
    }
  })
  return (row) => tests.every((test) => test(row))
}

/** Numbers of the value columns of these names, key columns passed over. Throws UNKNOWN_COLUMN. */
export function columnNumbers(table: TableSchema, names: readonly string[]): number[] {
  const numbers = names.flatMap((name) => {
    const same = (column: { readonly name: string }) => column.name.toLowerCase() === name.toLowerCase()
    const number = table.values.findIndex(same)
    if (number === -1 && !table.key.some(same)) throw unknownColumn(table, name)
    return number === -1 ? [] : [number]
  })
  return [...new Set(numbers)].sort((a, b) => a - b)
}

function unknownColumn(table: TableSchema, name: string): MerganserError {
  const known = [...table.key, ...table.values].map((column) => column.name)
  return new MerganserError('UNKNOWN_COLUMN', `table ${table.name} has no column ${name.slice(0, 80)}`, {
    place: { table: table.name },
    advice: `its columns: ${known.join(', ')}`,
  })
}

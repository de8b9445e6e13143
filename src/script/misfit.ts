import type { TableId } from '../core/state.ts'
import type { TableSchema } from '../core/table.ts'
import type { Catalog } from './catalog.ts'
import { brief } from './errors.ts'
import type { Argument } from './items.ts'
import { nearestName } from '../core/nearest.ts'
import { firstTable, keyItems, type RowCall } from './readings.ts'
import type { Scanner } from './scanner.ts'

/** Says why the arguments of a row operation fit no table. */
export function explainMisfit(catalog: Catalog, scanner: Scanner, call: RowCall): never {
  checkShape(scanner, call)
  const first = firstTable(catalog, scanner, call)
  if (first !== -1) {
    checkColumn(catalog, scanner, call, first)
    // The shortest reading as a table's name has the name, one item of the key and SET's value.
    if (call.list.length > (call.op === 'set' ? 2 : 1)) return explainCount(catalog, scanner, call, first, 1)
  }
  checkTable(catalog, scanner, call)
  return explainCount(catalog, scanner, call, call.named ?? 0, 0)
}

/** Parentheses hold the key, braces the values of SET; nothing stands after them but a value. */
function checkShape(scanner: Scanner, call: RowCall): void {
  const last = call.list.length - 1
  const braces = call.list.find((argument, i) => argument.kind === 'braces' && (call.op !== 'set' || i < last))
  if (braces !== undefined) {
    const advice = call.op === 'set' ? 'they come last' : 'what a GET should find stands behind an ='
    scanner.fail('SYNTAX', braces.start, 'braces hold the values of a SET: not expected here', advice)
  }
  const at = call.list.findIndex((argument) => argument.kind === 'group')
  if (at === -1) return
  const next = call.list[at + 1]
  const beyond = call.list[at + 2]
  if (next?.kind === 'group') scanner.fail('SYNTAX', next.start, 'a second key: not expected here')
  if (call.op === 'set') {
    if (next === undefined) scanner.fail('WRONG_COUNT', call.close, 'SET needs a value after the key')
    if (beyond !== undefined) scanner.fail('WRONG_COUNT', beyond.start, 'an item after the value: not expected here')
  } else if (next !== undefined) scanner.fail('WRONG_COUNT', next.start, 'an item after the key: not expected here')
}

/** `SET(table, column, key, value)` with a column that the table hasn't. */
function checkColumn(catalog: Catalog, scanner: Scanner, call: RowCall, table: TableId): void {
  const second = call.list[1]
  if (call.op !== 'set' || second === undefined || second.kind === 'group' || second.kind === 'braces') return
  const schema = catalog.schema(table)
  if (call.list.at(-1)?.kind === 'braces') return
  if (keyItems(call.list.slice(2, -1))?.length !== schema.key.length) return
  failColumn(scanner, schema, second)
}

/** Fails with UNKNOWN_COLUMN for a name that is no value column of the table. */
export function failColumn(scanner: Scanner, schema: TableSchema, name: { start: number; end: number }): never {
  const text = scanner.text(name)
  const names = schema.values.map((column) => column.name)
  if (schema.key.some((column) => column.name.toLowerCase() === text.toLowerCase())) {
    scanner.fail(
      'UNKNOWN_COLUMN',
      name.start,
      `${brief(text)} is a key column of ${schema.name}: it has no value to set or compare`,
    )
  }
  const message = `table ${schema.name} has no value column ${brief(text)}`
  scanner.fail('UNKNOWN_COLUMN', name.start, message, suggest(text, names, 'value columns'))
}

/** A first item that is nearly a table's name, where the others are right for this table. */
function checkTable(catalog: Catalog, scanner: Scanner, call: RowCall): void {
  const first = call.list[0]
  if (first?.kind !== 'bare' || call.named !== undefined) return
  const near = nearestName(
    first.text,
    catalog.tables.map((table) => table.name),
  )
  const table = near === undefined ? undefined : catalog.table(near)
  if (table === undefined) return
  const count = catalog.schema(table).key.length
  const rest = call.list.slice(1, call.op === 'set' ? -1 : undefined)
  if (keyItems(rest)?.length !== count && keyItems(rest.slice(1))?.length !== count) return
  failTable(catalog, scanner, first)
}

export function failTable(catalog: Catalog, scanner: Scanner, name: { start: number; end: number }): never {
  const text = scanner.text(name)
  const names = catalog.tables.map((table) => table.name)
  scanner.fail('UNKNOWN_TABLE', name.start, `there is no table ${brief(text)}`, suggest(text, names, 'tables'))
}

/** The nearest name, or the names there are. */
export function suggest(text: string, names: readonly string[], kind: string): string {
  const near = nearestName(text, names)
  if (near !== undefined) return `did you mean ${near}?`
  const some = names.slice(0, 12).join(', ')
  return `the known ${kind}: ${some}${names.length > 12 ? `, … (${String(names.length)})` : ''}`
}

function explainCount(catalog: Catalog, scanner: Scanner, call: RowCall, table: TableId, skip: number): never {
  const schema = catalog.schema(table)
  const rest = call.list.slice(skip)
  const advice = `write ${usage(schema, call, table)}`
  const key: readonly Argument[] = keyItems(call.op === 'set' ? rest.slice(0, -1) : rest) ?? rest
  const columns = schema.key.map((column) => column.name)
  if (key.length === columns.length && schema.values.length > 1) {
    const message = `table ${schema.name} has ${String(schema.values.length)} value columns: say which one is meant`
    scanner.fail('WRONG_COUNT', call.list.at(-1)!.start, message, advice)
  }
  const surplus = key[columns.length]
  const found =
    call.op === 'set' && rest[0]?.kind !== 'group' && rest.at(-1)?.kind !== 'braces' ? rest.length : key.length
  const value = found === key.length ? '' : ' and a value'
  const wanted = `${String(columns.length)} ${columns.length === 1 ? 'item' : 'items'} (${brief(columns.join(', '))})${value}`
  const message = `a key of table ${schema.name} has ${wanted}: found ${String(found)}`
  scanner.fail('WRONG_COUNT', surplus === undefined ? call.close : surplus.start, message, advice)
}

function usage(schema: TableSchema, call: RowCall, table: TableId): string {
  const key = `(${brief(schema.key.map((column) => column.name).join(', '))})`
  const name = table === 0 && call.named === undefined ? '' : `${schema.name}.`
  const values = brief(
    schema.values.map((column) => (schema.values.length > 1 ? `${column.name}: …` : column.name)).join(', '),
  )
  const value = call.op === 'set' ? `, ${schema.values.length > 1 ? `{${values}}` : values}` : ''
  return `${call.replica}.${name}${call.op.toUpperCase()}(${key}${value})`
}

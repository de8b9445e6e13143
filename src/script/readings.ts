import type { TableId } from '../core/state.ts'
import type { Catalog } from './catalog.ts'
import { brief } from './errors.ts'
import type { Argument, Braces, Item } from './items.ts'
import type { Scanner } from './scanner.ts'

/** A row operation as it was written: what its arguments mean depends on the tables. */
export interface RowCall {
  readonly op: 'set' | 'get' | 'delete'
  /** Shown in advice. */
  readonly replica: string
  /** The table written before the operation, `HIVE.grades.SET`. */
  readonly named: TableId | undefined
  readonly list: readonly Argument[]
  /** The offset of the closing parenthesis. */
  readonly close: number
}

/** One meaning of the arguments. */
export interface Reading {
  readonly table: TableId
  readonly key: readonly Item[]
  /** SET's. */
  readonly value: Item | Braces | undefined
  /** The value column that was named as an argument, else -1. */
  readonly column: number
}

/**
 * Finds the one meaning of the arguments: the key of the named or default table; or a first item that is a table's
 * name and then its key; or, for SET, a table, one of its columns, and the key. Fails with AMBIGUOUS where the default
 * table and another one both fit; undefined where none fits (`explainMisfit` says why).
 */
export function readCall(catalog: Catalog, scanner: Scanner, call: RowCall): Reading | undefined {
  const plain = reading(catalog, call, call.named ?? 0, 0, -1)
  const other = byFirstItem(catalog, scanner, call)
  if (plain !== undefined && other !== undefined) failAmbiguous(catalog, scanner, call, plain, other)
  return plain ?? other
}

/** The table that the first argument names; -1 where it names none. A quoted item never does. */
export function firstTable(catalog: Catalog, scanner: Scanner, call: RowCall): TableId {
  const first = call.list[0]
  if (first?.kind !== 'bare') return -1
  const table = catalog.tableAt(scanner.line, first.start, first.end)
  return call.named === undefined || call.named === table ? table : -1
}

function byFirstItem(catalog: Catalog, scanner: Scanner, call: RowCall): Reading | undefined {
  const table = firstTable(catalog, scanner, call)
  if (table === -1) return undefined
  const second = call.list[1]
  if (call.op === 'set' && second?.kind === 'bare') {
    const column = catalog.columnAt(table, scanner.line, second.start, second.end)
    const found = column === -1 ? undefined : reading(catalog, call, table, 2, column)
    if (found !== undefined) return found
  }
  return reading(catalog, call, table, 1, -1)
}

/** The arguments from `skip` on as key (and value) of a table, if their number fits. */
function reading(catalog: Catalog, call: RowCall, table: TableId, skip: number, column: number): Reading | undefined {
  const schema = catalog.schema(table)
  const rest = call.list.slice(skip)
  const value = call.op === 'set' ? rest.pop() : undefined
  if (value?.kind === 'group') return undefined
  if (call.op === 'set') {
    if (value === undefined) return undefined
    if (value.kind === 'braces' ? column !== -1 : column === -1 && schema.values.length > 1) return undefined
  }
  const key = keyItems(rest)
  if (key?.length !== schema.key.length) return undefined
  return { table, key, value, column }
}

/** The items of a key in either spelling; undefined where this is no key. */
export function keyItems(list: readonly Argument[]): readonly Item[] | undefined {
  const only = list[0]
  if (list.length === 1 && only?.kind === 'group') return only.items
  const items = list.filter((argument) => argument.kind !== 'group' && argument.kind !== 'braces')
  return items.length === list.length ? items : undefined
}

function failAmbiguous(catalog: Catalog, scanner: Scanner, call: RowCall, plain: Reading, other: Reading): never {
  const [one, two] = [shown(catalog, scanner, call, plain, false), shown(catalog, scanner, call, other, true)]
  const message = `this can be read in two ways: as ${one} or as ${two}`
  scanner.fail('AMBIGUOUS', call.list[0]!.start, message, 'write it in the way that is meant')
}

/** A reading as a statement that has no other. */
function shown(catalog: Catalog, scanner: Scanner, call: RowCall, meant: Reading, named: boolean): string {
  const key = `(${meant.key.map((item) => brief(scanner.text(item))).join(',')})`
  const table = named ? `${catalog.schema(meant.table).name}.` : ''
  if (meant.value === undefined) return `${call.replica}.${table}${call.op.toUpperCase()}(${key})`
  const text = brief(scanner.text(meant.value))
  const value = meant.column === -1 ? text : `{${catalog.schema(meant.table).values[meant.column]!.name}: ${text}}`
  return `${call.replica}.${table}SET(${key}, ${value})`
}

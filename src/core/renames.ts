import { nearestName } from './nearest.ts'
import type { Column, TableSchema } from './table.ts'

/** What one table is called in a database. */
export interface TableNames {
  /** In place of the table's name. */
  readonly name?: string
  /** In place of a column's name, by that. */
  readonly columns?: Readonly<Record<string, string>>
}

/**
 * What tables are called in one replica's database, by their configured names; the option `tables` of a replica. Plain
 * data. Such names may be any that the database allows, so the rules of `checkSchema` don't hold for them: those that
 * are Merganser's own are `renamesProblem`'s, the rest is for the connector to say when it meets them.
 */
export type Renames = Readonly<Record<string, TableNames>>

/** What is wrong with renames, and at which part of them. */
export interface RenamesProblem {
  readonly path: readonly string[]
  readonly at: 'key' | 'value'
  readonly message: string
  readonly advice?: string
}

/** Longest name in a database, in letters: the database may want it shorter. */
const MOST_LETTERS = 255
/** Names of our own beside the columns, in one layout or another. */
const OUR_COLUMNS = ['deleted_stamp', '_id', 'stamps']
/** Characters that no name should hold: a terminal, a log or a statement would show something else. */
const CONTROLS = /\p{Cc}/u

type Found = RenamesProblem | undefined

/** What is wrong with the option `tables` of a replica, of which nothing is known yet; undefined where nothing is. */
export function renamesProblem(tables: readonly TableSchema[], raw: unknown): Found {
  const shape = renamesShape(raw)
  if (shape !== undefined) return shape
  const renames = raw as Renames
  const seen = new Map<string, string>()
  for (const written of Object.keys(renames)) {
    const table = named(tables, written)
    if (table === undefined) return unknown([written], 'table', written, tables)
    if (seen.has(table.name)) return { path: [written], at: 'key', message: `table ${table.name} stands here twice` }
    seen.set(table.name, written)
    const problem = columnsProblem(table, written, renames[written]!)
    if (problem !== undefined) return problem
  }
  return tableNamesProblem(tables, renames, seen)
}

/** Whether it is a map of maps of names, whatever it names. */
export function renamesShape(raw: unknown): Found {
  const bad = (path: readonly string[], message: string, advice?: string, at: 'key' | 'value' = 'value'): Found => {
    const where = ['tables', ...path].join('.').slice(0, 200)
    return { path, at, message: `${where}: ${message}`, ...(advice === undefined ? {} : { advice }) }
  }
  if (!isMap(raw)) return bad([], 'expected a map', 'write { TABLE: { name: …, columns: { COLUMN: … } } }')
  for (const [table, names] of Object.entries(raw)) {
    if (!isMap(names)) return bad([table], 'expected a map', 'write { name: …, columns: { COLUMN: … } }')
    for (const [part, value] of Object.entries(names)) {
      if (part === 'name') {
        const problem = nameProblem(value)
        if (problem !== undefined) return bad([table, part], problem)
      } else if (part !== 'columns') {
        const near = nearestName(part, ['name', 'columns'])
        const advice = near === undefined ? 'known keys: name, columns' : `did you mean ${near}?`
        return bad([table, part], 'unknown key', advice, 'key')
      } else {
        if (!isMap(value)) return bad([table, part], 'expected a map', 'write { COLUMN: name there }')
        for (const [column, name] of Object.entries(value)) {
          const problem = nameProblem(name)
          if (problem !== undefined) return bad([table, part, column], problem)
        }
      }
    }
  }
  return undefined
}

/** A table as its database has it: the same columns in the same order, some under other names. */
export function renamedTable(table: TableSchema, renames: Renames): TableSchema {
  const written = Object.keys(renames).find((name) => same(name, table.name))
  const names = written === undefined ? undefined : renames[written]
  if (names === undefined) return table
  const columns = (list: readonly Column[]) => list.map((column) => renamedColumn(column, names))
  return { name: names.name ?? table.name, key: columns(table.key), values: columns(table.values) }
}

function renamedColumn(column: Column, { columns = {} }: TableNames): Column {
  const written = Object.keys(columns).find((name) => same(name, column.name))
  return written === undefined ? column : { ...column, name: columns[written]! }
}

function columnsProblem(table: TableSchema, written: string, names: TableNames): Found {
  const all = [...table.key, ...table.values]
  const writtenOf = new Map<string, string>()
  for (const column of Object.keys(names.columns ?? {})) {
    const path = [written, 'columns', column]
    const known = named(all, column)
    if (known === undefined) return unknown(path, `column of ${table.name}`, column, all)
    if (writtenOf.has(known.name)) return { path, at: 'key', message: `column ${known.name} stands here twice` }
    writtenOf.set(known.name, column)
  }
  return collision(table, written, names, writtenOf)
}

/** Whether a column's name in the database is that of another, of a stamp, or of Merganser. */
function collision(
  table: TableSchema,
  written: string,
  names: TableNames,
  writtenOf: ReadonlyMap<string, string>,
): Found {
  const all = [...table.key, ...table.values]
  const at = (column: Column): readonly string[] => {
    const key = writtenOf.get(column.name)
    return key === undefined ? [written, 'columns'] : [written, 'columns', key]
  }
  const taken = new Map<string, Column>()
  for (const column of all) {
    const { name } = renamedColumn(column, names)
    const other = taken.get(name.toLowerCase())
    if (OUR_COLUMNS.includes(name.toLowerCase()) || name.toLowerCase().startsWith('merganser_')) {
      return { path: at(column), at: 'value', message: `column ${column.name}: ${name} is kept for Merganser` }
    }
    if (other !== undefined) {
      const which = writtenOf.has(column.name) ? column : other
      const message = `columns ${other.name} and ${column.name} of ${table.name} are both called ${name} there`
      return { path: at(which), at: 'value', message, advice: 'upper and lower case are the same' }
    }
    taken.set(name.toLowerCase(), column)
  }
  for (const column of table.values) {
    const stamp = `${renamedColumn(column, names).name}_stamp`
    const other = taken.get(stamp.toLowerCase())
    if (other === undefined) continue
    const which = writtenOf.has(other.name) ? other : column
    const message = `column ${other.name}: ${stamp} is the name of the stamp of ${column.name} there`
    return { path: at(which), at: 'value', message }
  }
  return undefined
}

/** Whether two tables have one name in the database, or one that of another's view. */
function tableNamesProblem(
  tables: readonly TableSchema[],
  renames: Renames,
  writtenOf: ReadonlyMap<string, string>,
): Found {
  const there = tables.map((table) => ({ table, name: renamedTable(table, renames).name.toLowerCase() }))
  for (const { table, name } of there) {
    const written = writtenOf.get(table.name)
    if (written === undefined) continue
    const path = renames[written]!.name === undefined ? [written] : [written, 'name']
    const wrong = (message: string): Found => ({ path, at: 'value', message: `table ${table.name}: ${message}` })
    // Behind a schema's name too.
    if (/(?:^|\.)merganser_/.test(name)) return wrong('names in merganser_ are kept for Merganser')
    for (const other of there) {
      if (other.table === table) continue
      if (other.name === name) return wrong(`${other.table.name} has the same name there`)
      if (other.name === `${name}_live` || name === `${other.name}_live`) {
        return wrong(`the view of one of it and ${other.table.name} has the name of the other`)
      }
    }
  }
  return undefined
}

function nameProblem(name: unknown): string | undefined {
  if (typeof name !== 'string') return 'expected a name'
  if (name.trim() === '') return 'the name is empty'
  if (name !== name.trim()) return 'a name has no blanks around it'
  if (CONTROLS.test(name)) return 'a name holds no control characters'
  return name.length > MOST_LETTERS ? `longer than ${String(MOST_LETTERS)} letters` : undefined
}

function unknown(path: readonly string[], what: string, name: string, known: readonly { name: string }[]): Found {
  const names = known.map((one) => one.name)
  const near = nearestName(name, names)
  const advice = near === undefined ? `there are ${names.join(', ').slice(0, 500)}` : `did you mean ${near}?`
  return { path, at: 'key', message: `there is no ${what} called ${name.slice(0, 80)}`, advice }
}

function named<T extends { readonly name: string }>(list: readonly T[], name: string): T | undefined {
  return list.find((one) => same(one.name, name))
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

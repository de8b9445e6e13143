import { MerganserError } from '../../core/errors.ts'
import type { TableSchema } from '../../core/table.ts'
import { hiveFault } from './client/faults.ts'
import { isMissing } from './owner.ts'
import { alreadyExists, type Session } from './session.ts'
import { createTable, createView, storedColumns, tableName } from './statements.ts'

/** Longest name of a table or column in Hive's metastore. */
const NAME_LENGTH = 120

interface Found {
  /** Each with its type, as `a string`. */
  readonly columns: readonly string[]
  readonly location: string
  readonly transactional: boolean
}

/** Whether the table is there. Throws SCHEMA_MISMATCH where it has another shape, or where Hive shows nothing of it. */
export async function hasTable(session: Session, table: TableSchema): Promise<boolean> {
  return (await found(session, table)) !== undefined
}

async function found(session: Session, table: TableSchema): Promise<Found | undefined> {
  const described = await describe(session, table)
  if (described === undefined) return undefined
  const { columns, location } = described
  const expected = storedColumns(table).map(({ name, type }) => `${name} ${type}`)
  const missing = expected.filter((column) => !columns.includes(column))
  const unknown = columns.filter((column) => !expected.includes(column))
  if (missing.length > 0 || unknown.length > 0) {
    const parts = [
      ...(missing.length === 0 ? [] : [`lacks ${missing.join(', ')}`]),
      ...(unknown.length === 0 ? [] : [`has ${unknown.join(', ')}`]),
    ]
    throw mismatch(table, parts.join(' and '))
  }
  if (columns.join() !== expected.join()) throw mismatch(table, 'has its columns in another order')
  // Hive takes what is written there, without an error, and reads it for ever as nothing.
  if (isHidden(location)) {
    throw mismatch(table, `lies in ${location}: a directory whose name begins with _ or . hides the rows from it`)
  }
  return described
}

/** Whether one of a location's directories is one that Hive takes for hidden, with all that lies below it. */
export function isHidden(location: string): boolean {
  const path = location.replace(/^[a-z][a-z\d+.-]*:(?:\/\/[^/]*)?/i, '')
  return path.split('/').some((name) => /^[_.]/.test(name))
}

async function describe(session: Session, table: TableSchema): Promise<Found | undefined> {
  try {
    const rows = await session.rows(`DESCRIBE FORMATTED ${tableName(table)}`)
    const cells = rows.map((row) => row.map((cell) => (typeof cell === 'string' ? cell.trim() : '')))
    const isColumn = ([name = '']: readonly string[]) => name !== '' && !name.startsWith('#')
    // Older versions begin with a title; behind the columns comes what else there is to tell.
    const first = Math.max(0, cells.findIndex(isColumn))
    const after = cells.findIndex((row, i) => i > first && !isColumn(row))
    const columns = cells.slice(first, after === -1 ? undefined : after)
    const location = cells.find(([name]) => name === 'Location:')?.[1] ?? ''
    const transactional = cells.some(([, name, value]) => name === 'transactional' && value === 'true')
    return { columns: columns.map(([name, type]) => `${name!} ${type ?? ''}`), location, transactional }
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/**
 * Creates the table and its view where they aren't there; true where it made the table. Throws SCHEMA_MISMATCH,
 * BAD_SCHEMA.
 */
export async function ensureShape(session: Session, table: TableSchema): Promise<boolean> {
  const names = [table.name, ...[...table.key, ...table.values].map(({ name }) => name)]
  if (names.some((name) => name.length > NAME_LENGTH)) {
    throw new MerganserError('BAD_SCHEMA', `table ${table.name}: a name is longer than Hive's`, {
      place: { table: table.name },
    })
  }
  if (isHidden(table.name)) {
    throw new MerganserError(
      'BAD_SCHEMA',
      `table ${table.name}: a name that begins with _ or . hides the rows from Hive`,
      {
        place: { table: table.name },
        advice: 'give it another name in Hive, by `tables:` of the replica',
      },
    )
  }
  let there = await found(session, table)
  const created = there === undefined && (await session.create(createTable(table)))
  // Where its database lies may hide it; or somebody came first.
  there ??= await found(session, table)
  if (there?.transactional === false) throw mismatch(table, 'is not transactional')
  try {
    await session.execute(createView(table))
    return created
  } catch (error) {
    if (!alreadyExists(error) && !/is not a view/i.test(hiveFault(error)?.text ?? '')) throw error
    throw new MerganserError(
      'SCHEMA_MISMATCH',
      `the view ${table.name}_live can't be made: the name is taken in Hive`,
      {
        place: { table: table.name },
        cause: error,
      },
    )
  }
}

function mismatch(table: TableSchema, what: string): MerganserError {
  return new MerganserError('SCHEMA_MISMATCH', `the table ${table.name} in Hive ${what}`, {
    place: { table: table.name },
    advice: 'give the table another name, or change the configuration to what is there',
  })
}

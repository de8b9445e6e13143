import { MerganserError } from '../../core/errors.ts'
import type { TableSchema } from '../../core/table.ts'
import { hiveFault } from './client/faults.ts'
import { isMissing } from './owner.ts'
import type { Session } from './session.ts'
import { createTable, createView, storedColumns, tableName } from './statements.ts'

/** Longest name of a table or column in Hive's metastore. */
const NAME_LENGTH = 120

/** Whether the table is there. Throws SCHEMA_MISMATCH where it has another shape. */
export async function hasTable(session: Session, table: TableSchema): Promise<boolean> {
  const found = await describe(session, table)
  if (found === undefined) return false
  const expected = storedColumns(table).map(({ name, type }) => `${name} ${type}`)
  const missing = expected.filter((column) => !found.includes(column))
  const unknown = found.filter((column) => !expected.includes(column))
  if (missing.length > 0 || unknown.length > 0) {
    const parts = [
      ...(missing.length === 0 ? [] : [`lacks ${missing.join(', ')}`]),
      ...(unknown.length === 0 ? [] : [`has ${unknown.join(', ')}`]),
    ]
    throw mismatch(table, parts.join(' and '))
  }
  if (found.join() !== expected.join()) throw mismatch(table, 'has its columns in another order')
  return true
}

async function describe(session: Session, table: TableSchema): Promise<string[] | undefined> {
  try {
    const columns: string[] = []
    for (const [name, type] of await session.rows(`DESCRIBE ${tableName(table)}`)) {
      // Behind the columns comes what a partitioned table has.
      if (typeof name !== 'string' || name === '' || name.startsWith('#')) break
      columns.push(`${name.trim()} ${typeof type === 'string' ? type.trim() : ''}`)
    }
    return columns
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Creates the table and its view where they aren't there. Throws SCHEMA_MISMATCH, BAD_SCHEMA. */
export async function ensureShape(session: Session, table: TableSchema): Promise<void> {
  const names = [table.name, ...[...table.key, ...table.values].map(({ name }) => name)]
  if (names.some((name) => name.length > NAME_LENGTH)) {
    throw new MerganserError('BAD_SCHEMA', `table ${table.name}: a name is longer than Hive's`, {
      place: { table: table.name },
    })
  }
  if (!(await hasTable(session, table))) {
    await session.execute(createTable(table))
    // Somebody may have come first.
    await hasTable(session, table)
  } else {
    await checkTransactional(session, table)
  }
  try {
    await session.execute(createView(table))
  } catch (error) {
    if (!/already ?exists|is not a view/i.test(hiveFault(error)?.text ?? '')) throw error
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

async function checkTransactional(session: Session, table: TableSchema): Promise<void> {
  const rows = await session.rows(`SHOW TBLPROPERTIES ${tableName(table)}('transactional')`)
  if (rows.some((row) => row.some((cell) => cell === 'true'))) return
  throw mismatch(table, 'is not transactional')
}

function mismatch(table: TableSchema, what: string): MerganserError {
  return new MerganserError('SCHEMA_MISMATCH', `the table ${table.name} in Hive ${what}`, {
    place: { table: table.name },
    advice: 'give the table another name, or change the configuration to what is there',
  })
}

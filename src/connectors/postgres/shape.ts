import { MerganserError } from '../../core/errors.ts'
import { createTableSql, createViewSql, shapeOf, type ColumnShape, type TableLayout } from './layout.ts'
import type { Session } from './session.ts'

const RELATION = `SELECT relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = $2`

const COLUMNS = `SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), l.collname::text,
    (SELECT p.place FROM pg_catalog.pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY AS p(attnum, place)
      WHERE i.indrelid = a.attrelid AND i.indisprimary AND p.attnum = a.attnum)::text
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
  WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`

/** Creates table and view where they aren't there. Throws SCHEMA_MISMATCH where something else stands there. */
export async function ensureShape(session: Session, layout: TableLayout): Promise<void> {
  await session.transaction(async () => {
    const kind = await relation(session, layout, layout.name)
    if (kind === undefined) await session.query(createTableSql(layout))
    else if (kind === 'r' || kind === 'p') await verify(session, layout)
    else throw mismatch(layout, [`${layout.name} is no table there`])
    const view = await relation(session, layout, layout.view)
    if (view === undefined) await session.query(createViewSql(layout))
    else if (view !== 'v') throw mismatch(layout, [`${layout.view} is no view there, the name that its view needs`])
  })
}

/** Looks only: whether the table is there. Throws SCHEMA_MISMATCH where it has another shape. */
export async function hasShape(session: Session, layout: TableLayout): Promise<boolean> {
  const kind = await relation(session, layout, layout.name)
  if (kind === undefined) return false
  if (kind !== 'r' && kind !== 'p') throw mismatch(layout, [`${layout.name} is no table there`])
  await verify(session, layout)
  return true
}

async function relation(session: Session, layout: TableLayout, name: string): Promise<string | undefined> {
  return (await session.query(RELATION, [layout.namespace, name])).rows[0]?.[0] ?? undefined
}

async function verify(session: Session, layout: TableLayout): Promise<void> {
  const { rows } = await session.query(COLUMNS, [layout.namespace, layout.name])
  const there = new Map(rows.map((row) => [row[0]!, { type: row[1]!, collation: row[2], key: row[3] }]))
  const differences: string[] = []
  for (const shape of shapeOf(layout)) {
    const found = there.get(shape.name)
    there.delete(shape.name)
    if (found === undefined) differences.push(`column ${shape.name} is missing`)
    else differences.push(...compare(layout, shape, found))
  }
  for (const name of there.keys()) differences.push(`column ${name} isn't in the configuration`)
  if (differences.length > 0) throw mismatch(layout, differences)
}

interface FoundColumn {
  readonly type: string
  readonly collation: string | null | undefined
  /** Its place in the primary key. */
  readonly key: string | null | undefined
}

function compare(layout: TableLayout, shape: ColumnShape, found: FoundColumn): string[] {
  const differences: string[] = []
  if (found.type !== shape.type) differences.push(`column ${shape.name} is ${found.type}, not ${shape.type}`)
  else if (shape.collation !== undefined && found.collation !== 'C' && found.collation !== 'POSIX') {
    differences.push(`column ${shape.name} isn't COLLATE "C"`)
  }
  const place = layout.keys.findIndex((key) => key.name === shape.name)
  if ((found.key ?? '0') !== String(place + 1)) {
    differences.push(
      place < 0
        ? `column ${shape.name} is in its primary key`
        : `column ${shape.name} isn't number ${String(place + 1)} of its primary key`,
    )
  }
  return differences
}

function mismatch(layout: TableLayout, differences: readonly string[]): MerganserError {
  const shown = differences.slice(0, 5).join('; ')
  const more = differences.length > 5 ? `; and ${String(differences.length - 5)} more` : ''
  return new MerganserError('SCHEMA_MISMATCH', `table ${layout.name} has another shape: ${shown}${more}`, {
    place: { table: layout.name },
    advice: 'make the configuration fit the table, or rename or drop the table there',
  })
}

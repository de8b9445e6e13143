import { MerganserError } from '../../core/errors.ts'
import type { TableSchema } from '../../core/table.ts'
import { ok, problem } from '../findings.ts'
import { layoutOf, type TableLayout } from './layout.ts'
import { hasShape } from './shape.ts'
import type { Session } from './session.ts'
import type { Finding } from '../connector.ts'

/**
 * Whether the user may do in every schema what is needed there: in that of `merganser_meta`, and in those where the
 * names of tables lead; then whether the tables are there, and of the right shape.
 */
export async function* tableFindings(
  session: Session,
  schema: string,
  tables: readonly TableSchema[],
): AsyncGenerator<Finding> {
  const layouts: TableLayout[] = []
  for (const table of tables) {
    try {
      layouts.push(layoutOf(table, schema))
    } catch (error) {
      yield problem('table', error)
    }
  }
  let fine = true
  const usable = new Set<string>()
  for (const namespace of new Set([schema, ...layouts.map((layout) => layout.namespace)])) {
    const names = layouts.filter((layout) => layout.namespace === namespace).map(({ name }) => name)
    if (namespace === schema) names.push('merganser_meta')
    const found = await privileges(session, namespace, names)
    if (found.usable) usable.add(namespace)
    yield* found.findings
    fine &&= found.findings.length === 0
  }
  if (fine) yield ok('privileges', 'what is needed')
  for (const layout of layouts) if (usable.has(layout.namespace)) yield await shape(session, layout)
}

interface Privileges {
  /** The schema is there, and tables in it can be looked at. */
  readonly usable: boolean
  readonly findings: readonly Finding[]
}

const lacks = (message: string, advice: string): Finding => ({ level: 'problem', check: 'privileges', message, advice })

async function privileges(session: Session, namespace: string, names: readonly string[]): Promise<Privileges> {
  const { rows } = await session.query(
    `SELECT has_schema_privilege(n.oid, 'USAGE')::text, has_schema_privilege(n.oid, 'CREATE')::text,
      has_database_privilege(current_database(), 'TEMPORARY')::text,
      (SELECT count(*) FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid AND c.relname = ANY($2))::text
      FROM pg_catalog.pg_namespace n WHERE n.nspname = $1`,
    [namespace, names],
  )
  const row = rows[0]
  if (row === undefined) {
    const advice = 'create it (CREATE SCHEMA), or give the table another name'
    return { usable: false, findings: [lacks(`there is no schema ${namespace} in the database`, advice)] }
  }
  const [usage, create, temporary, there] = row
  if (usage !== 'true') {
    const message = `the user may not use the schema ${namespace}`
    return { usable: false, findings: [lacks(message, `GRANT USAGE, CREATE ON SCHEMA ${namespace}`)] }
  }
  const findings: Finding[] = []
  if (create !== 'true') {
    const message = `the user can't create tables in the schema ${namespace}`
    findings.push(
      Number(there) === names.length
        ? { level: 'warning', check: 'privileges', message, advice: 'new tables need that privilege' }
        : lacks(message, `GRANT CREATE ON SCHEMA ${namespace}`),
    )
  }
  if (temporary !== 'true') {
    findings.push(lacks("the user can't create temporary tables", 'GRANT TEMPORARY ON DATABASE'))
  }
  for (const name of await withoutPrivileges(session, namespace, names)) {
    findings.push(lacks(`the user may not read and write ${name}`, 'GRANT SELECT, INSERT, UPDATE ON it'))
  }
  return { usable: true, findings }
}

async function withoutPrivileges(session: Session, namespace: string, names: readonly string[]): Promise<string[]> {
  const { rows } = await session.query(
    `SELECT c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = ANY($2) AND c.relkind IN ('r', 'p')
      AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
        AND has_table_privilege(c.oid, 'UPDATE')) ORDER BY 1 LIMIT 10`,
    [namespace, names],
  )
  return rows.map((row) => row[0]!)
}

async function shape(session: Session, layout: TableLayout): Promise<Finding> {
  try {
    const there = await hasShape(session, layout)
    return ok('table', `${layout.schema.name}: ${there ? 'there, of the right shape' : 'the first session makes it'}`)
  } catch (error) {
    if (!(error instanceof MerganserError)) throw error
    return problem('table', error)
  }
}

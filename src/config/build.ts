import { dirname, resolve } from 'node:path'
import { MerganserError } from '../core/errors.ts'
import { nearestName } from '../core/nearest.ts'
import { renamesProblem } from '../core/renames.ts'
import { checkSchema, DEFAULT_TABLE, type Column, type TableSchema } from '../core/table.ts'
import { nameProblem, tableNameProblem } from './names.ts'
import { parseType } from '../core/types.ts'
import {
  DEFAULT_REPLICAS,
  defaultAliases,
  defaultConfig,
  type Config,
  type Environment,
  type ReplicaConfig,
} from './config.ts'
import type { ConfigDocument, Path } from './document.ts'
import type { ConfigShape } from './schema.ts'

export interface ParseContext {
  /** As messages name it. */
  readonly file: string
  /** Absolute: relative paths in the file start beside it. */
  readonly path: string
  /** Absolute: where the state directory is if the file names none. */
  readonly cwd: string
  readonly env: Environment
  readonly types: readonly string[]
}

interface BuildContext extends ParseContext {
  readonly document: ConfigDocument
  /** Options by replica, as it stands in the file, that hold a variable with a secret's name. */
  readonly hidden: ReadonlyMap<string, ReadonlySet<string>>
}

const TYPE_NAMES = ['string', 'int64', 'float64', 'decimal', 'boolean', 'bytes', 'date', 'timestamp', 'json']

/** The configuration of a file whose shape is right; checks names, types and references. */
export function buildConfig(shape: ConfigShape, context: BuildContext): Config {
  const replicas = replicasOf(shape, context)
  const tables = tablesOf(shape, context)
  checkRenames(shape, tables, context)
  return {
    file: context.path,
    tables,
    replicas,
    aliases: aliasesOf(shape, replicas, context),
    workers: shape.workers,
    limits: shape.limits,
    durability: shape.durability,
    retry: shape.retry,
    state: stateOf(shape, context),
  }
}

function stateOf(shape: ConfigShape, { document, path, cwd }: BuildContext): string {
  if (shape.state === undefined) return defaultConfig(cwd).state
  if (shape.state === '' || shape.state.includes('\0')) throw document.error(['state'], 'state: expected a directory')
  return resolve(dirname(path), shape.state)
}

function tablesOf(shape: ConfigShape, { document }: BuildContext): TableSchema[] {
  if (shape.tables === undefined) return [DEFAULT_TABLE]
  const tables = Object.entries(shape.tables).map(([name, table]): TableSchema => {
    const schema = {
      name,
      key: columnsOf(document, ['tables', name, 'key'], table.key),
      values: columnsOf(document, ['tables', name, 'values'], table.values),
    }
    if (name.length > 63)
      throw document.error(['tables', name], 'a table has a name of at most 63 letters', { at: 'key' })
    return checkTable(document, schema)
  })
  if (tables.length === 0) throw document.error(['tables'], 'tables: at least one is needed')
  checkTableNames(document, tables)
  return tables
}

function columnsOf(document: ConfigDocument, path: Path, columns: Readonly<Record<string, string>>): Column[] {
  return Object.entries(columns).map(([name, spelling]) => {
    const type = parseType(spelling)
    if (type !== undefined) return { name, type }
    const near = nearestName(/^\s*(\w*)/.exec(spelling)![1]!, TYPE_NAMES)
    const known = 'string, int64, float64, decimal(p,s), boolean, bytes, date, timestamp(n), json'
    throw document.error([...path, name], `column ${name}: no such type`, {
      advice: near === undefined ? `types: ${known}` : `did you mean ${near}? types: ${known}`,
    })
  })
}

/** Where a table can't be one, the error of `checkSchema` at the place of the table. */
function checkTable(document: ConfigDocument, schema: TableSchema): TableSchema {
  try {
    return checkSchema(schema)
  } catch (error) {
    if (!(error instanceof MerganserError)) throw error
    const column = [...schema.key, ...schema.values].find(({ name }) => error.message.includes(`column ${name}:`))
    const section =
      column === undefined ? [] : schema.key.includes(column) ? ['key', column.name] : ['values', column.name]
    const path = ['tables', schema.name, ...section]
    throw document.error(path, error.message, { at: 'key', code: error.code, place: error.place })
  }
}

function checkTableNames(document: ConfigDocument, tables: readonly TableSchema[]): void {
  const misnamed = tableNameProblem(tables.map(({ name }) => name))
  if (misnamed === undefined) return
  const { name, problem } = misnamed
  throw document.error(['tables', name], `table ${name}: ${problem}`, { at: 'key' })
}

function replicasOf(shape: ConfigShape, context: BuildContext): readonly ReplicaConfig[] {
  if (shape.replicas === undefined) return DEFAULT_REPLICAS
  const { document, types, hidden } = context
  const seen = new Set<string>()
  const replicas = Object.entries(shape.replicas).map(([written, { type, ...options }]): ReplicaConfig => {
    const name = checkName(document, ['replicas', written], 'replica', written, seen)
    if (!types.includes(type)) {
      const near = nearestName(type, types)
      throw document.error(['replicas', written, 'type'], `replica ${name}: no such type`, {
        advice: near === undefined ? `types: ${types.join(', ')}` : `did you mean ${near}?`,
        place: { replica: name },
      })
    }
    return { name, type, options, hidden: [...(hidden.get(written) ?? [])] }
  })
  if (replicas.length === 0) throw document.error(['replicas'], 'replicas: at least one is needed')
  return replicas
}

/** What the replicas call the tables in their databases. */
function checkRenames(shape: ConfigShape, tables: readonly TableSchema[], { document }: BuildContext): void {
  for (const [written, options] of Object.entries(shape.replicas ?? {})) {
    if (options['tables'] === undefined) continue
    const problem = renamesProblem(tables, options['tables'])
    if (problem === undefined) continue
    const name = written.toUpperCase()
    throw document.error(['replicas', written, 'tables', ...problem.path], `replica ${name}: ${problem.message}`, {
      ...problem,
      place: { replica: name },
    })
  }
}

function aliasesOf(
  shape: ConfigShape,
  replicas: readonly ReplicaConfig[],
  { document }: BuildContext,
): Record<string, string> {
  if (shape.aliases === undefined) return defaultAliases(replicas)
  const names = replicas.map((replica) => replica.name)
  const seen = new Set(names)
  const entries = Object.entries(shape.aliases).map(([written, target]): [string, string] => {
    const alias = checkName(document, ['aliases', written], 'alias', written, seen)
    const replica = target.toUpperCase()
    if (names.includes(replica)) return [alias, replica]
    const near = nearestName(replica, names)
    throw document.error(['aliases', written], `alias ${alias}: there is no such replica`, {
      advice: near === undefined ? `replicas: ${names.join(', ')}` : `did you mean ${near}?`,
    })
  })
  return Object.fromEntries(entries)
}

/** A name in capitals that isn't taken yet; takes it. */
function checkName(document: ConfigDocument, path: Path, kind: string, written: string, seen: Set<string>): string {
  const name = written.toUpperCase()
  const problem = nameProblem(written, seen)
  if (problem !== undefined) throw document.error(path, `${kind} ${written.slice(0, 80)}: ${problem}`, { at: 'key' })
  seen.add(name)
  return name
}

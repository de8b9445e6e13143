import { MerganserError } from '../../src/core/errors.ts'
import { DEFAULT_TABLE, keyTexts, type TableSchema } from '../../src/core/table.ts'
import { parseType, type ColumnType } from '../../src/core/types.ts'
import { Catalog } from '../../src/script/catalog.ts'
import { DEFAULT_LIMITS, type ScriptLimits } from '../../src/script/limits.ts'
import { LineParser } from '../../src/script/parser.ts'
import { Statement } from '../../src/script/statement.ts'

export function type(spelling: string): ColumnType {
  const found = parseType(spelling)
  if (found === undefined) throw new Error(`no type ${spelling}`)
  return found
}

export function table(name: string, key: Record<string, string>, values: Record<string, string>): TableSchema {
  const columns = (of: Record<string, string>) =>
    Object.entries(of).map(([column, spelling]) => ({ name: column, type: type(spelling) }))
  return { name, key: columns(key), values: columns(values) }
}

export const ROOMS = table('rooms', { room: 'string' }, { seats: 'int64' })
export const PEOPLE = table('people', { id: 'int64' }, { name: 'string', born: 'date', note: 'string' })
export const EVERYTHING = table(
  'everything',
  { s: 'string', i: 'int64', d: 'decimal(20,4)', b: 'boolean', x: 'bytes', day: 'date', at: 'timestamp' },
  {
    vs: 'string',
    vi: 'int64',
    vf: 'float64',
    vd: 'decimal',
    vb: 'boolean',
    vx: 'bytes',
    vday: 'date',
    vat: 'timestamp(6)',
    vj: 'json',
  },
)

export const REPLICAS = ['HIVE', 'POSTGRESQL', 'MONGODB']
export const CATALOG = new Catalog(REPLICAS, [DEFAULT_TABLE, ROOMS, PEOPLE, EVERYTHING])

/** What a statement says, apart from where it was. */
export function meaning(statement: Statement, catalog: Catalog = CATALOG) {
  const { op, replica, other, table: number, input, stamp, sequence, expected } = statement
  const row = op === 'set' || op === 'get' || op === 'delete'
  return {
    op,
    replica,
    other,
    sequence,
    ...(row
      ? {
          table: catalog.schema(number).name,
          key: keyTexts(catalog.schema(number), input.key.subarray(0, input.keyLength)),
        }
      : {}),
    cells: Array.from({ length: input.count }, (_, i) => [input.columns[i], input.cell(i)]),
    stamp: stamp === undefined ? undefined : { ...stamp },
    expected,
  }
}

export function parse(text: string | Buffer, catalog: Catalog = CATALOG, limits: ScriptLimits = DEFAULT_LIMITS) {
  const line = typeof text === 'string' ? Buffer.from(text) : text
  const statement = new Statement()
  new LineParser(catalog, limits).parse(line, 0, line.length, statement)
  return meaning(statement, catalog)
}

/** The error of a line; fails where it parses. */
export function problem(
  text: string | Buffer,
  catalog: Catalog = CATALOG,
  limits: ScriptLimits = DEFAULT_LIMITS,
): MerganserError {
  try {
    parse(text, catalog, limits)
  } catch (error) {
    if (error instanceof MerganserError) return error
    throw error
  }
  throw new Error(`parses: ${text.toString()}`)
}

/** `CODE@column`, the short form in tables of cases. */
export function refusal(
  text: string | Buffer,
  catalog: Catalog = CATALOG,
  limits: ScriptLimits = DEFAULT_LIMITS,
): string {
  const error = problem(text, catalog, limits)
  return `${error.code}@${String(error.place.column)}`
}

/** Pieces of statements, whole and broken, for inputs that nobody would write. */
export const TOKENS = [
  'HIVE',
  'SQL',
  '.',
  'SET',
  'GET',
  'DELETE',
  'MERGE',
  'rooms',
  'people',
  'grade',
  '(',
  ')',
  ',',
  ' ',
  '"',
  '\\',
  '\\N',
  '{',
  '}',
  ':',
  '=',
  '#',
  'a',
  '1',
  '2026-11-22 15:11:21.956711651Z',
  '@',
  'none',
  '\\u',
  'd800',
  'SYNC',
  '\0',
  'ä',
]

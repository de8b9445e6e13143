import { InvalidArgumentError } from 'commander'
import { MerganserError, type ErrorCode } from '../core/errors.ts'
import { nearestName } from '../core/nearest.ts'
import type { TableSchema } from '../core/table.ts'

/** Which field of a record goes into which column. */
export interface FieldMap {
  /** Field numbers: one per key column, then one for each of `columns`. */
  readonly fields: readonly number[]
  /** Value columns that the file has, rising. */
  readonly columns: readonly number[]
  /** Value columns that the file doesn't have, and headers that are no column's: for people. */
  readonly missing: readonly string[]
  readonly ignored: readonly string[]
}

/** For `--map column=header,…`, gathered over all of its uses. A header may hold commas and `=`. */
export function mapArgument(text: string, before: ReadonlyMap<string, string> = new Map()): Map<string, string> {
  const maps = new Map(before)
  for (const part of text.split(/,(?=\s*[A-Za-z_]\w*\s*=)/)) {
    const match = /^\s*([A-Za-z_]\w*)\s*=(.+)$/s.exec(part)
    if (match === null) throw new InvalidArgumentError('It is written column=header, several with commas between.')
    const column = match[1]!.toLowerCase()
    if (maps.has(column)) throw new InvalidArgumentError(`Column ${match[1]!} is mapped twice.`)
    maps.set(column, match[2]!)
  }
  return maps
}

/**
 * The fields of a table's columns: as mapped, else the header of the column's name, whatever its case. Throws
 * UNKNOWN_COLUMN where a mapped column or header isn't there, a key column has no header or no value column has one;
 * AMBIGUOUS where two headers are the same.
 */
export function mapFields(
  file: string,
  table: TableSchema,
  header: readonly string[],
  maps: ReadonlyMap<string, string>,
): FieldMap {
  const mapped = new Map(maps)
  const used = new Set<number>()
  const fail = (code: ErrorCode, message: string, advice: string): never => {
    throw new MerganserError(code, message, { place: { file, line: 1, table: table.name }, advice })
  }
  const fieldOf = (column: string): number | undefined => {
    const wanted = mapped.get(column.toLowerCase())
    mapped.delete(column.toLowerCase())
    const found = namesakes(header, wanted ?? column)
    if (found.length > 1) {
      fail('AMBIGUOUS', `the file has ${String(found.length)} columns for ${column}`, 'give one another header')
    }
    if (found.length === 0 && wanted !== undefined) {
      fail('UNKNOWN_COLUMN', `the file has no column ${shown(wanted)}`, near(wanted, header, 'its columns'))
    }
    if (found.length > 0) used.add(found[0]!)
    return found[0]
  }
  const keys = table.key.map(({ name }) => {
    const field = fieldOf(name)
    if (field !== undefined) return field
    const advice = `map it with --map ${name}=HEADER; ${near(name, header, 'its columns')}`
    return fail('UNKNOWN_COLUMN', `the file has no column for key column ${name}`, advice)
  })
  const columns: number[] = []
  const values: number[] = []
  const missing: string[] = []
  for (const [number, { name }] of table.values.entries()) {
    const field = fieldOf(name)
    if (field === undefined) {
      missing.push(name)
      continue
    }
    columns.push(number)
    values.push(field)
  }
  for (const name of mapped.keys()) {
    const known = [...table.key, ...table.values].map((column) => column.name)
    fail('UNKNOWN_COLUMN', `table ${table.name} has no column ${name}`, near(name, known, 'its columns'))
  }
  if (columns.length === 0) {
    const advice = `map one with --map ${table.values[0]!.name}=HEADER`
    fail('UNKNOWN_COLUMN', `the file has no value column of table ${table.name}`, advice)
  }
  const ignored = header.filter((name, field) => !used.has(field) && !name.toLowerCase().startsWith('merganser_'))
  return { fields: [...keys, ...values], columns, missing, ignored }
}

/** The fields of a header: those written just so, else whatever their case. */
function namesakes(header: readonly string[], name: string): number[] {
  const fields = (same: (text: string) => boolean) => header.flatMap((text, field) => (same(text) ? [field] : []))
  const exact = fields((text) => text === name)
  return exact.length > 0 ? exact : fields((text) => text.trim().toLowerCase() === name.trim().toLowerCase())
}

function near(name: string, known: readonly string[], what: string): string {
  const nearest = nearestName(name, known)
  return nearest === undefined
    ? `${what}: ${known.slice(0, 20).map(shown).join(', ')}`
    : `did you mean ${shown(nearest)}?`
}

function shown(name: string): string {
  return name.length > 80 ? `${name.slice(0, 80)}\u2026` : name
}

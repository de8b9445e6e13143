import { MerganserError } from '../core/errors.ts'
import { nearestName } from '../core/nearest.ts'
import type { Column, TableSchema } from '../core/table.ts'
import type { Input } from './inputs.ts'
import { JsonLineReader } from './load-json.ts'
import type { RowSource } from './load-rows.ts'
import { openChunks } from './load-source.ts'

/** Names of members that are remembered: a file may have any number of them. */
const KNOWN_NAMES = 10_000
const IGNORED = -1
const AMBIGUOUS = -2

/** Rows of a file of JSON lines, and which members were no column's. */
export interface JsonSource extends RowSource {
  readonly ignored: ReadonlySet<string>
}

/**
 * Opens a file of JSON lines: an object a line, whose members are columns by name, whatever its case, or as mapped.
 * Value columns that an object doesn't have aren't among its texts. Throws UNKNOWN_COLUMN where a mapped column isn't
 * the table's.
 */
export function openJsonLines(
  input: Input,
  table: TableSchema,
  maps: ReadonlyMap<string, string>,
  signal: AbortSignal,
): JsonSource {
  const members = new Members(input.file, table, maps)
  const reader = new JsonLineReader()
  const { record } = reader
  const columns = [...table.key, ...table.values]
  const texts = (into: (string | null | undefined)[]): string | undefined => {
    if (record.problem !== undefined) return record.problem
    into.length = columns.length
    into.fill(undefined)
    for (const [i, name] of record.names.entries()) {
      const number = members.column(name)
      if (number === IGNORED) continue
      if (number === AMBIGUOUS || into[number] !== undefined) return `two members for one column`
      const column = columns[number]!
      const found = textOf(column, record.values[i]!)
      if (typeof found === 'object' && found !== null) return `column ${column.name}: ${found.reason}`
      into[number] = found
    }
    return undefined
  }
  return { record, next: () => reader.next(), texts, ignored: members.ignored, ...openChunks(input, signal, reader) }
}

/** The text of a column from JSON as it was written, so that no digit is lost. */
function textOf({ type }: Column, json: string): string | null | { readonly reason: string } {
  if (json === 'null') return null
  if (type.name === 'json') return json
  if (json.startsWith('"')) return json.includes('\\') ? (JSON.parse(json) as string) : json.slice(1, -1)
  const number = type.name === 'int64' || type.name === 'decimal' || type.name === 'float64'
  if (number && /^[-\d]/.test(json)) return json
  if (type.name === 'boolean' && (json === 'true' || json === 'false')) return json
  return { reason: `a string${number ? ' or a number' : type.name === 'boolean' ? ', true or false' : ''} is expected` }
}

/** Which member goes into which column. */
class Members {
  readonly #exact = new Map<string, number>()
  readonly #folded = new Map<string, number>()
  readonly #known = new Map<string, number>()
  readonly ignored = new Set<string>()

  constructor(file: string, table: TableSchema, maps: ReadonlyMap<string, string>) {
    const columns = [...table.key, ...table.values]
    const names = columns.map(({ name }) => name)
    for (const mapped of maps.keys()) {
      if (names.some((name) => name.toLowerCase() === mapped)) continue
      const near = nearestName(mapped, names)
      throw new MerganserError('UNKNOWN_COLUMN', `table ${table.name} has no column ${mapped}`, {
        place: { file, table: table.name },
        advice: near === undefined ? `its columns: ${names.join(', ')}` : `did you mean ${near}?`,
      })
    }
    for (const [number, { name }] of columns.entries()) {
      const member = maps.get(name.toLowerCase()) ?? name
      this.#exact.set(member, number)
      const folded = member.trim().toLowerCase()
      this.#folded.set(folded, this.#folded.has(folded) ? AMBIGUOUS : number)
    }
  }

  column(name: string): number {
    const known = this.#known.get(name)
    if (known !== undefined) return known
    const found = this.#exact.get(name) ?? this.#folded.get(name.trim().toLowerCase()) ?? IGNORED
    if (this.#known.size < KNOWN_NAMES) {
      this.#known.set(name, found)
      if (found === IGNORED && !name.toLowerCase().startsWith('merganser_')) this.ignored.add(name)
    }
    return found
  }
}

import { MerganserError } from '../core/errors.ts'
import type { ReplicaId, TableId } from '../core/state.ts'
import type { TableSchema } from '../core/table.ts'
import { FOLD } from './characters.ts'

/** ASCII names and their numbers, found whatever their case, from bytes without allocating. */
class NameIndex {
  readonly #slots: Int32Array
  readonly #names: Uint8Array[] = []
  readonly #numbers: number[] = []
  readonly #mask: number
  /** Bit `n` where a name has `n` bytes (mod 32): most texts are ruled out by it. */
  #lengths = 0

  constructor(entries: Iterable<readonly [string, number]>) {
    const unique = new Map<string, number>()
    for (const [name, number] of entries) if (!unique.has(name.toLowerCase())) unique.set(name.toLowerCase(), number)
    let size = 8
    while (size < unique.size * 4) size *= 2
    this.#mask = size - 1
    this.#slots = new Int32Array(size).fill(-1)
    for (const [name, number] of unique) this.#add(Buffer.from(name, 'latin1'), number)
  }

  #add(name: Uint8Array, number: number): void {
    let slot = hash(name, 0, name.length) & this.#mask
    while (this.#slots[slot] !== -1) slot = (slot + 1) & this.#mask
    this.#slots[slot] = this.#names.length
    this.#names.push(name)
    this.#numbers.push(number)
    this.#lengths |= 1 << (name.length & 31)
  }

  /** The number of a name, -1 where there is none of this name. */
  find(bytes: Uint8Array, start: number, end: number): number {
    if ((this.#lengths & (1 << ((end - start) & 31))) === 0) return -1
    let slot = hash(bytes, start, end) & this.#mask
    for (;;) {
      const entry = this.#slots[slot]!
      if (entry === -1) return -1
      if (sameName(this.#names[entry]!, bytes, start, end)) return this.#numbers[entry]!
      slot = (slot + 1) & this.#mask
    }
  }

  findText(name: string): number {
    const bytes = Buffer.from(name, 'utf8')
    return this.find(bytes, 0, bytes.length)
  }
}

function hash(bytes: Uint8Array, start: number, end: number): number {
  let sum = end - start
  for (let i = start; i < end; i++) sum = (Math.imul(sum, 31) + FOLD[bytes[i]!]!) | 0
  return sum ^ (sum >>> 15)
}

function sameName(name: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false
  for (let i = 0; i < name.length; i++) if (name[i] !== FOLD[bytes[start + i]!]) return false
  return true
}

export const DEFAULT_ALIASES: Readonly<Record<string, string>> = { SQL: 'POSTGRESQL', MONGO: 'MONGODB' }

/**
 * What the names in a script mean. Replicas and tables are numbered in the order given; the first table is the
 * default table. All look-ups ignore case.
 */
export class Catalog {
  /** In capitals. */
  readonly replicas: readonly string[]
  readonly tables: readonly TableSchema[]
  /** Alias to replica name, both in capitals; only aliases of replicas that exist and whose name no replica has. */
  readonly aliases: ReadonlyMap<string, string>
  readonly #replicas: NameIndex
  readonly #tables: NameIndex
  readonly #values: readonly NameIndex[]

  constructor(
    replicas: readonly string[],
    tables: readonly TableSchema[],
    aliases: Readonly<Record<string, string>> = DEFAULT_ALIASES,
  ) {
    if (tables.length === 0) throw new MerganserError('BAD_SCHEMA', 'there is no table')
    this.replicas = replicas.map((name) => name.toUpperCase())
    this.tables = tables
    const usable = Object.entries(aliases)
      .map(([alias, name]) => [alias.toUpperCase(), name.toUpperCase()] as const)
      .filter(([alias, name]) => this.replicas.includes(name) && !this.replicas.includes(alias))
    this.aliases = new Map(usable)
    this.#replicas = new NameIndex([
      ...this.replicas.map((name, i) => [name, i] as const),
      ...usable.map(([alias, name]) => [alias, this.replicas.indexOf(name)] as const),
    ])
    this.#tables = new NameIndex(tables.map((table, i) => [table.name, i] as const))
    this.#values = tables.map((table) => new NameIndex(table.values.map((column, i) => [column.name, i] as const)))
  }

  /** The replica of a name or alias; undefined where there is none. */
  replica(name: string): ReplicaId | undefined {
    return known(this.#replicas.findText(name))
  }

  table(name: string): TableId | undefined {
    return known(this.#tables.findText(name))
  }

  /** The value column of a table. */
  column(table: TableId, name: string): number | undefined {
    return known(this.#values[table]?.findText(name) ?? -1)
  }

  /** As `replica`, from bytes and without allocating; -1 where there is none. */
  replicaAt(bytes: Uint8Array, start: number, end: number): ReplicaId {
    return this.#replicas.find(bytes, start, end)
  }

  tableAt(bytes: Uint8Array, start: number, end: number): TableId {
    return this.#tables.find(bytes, start, end)
  }

  columnAt(table: TableId, bytes: Uint8Array, start: number, end: number): number {
    return this.#values[table]!.find(bytes, start, end)
  }

  schema(table: TableId): TableSchema {
    const schema = this.tables[table]
    if (schema === undefined) throw new MerganserError('BUG', `internal assertion failed: no table ${String(table)}`)
    return schema
  }

  replicaName(replica: ReplicaId): string {
    const name = this.replicas[replica]
    if (name === undefined) throw new MerganserError('BUG', `internal assertion failed: no replica ${String(replica)}`)
    return name
  }
}

function known(number: number): number | undefined {
  return number < 0 ? undefined : number
}

import type { FastSettings } from '../core/fast-path.ts'
import type { Column, TableSchema } from '../core/table.ts'
import type { TypeName } from '../core/types.ts'

/** The numbers of types in `assembly/catalog.ts`. */
const TYPES: readonly TypeName[] = [
  'string',
  'int64',
  'float64',
  'decimal',
  'boolean',
  'bytes',
  'date',
  'timestamp',
  'json',
]

/** Entries there, in bytes. */
const HEADER = 32
const NAME = 12
const REPLICA = 20
const TABLE = 32
const COLUMN = 20

/** Behind each text; the kernel reads sixteen bytes at a time. */
const SLACK = 16
/** A database that holds less than this of a value isn't for the fast path: texts of keys and numbers are that long. */
const LEAST_VALUE_BYTES = 64

/** A block of numbers and texts whose addresses are relative until it has a place. */
class Block {
  bytes = Buffer.alloc(4096)
  length = 0
  /** Where numbers are that are addresses. */
  readonly #addresses: number[] = []

  /** Zeroed room for entries; gives its offset. */
  room(bytes: number): number {
    const at = (this.length + 3) & ~3
    this.length = at + bytes
    while (this.length > this.bytes.length) this.bytes = Buffer.concat([this.bytes, Buffer.alloc(this.bytes.length)])
    return at
  }

  number(at: number, value: number): void {
    this.bytes.writeUInt32LE(value, at)
  }

  address(at: number, offset: number): void {
    this.number(at, offset)
    this.#addresses.push(at)
  }

  /** A text's address, and at `at + 4` its length. */
  text(at: number, text: string): void {
    const bytes = Buffer.from(text, 'latin1')
    const offset = this.room(bytes.length + SLACK)
    bytes.copy(this.bytes, offset)
    this.address(at, offset)
    this.number(at + 4, bytes.length)
  }

  /** The bytes for a place. */
  placed(base: number): Buffer {
    const placed = Buffer.from(this.bytes.subarray(0, this.length))
    for (const at of this.#addresses) placed.writeUInt32LE(placed.readUInt32LE(at) + base, at)
    return placed
  }
}

/** What scanner and formatter know of replicas and tables, as `assembly/catalog.ts` describes it. */
export class FastCatalog {
  readonly #block = new Block()

  constructor(settings: FastSettings, replicas: readonly string[], tables: readonly TableSchema[]) {
    const block = this.#block
    const header = block.room(HEADER)
    this.#replicas(header, settings, replicas, tables.length)
    this.#names(header, settings)
    this.#tables(header, tables)
    block.number(header + 28, settings.limits.lineBytes)
  }

  get bytes(): number {
    return this.#block.length
  }

  placed(base: number): Buffer {
    return this.#block.placed(base)
  }

  #replicas(header: number, { limits, replicas }: FastSettings, names: readonly string[], tables: number): void {
    const block = this.#block
    const first = block.room(names.length * REPLICA)
    block.address(header, first)
    names.forEach((name, i) => {
      const at = first + i * REPLICA
      const { keyBytes, valueBytes, fits } = replicas[i]!
      const takes = valueBytes >= LEAST_VALUE_BYTES
      block.text(at, `, ${name}.`)
      block.number(at + 8, takes ? Math.min(limits.keyBytes, keyBytes, valueBytes) : 0)
      block.number(at + 12, takes ? Math.min(limits.valueBytes, valueBytes) : 0)
      const flags = block.room(tables)
      for (let table = 0; table < tables; table++) block.bytes[flags + table] = takes && fits[table] === true ? 1 : 0
      block.address(at + 16, flags)
    })
    block.number(header + 20, Math.max(0, ...names.map((name) => name.length + 3)))
  }

  #names(header: number, { names }: FastSettings): void {
    const block = this.#block
    const first = block.room(names.length * NAME)
    block.address(header + 4, first)
    block.number(header + 8, names.length)
    names.forEach(({ name, replica }, i) => {
      block.text(first + i * NAME, name)
      block.number(first + i * NAME + 8, replica)
    })
  }

  #tables(header: number, tables: readonly TableSchema[]): void {
    const block = this.#block
    const first = block.room(tables.length * TABLE)
    block.address(header + 12, first)
    block.number(header + 16, tables.length)
    let lengths = 0
    tables.forEach((table, i) => {
      const at = first + i * TABLE
      block.text(at, table.name)
      block.text(at + 8, i === 0 ? '' : `${table.name}.`)
      this.#columns(at + 16, table.key)
      this.#columns(at + 24, table.values)
      lengths |= 1 << (table.name.length & 31)
    })
    block.number(header + 24, lengths >>> 0)
  }

  #columns(at: number, columns: readonly Column[]): void {
    const block = this.#block
    const first = block.room(columns.length * COLUMN)
    block.address(at, first)
    block.number(at + 4, columns.length)
    columns.forEach(({ name, type }, i) => {
      const entry = first + i * COLUMN
      block.number(entry, TYPES.indexOf(type.name))
      block.number(entry + 4, type.precision ?? 38)
      block.number(entry + 8, type.scale ?? (type.name === 'timestamp' ? 9 : 18))
      block.text(entry + 12, `${name}: `)
    })
  }
}

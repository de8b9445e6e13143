import { encodeKey } from '../core/key.ts'
import type { RowInput } from '../core/state.ts'
import type { Column, TableSchema } from '../core/table.ts'
import { fromJs, type TypeName } from '../core/types.ts'

/** Longer texts take the general way. */
const SHORT = 1024

/** Types of which every canonical text is printable ASCII that fits every database. */
const PLAIN: ReadonlySet<TypeName> = new Set(['int64', 'boolean'])

/**
 * Encodes a program's keys and values as they mostly are: all columns named in the table's order, short texts. Whatever
 * else comes, also whatever is wrong, is left to the general way: every method answers that with false.
 */
export class RowWriter {
  readonly #key: readonly Column[]
  readonly #values: readonly Column[]
  readonly #keyBytes: number
  readonly #valueBytes: number
  /** Whether what was encoded is printable ASCII that fits every database, but for its length. */
  plain = false

  constructor({ key, values }: TableSchema, limits: { readonly keyBytes: number; readonly valueBytes: number }) {
    this.#key = key
    this.#values = values
    this.#keyBytes = limits.keyBytes
    this.#valueBytes = Math.min(SHORT, limits.valueBytes)
  }

  /** Encodes a key. */
  key(input: RowInput, given: Readonly<Record<string, unknown>>): boolean {
    const columns = this.#key
    const bytes = input.key
    const room = Math.min(bytes.length, this.#keyBytes)
    this.plain = true
    let column = 0
    let at = 0
    for (const name in given) {
      const wanted = columns[column++]
      if (wanted?.name !== name || !Object.hasOwn(given, name)) return false
      const value = given[name]
      if (typeof value === 'string' && wanted.type.name === 'string') {
        const { length } = value
        if (length > this.#valueBytes || at + length + 2 > room) return false
        for (let i = 0; i < length; i++) {
          const unit = value.charCodeAt(i)
          if (unit < 0x20 || unit > 0x7e) return false
          bytes[at++] = unit
        }
        bytes[at++] = 0
        bytes[at++] = 1
        continue
      }
      const encoded = this.#encoded(wanted, value)
      if (encoded === undefined || at + encoded.length > room) return false
      bytes.set(encoded, at)
      at += encoded.length
    }
    input.keyLength = at
    return column === columns.length
  }

  #encoded({ type }: Column, value: unknown): Uint8Array | undefined {
    const parsed = value === undefined || value === null ? undefined : fromJs(type, value)
    if (parsed === undefined || 'reason' in parsed || parsed.text.length * 3 > this.#valueBytes) return undefined
    if (!PLAIN.has(type.name)) this.plain = false
    return encodeKey([type], [parsed.text])
  }

  /** Encodes the cells of a SET, at least one. */
  cells(input: RowInput, given: Readonly<Record<string, unknown>>): boolean {
    const columns = this.#values
    let column = -1
    for (const name in given) {
      do column++
      while (column < columns.length && columns[column]!.name !== name)
      if (column === columns.length || !Object.hasOwn(given, name)) return false
      const value = given[name]
      if (value === undefined) continue
      const { type } = columns[column]!
      const text = typeof value === 'string' && type.name === 'string' ? value : this.#text(columns[column]!, value)
      if (text === undefined) return false
      if (text === null) input.addCell(column, null)
      else if (!this.#addText(input, column, text)) return false
    }
    return input.count > 0
  }

  /** Undefined where it is none. */
  #text({ type }: Column, value: unknown): string | null | undefined {
    if (value === null) return null
    const parsed = fromJs(type, value)
    if ('reason' in parsed) return undefined
    if (!PLAIN.has(type.name)) this.plain = false
    return parsed.text
  }

  /** Printable ASCII only. */
  #addText(input: RowInput, column: number, text: string): boolean {
    const { length } = text
    if (length > this.#valueBytes) return false
    const start = input.count === 0 ? 0 : input.ends[input.count - 1]!
    input.reserve(start + length)
    const { values } = input
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i)
      if (unit < 0x20 || unit > 0x7e) return false
      values[start + i] = unit
    }
    input.columns[input.count] = column
    input.nulls[input.count] = 0
    input.ends[input.count++] = start + length
    return true
  }
}

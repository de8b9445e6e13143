import { stampText } from '../core/stamp.ts'
import { keyTexts } from '../core/table.ts'
import type { Catalog } from '../script/catalog.ts'
import { LOG_LIMITS } from '../script/limits.ts'
import { LineParser } from '../script/parser.ts'
import { Statement, type Op } from '../script/statement.ts'
import { idOf } from './database.ts'

export interface Assignment {
  readonly column: number
  readonly value: string | null
}

/** A line as the checkers think of it: plain, with keys as texts. */
export interface Operation {
  readonly op: Op
  /** -1 for all. */
  readonly replica: number
  readonly other: number
  readonly table: number
  readonly key: string
  readonly cells: readonly Assignment[]
  /** The full stamp that the line has. */
  readonly stamp: string | undefined
  /** What a GET shows or expects. */
  readonly shows: 'none' | readonly Assignment[] | undefined
}

/** Reads lines of scripts, logs and results. */
export class OperationReader {
  readonly #catalog: Catalog
  readonly #parser: LineParser
  readonly #statement = new Statement()
  /** Per table, by the bytes of a key: the same few are read again and again. */
  readonly #keys: readonly Map<string, string>[]

  constructor(catalog: Catalog) {
    this.#catalog = catalog
    this.#parser = new LineParser(catalog, LOG_LIMITS)
    this.#keys = catalog.tables.map(() => new Map<string, string>())
  }

  /** Throws as the parser does. */
  read(line: string): Operation {
    const bytes = Buffer.from(line)
    return this.readBytes(bytes, 0, bytes.length)
  }

  readBytes(bytes: Buffer, start: number, end: number): Operation {
    const statement = this.#statement
    this.#parser.parse(bytes, start, end, statement)
    const { op, replica, other, table, input, stamp, expected } = statement
    const rowWise = op === 'set' || op === 'get' || op === 'delete'
    const key = rowWise ? this.#key(table, input.key, input.keyLength) : ''
    const cells: Assignment[] = []
    if (op === 'set') {
      for (let i = 0; i < input.count; i++) cells.push({ column: input.columns[i]!, value: input.cell(i) })
    }
    return {
      op,
      replica,
      other,
      table,
      key,
      cells,
      stamp: stamp === undefined ? undefined : stampText(stamp),
      shows:
        expected === undefined || expected === 'none'
          ? expected
          : expected.columns.map((column, i) => ({ column, value: expected.texts[i]! })),
    }
  }

  #key(table: number, bytes: Uint8Array, length: number): string {
    const known = this.#keys[table]!
    const id = Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('latin1')
    let key = known.get(id)
    if (key === undefined) {
      key = idOf(keyTexts(this.#catalog.tables[table]!, Uint8Array.prototype.slice.call(bytes, 0, length)))
      known.set(id, key)
    }
    return key
  }
}

import { keyBytes, type Column, type TableSchema } from '../core/table.ts'
import type { RowInput, TableId } from '../core/state.ts'
import { parseValue } from '../core/types.ts'
import type { Catalog } from './catalog.ts'
import type { Braces, Item } from './items.ts'
import type { ScriptLimits } from './limits.ts'
import { failColumn } from './misfit.ts'
import type { Scanner } from './scanner.ts'
import type { ExpectedCells } from './statement.ts'

/** Turns the items of a line into canonical keys and values; every refusal names its item and column. */
export class ValueReader {
  readonly #catalog: Catalog
  readonly #scanner: Scanner
  readonly #limits: ScriptLimits

  constructor(catalog: Catalog, scanner: Scanner, limits: ScriptLimits) {
    this.#catalog = catalog
    this.#scanner = scanner
    this.#limits = limits
  }

  /** Fills in the canonical key bytes. */
  key(schema: TableSchema, items: readonly Item[], into: RowInput): void {
    const texts = schema.key.map((column, i) => {
      const item = items[i]!
      if (item.kind === 'null') {
        this.#scanner.fail(
          'BAD_VALUE',
          item.start,
          `key column ${column.name} can't be null`,
          'the text \\N is written "\\\\N"',
        )
      }
      return this.#text(column, item)
    })
    const bytes = keyBytes(schema, texts)
    const most = this.#limits.keyBytes
    if (bytes.length > most) {
      const message = `this key has ${String(bytes.length)} bytes in canonical form; at most ${String(most)} are allowed`
      this.#scanner.fail('LIMIT', items[0]!.start, message)
    }
    into.setKey(bytes)
  }

  /** The canonical text of a value, or null. */
  value(column: Column, item: Item): string | null {
    if (item.kind === 'null') return null
    const text = this.#text(column, item)
    const most = this.#limits.valueBytes
    if (text.length * 3 > most && Buffer.byteLength(text) > most) {
      const message = `the value of ${column.name} has ${String(Buffer.byteLength(text))} bytes; at most ${String(most)} are allowed`
      this.#scanner.fail('LIMIT', item.start, message)
    }
    return text
  }

  #text(column: Column, item: Item): string {
    const parsed = parseValue(column.type, item.text)
    if ('text' in parsed) return parsed.text
    this.#scanner.fail('BAD_VALUE', item.start, `column ${column.name} (${column.type.name}): ${parsed.reason}`)
  }

  /** The cells of a SET or an expectation by rising column; `column` is the one meant where `value` is an item. */
  cells(table: TableId, value: Item | Braces, column: number): ExpectedCells {
    const schema = this.#catalog.schema(table)
    if (value.kind !== 'braces') return { columns: [column], texts: [this.value(schema.values[column]!, value)] }
    const texts = new Map<number, string | null>()
    for (const { name, item } of value.cells) {
      const number = this.#catalog.columnAt(table, this.#scanner.line, name.start, name.end)
      if (number === -1) failColumn(this.#scanner, schema, name)
      const { name: shown } = schema.values[number]!
      if (texts.has(number)) this.#scanner.fail('SYNTAX', name.start, `column ${shown} is named twice`)
      texts.set(number, this.value(schema.values[number]!, item))
    }
    const columns = [...texts.keys()].sort((a, b) => a - b)
    return { columns, texts: columns.map((number) => texts.get(number) ?? null) }
  }
}

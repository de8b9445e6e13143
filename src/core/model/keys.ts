import { KeyBatchBuilder } from '../batch.ts'
import type { RowInput, TableId, TableKeys } from '../state.ts'
import { keyTexts, type TableSchema } from '../table.ts'
import { KeyIndex } from './key-index.ts'

/** A table and the keys met in it. */
interface Table {
  readonly schema: TableSchema
  readonly columns: readonly string[]
  /** All key columns are strings. */
  readonly textKey: boolean
  readonly index: KeyIndex
}

/** The tables, and every key met in them with a dense row number that all replicas share. */
export class Keys {
  readonly tables: Table[] = []
  /** By row number: its table, and its canonical key bytes as a string of one unit per byte. */
  readonly tableOf: TableId[] = []
  readonly bytesOf: string[] = []
  readonly #added: () => void

  /** @param added called for each new row number */
  constructor(added: () => void) {
    this.#added = added
  }

  addTable(schema: TableSchema): TableId {
    const columns = schema.values.map((column) => column.name)
    const textKey = schema.key.every((column) => column.type.name === 'string')
    return this.tables.push({ schema, columns, textKey, index: new KeyIndex(this.bytesOf) }) - 1
  }

  /** The row of a key that was met; undefined where it wasn't. */
  find(table: TableId, input: RowInput): number | undefined {
    return this.tables[table]!.index.find(input.key, input.keyLength)
  }

  /** The row of a key, a new one where it wasn't met. */
  intern(table: TableId, input: RowInput): number {
    return this.find(table, input) ?? this.#add(table, input.key.toString('latin1', 0, input.keyLength))
  }

  internBytes(table: TableId, key: Buffer): number {
    const text = key.toString('latin1')
    return this.tables[table]!.index.findText(text) ?? this.#add(table, text)
  }

  /** The canonical texts of a row's key. */
  textsOf(row: number): string[] {
    const { schema, textKey } = this.tables[this.tableOf[row]!]!
    const key = this.bytesOf[row]!
    const plain = textKey ? plainTexts(key, schema.key.length) : undefined
    return plain ?? keyTexts(schema, Buffer.from(key, 'latin1'))
  }

  /** The keys of rows, by table. */
  batches(rows: readonly number[]): TableKeys[] {
    const builders = new Map<TableId, KeyBatchBuilder>()
    for (const row of rows) {
      const table = this.tableOf[row]!
      let builder = builders.get(table)
      if (builder === undefined) builders.set(table, (builder = new KeyBatchBuilder(this.tables[table]!.schema)))
      builder.push(this.textsOf(row))
    }
    return [...builders].map(([table, builder]) => ({ table, keys: builder.build() }))
  }

  #add(table: TableId, key: string): number {
    const row = this.bytesOf.length
    this.tables[table]!.index.add(key, row)
    this.bytesOf.push(key)
    this.tableOf.push(table)
    this.#added()
    return row
  }
}

/** The texts of a key of strings, where they are ASCII without zero bytes; else undefined. */
function plainTexts(key: string, columns: number): string[] | undefined {
  const texts: string[] = []
  let start = 0
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i)
    if (unit > 127) return undefined
    if (unit !== 0) continue
    if (key.charCodeAt(i + 1) !== 1) return undefined
    texts.push(key.slice(start, i))
    start = ++i + 1
  }
  return texts.length === columns ? texts : undefined
}

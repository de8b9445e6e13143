import { Binary, Decimal128, Double } from 'bson'
import { textAt, type KeyBatch, type RowBatch } from '../../core/batch.ts'
import type { TableSchema } from '../../core/table.ts'
import type { ColumnType } from '../../core/types.ts'
import { isBsonDate } from '../documents/bson-types.ts'
import { paddedTimestamp, shortDecimal } from '../documents/bson-writer.ts'
import { jsonForBson } from '../documents/json.ts'
import type { Layout } from '../documents/layout.ts'

/*
 * Documents are maps here, not objects: no name in them means anything to JavaScript or to the driver's encoder then.
 */

/** The driver's value of a canonical text; of the one BSON type that its column has. */
export function bsonOf(type: ColumnType, text: string): unknown {
  switch (type.name) {
    case 'string':
      return text
    case 'int64':
      return BigInt(text)
    case 'float64':
      return new Double(Number(text))
    case 'decimal':
      return Decimal128.fromString(shortDecimal(text))
    case 'boolean':
      return text === 'true'
    case 'bytes':
      return new Binary(Buffer.from(text.slice(2), 'hex'))
    case 'date':
      return new Date(`${text}T00:00:00Z`)
    case 'timestamp':
      return isBsonDate(type) ? new Date(text.replace(' ', 'T')) : paddedTimestamp(text, type.scale ?? 9)
    case 'json':
      return jsonForBson(text)
  }
}

/** The value of `_id` from the texts of its first key columns: all of them, but for a bound. */
export function idOf(schema: TableSchema, key: readonly string[]): Map<string, unknown> {
  const id = new Map<string, unknown>()
  key.forEach((text, c) => {
    const { name, type } = schema.key[c]!
    id.set(name, type.name === 'bytes' ? text : bsonOf(type, text))
  })
  return id
}

/** One incoming row: keys as in `_id` and as fields, registers in normal form. */
export interface IncomingRow {
  /** Its number in the batch. */
  readonly row: number
  readonly key: readonly string[]
  readonly id: Map<string, unknown>
  readonly registers: readonly IncomingRegister[]
  readonly deleted: string | null
}

export interface IncomingRegister {
  readonly column: number
  readonly name: string
  readonly stamp: string
  /** Undefined where the column has a stamp but no field: null in a json column. */
  readonly value: unknown
}

export function keyTextsAt(batch: KeyBatch, row: number): string[] {
  return batch.keys.map((column) => textAt(column, row)!)
}

/** Registers that the row's own tombstone hides are left out. */
export function incomingRow(schema: TableSchema, batch: RowBatch, row: number): IncomingRow {
  const key = keyTextsAt(batch, row)
  const deleted = textAt(batch.deleted, row)
  const registers: IncomingRegister[] = []
  schema.values.forEach(({ name, type }, column) => {
    const stamp = textAt(batch.stamps[column]!, row)
    if (stamp === null || (deleted !== null && stamp <= deleted)) return
    const text = textAt(batch.values[column]!, row)
    const value = text !== null ? bsonOf(type, text) : type.name === 'json' ? undefined : null
    registers.push({ column, name, stamp, value })
  })
  return { row, key, id: idOf(schema, key), registers, deleted }
}

/** The key columns as fields of the row: people ask for them. */
export function keyFields(schema: TableSchema, { key }: IncomingRow): [string, unknown][] {
  return schema.key.map(({ name, type }, c) => [name, bsonOf(type, key[c]!)])
}

/** The whole document of a row that isn't there yet. */
export function documentOf(layout: Layout, row: IncomingRow): Map<string, unknown> {
  const document = new Map<string, unknown>([['_id', row.id], ...keyFields(layout.schema, row)])
  const stamps = new Map<string, unknown>()
  for (const { name, value, stamp } of row.registers) {
    if (value !== undefined) document.set(name, value)
    stamps.set(name, stamp)
  }
  const outlived = row.registers.length === layout.values.length
  if (row.deleted !== null && !outlived) stamps.set(layout.deletedName, row.deleted)
  return document.set('stamps', stamps)
}

/** Finds the row; with its key columns by name as well, for a server that needs an index of them. */
export function filterOf(schema: TableSchema, row: IncomingRow, keyed: boolean): Map<string, unknown> {
  const filter = new Map<string, unknown>([['_id', row.id]])
  if (keyed) for (const [name, value] of keyFields(schema, row)) filter.set(name, { $eq: value })
  return filter
}

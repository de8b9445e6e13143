import { Long } from 'bson'
import { Query } from 'mingo'
import { rowAt, type StampedRow } from '../../core/batch.ts'
import { MerganserError } from '../../core/errors.ts'
import type { TableSchema } from '../../core/table.ts'
import { toJs, type ColumnType, type JsValue } from '../../core/types.ts'
import type { ReplicaStore } from '../connector.ts'
import { layoutOf } from '../documents/layout.ts'

/** What a field is compared with: a plain value, never an object that could be an operator. */
export type Scalar = string | number | bigint | boolean | null | Uint8Array

/** Fields, all of which must hold: `{ grade: { $eq: 'A' }, 'stamps.grade': { $eq: '…' } }`. */
export type DocumentFilter = Readonly<Record<string, { readonly $eq: Scalar }>>

/** A document with the values of `toJs`: int64 as bigint, json parsed, decimals, dates and timestamps as their text. */
export type PlainDocument = Readonly<Record<string, JsValue>>

/**
 * The documents that match, in key order, deleted ones left out. Throws UNKNOWN_COLUMN for a field that the table
 * hasn't, BAD_VALUE where a condition is anything but `{ $eq: scalar }`. A field without a value is `null`.
 */
export function findDocuments(
  store: Pick<ReplicaStore, 'scanRows'>,
  table: TableSchema,
  filter: DocumentFilter,
): AsyncIterable<PlainDocument> {
  const query = new Query(checked(table, filter), { scriptEnabled: false })
  return matching(store, table, query)
}

async function* matching(
  store: Pick<ReplicaStore, 'scanRows'>,
  table: TableSchema,
  query: Query,
): AsyncIterable<PlainDocument> {
  const { deletedName } = layoutOf(table)
  for await (const batch of store.scanRows(table)) {
    for (let i = 0; i < batch.rows; i++) {
      const row = rowAt(batch, i)
      if (row.cells.every((cell) => cell === null)) continue
      if (query.test(documentOf(table, row, deletedName, comparable))) {
        yield documentOf(table, row, deletedName, (value) => value)
      }
    }
  }
}

type Convert = (value: JsValue) => JsValue

/** As the driver has it: the query engine can't print a bigint, and compares bytes of one class only. */
function comparable(value: JsValue): JsValue {
  if (typeof value === 'bigint') return Long.fromBigInt(value)
  return value instanceof Uint8Array ? Uint8Array.from(value) : value
}

function documentOf(table: TableSchema, row: StampedRow, deletedName: string, convert: Convert): PlainDocument {
  const valueOf = (type: ColumnType, text: string | null) => (text === null ? null : convert(toJs(type, text)))
  const key = table.key.map(({ name, type }, c) => [name, valueOf(type, row.key[c]!)] as const)
  const cells = table.values.flatMap(({ name, type }, c) => {
    const cell = row.cells[c]
    return cell == null ? [] : [{ name, value: valueOf(type, cell.value), stamp: cell.stamp }]
  })
  const stamps = cells.map(({ name, stamp }) => [name, stamp] as const)
  const deleted = row.deleted === null ? [] : [[deletedName, row.deleted] as const]
  // `fromEntries` defines each member, whatever it is called.
  return Object.fromEntries<JsValue>([
    ['_id', Object.fromEntries(key)],
    ...key,
    ...cells.map(({ name, value }) => [name, value] as const),
    ['stamps', Object.fromEntries([...stamps, ...deleted])],
  ])
}

function checked(table: TableSchema, filter: DocumentFilter): Record<string, { $eq: JsValue }> {
  const { deletedName } = layoutOf(table)
  const columns = [...table.key, ...table.values].map(({ name }) => name)
  const fields = new Set([
    ...columns,
    ...table.key.map(({ name }) => `_id.${name}`),
    ...[...table.values.map(({ name }) => name), deletedName].map((name) => `stamps.${name}`),
  ])
  const conditions = Object.entries(filter).map(([field, condition]: [string, unknown]) => {
    if (!fields.has(field) || field.split('.').includes('__proto__')) {
      throw new MerganserError('UNKNOWN_COLUMN', `table ${table.name} has no field of this name to filter by`, {
        place: { table: table.name },
        advice: `its columns are ${columns.join(', ')}`,
      })
    }
    return [field, { $eq: comparable(scalarOf(table, field, condition)) }] as const
  })
  return Object.fromEntries(conditions)
}

function scalarOf(table: TableSchema, field: string, condition: unknown): Scalar {
  const entries = typeof condition === 'object' && condition !== null ? Object.entries(condition) : []
  const value: unknown = entries[0]?.[1]
  if (entries.length === 1 && entries[0]![0] === '$eq' && isScalar(value)) return value
  throw new MerganserError('BAD_VALUE', `the condition on ${field} is not { $eq: value } with a plain value`, {
    place: { table: table.name },
  })
}

function isScalar(value: unknown): value is Scalar {
  return (
    value === null || value instanceof Uint8Array || ['string', 'number', 'bigint', 'boolean'].includes(typeof value)
  )
}

import { batchOf, type KeyBatch, type RowBatch, type StampedRow } from '../../core/batch.ts'
import { concatBatches } from '../../core/concat.ts'
import { MerganserError } from '../../core/errors.ts'
import type { Column, TableSchema } from '../../core/table.ts'
import { misfit } from '../connector.ts'
import { keyOf, stampOf, takeApart, textOf, type Element } from '../documents/bson-reader.ts'
import { BsonType, isBsonDate } from '../documents/bson-types.ts'
import { DocumentRows } from './document-rows.ts'
import { mongodbCapabilities } from './capabilities.ts'
import { keyTextsAt } from './encode.ts'
import { inFlight } from './in-flight.ts'
import type { Session } from './session.ts'
import { manyKeys, type Table } from './table.ts'

/** Keys of one request. */
const KEYS = 1_000

/** The rows of some keys, tombstones included, in any order. */
export async function readKeys(session: Session, table: Table, keys: KeyBatch): Promise<RowBatch> {
  const wanted: string[][] = []
  for (let row = 0; row < keys.rows; row++) {
    const key = keyTextsAt(keys, row)
    // A key that can't stand there has no row.
    if (holdsKey(table.schema, key)) wanted.push(key)
  }
  if (wanted.length === 0) return batchOf(table.schema, [])
  const found = await inFlight(session.options.connections, inParts(wanted), (part) => readBatch(session, table, part))
  return concatBatches(found)
}

export function holdsKey(schema: TableSchema, key: readonly string[]): boolean {
  return key.every((text, c) => misfit(mongodbCapabilities, schema.key[c]!.type, text) === undefined)
}

export async function readTexts(
  session: Session,
  table: Table,
  keys: readonly (readonly string[])[],
): Promise<StampedRow[]> {
  const found = await inFlight(session.options.connections, inParts(keys), (part) => readPart(session, table, part))
  return found.flat()
}

function inParts(keys: readonly (readonly string[])[]): (readonly (readonly string[])[])[] {
  const parts: (readonly (readonly string[])[])[] = []
  for (let start = 0; start < keys.length; start += KEYS) parts.push(keys.slice(start, start + KEYS))
  return parts
}

async function readBatch(session: Session, table: Table, keys: readonly (readonly string[])[]): Promise<RowBatch> {
  const { schema, layout, features } = table
  const wanted = features.looksUpDocuments ? undefined : new Set(keys.map((key) => JSON.stringify(key)))
  const rows = new DocumentRows(layout, valueOf)
  const cursor = session.find(schema.name, manyKeys(table, keys), { batchSize: KEYS + 1 })
  try {
    for (let raw = await cursor.next(); raw !== null; raw = await cursor.next()) {
      const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength)
      try {
        if (wanted?.has(JSON.stringify(keyOf(layout, takeApart(layout, bytes)))) !== false) rows.push(bytes)
      } catch (error) {
        throw noRow(schema, error)
      }
    }
    return rows.take()
  } finally {
    await cursor.close()
  }
}

async function readPart(session: Session, table: Table, keys: readonly (readonly string[])[]): Promise<StampedRow[]> {
  const cursor = session.find(table.schema.name, manyKeys(table, keys), { batchSize: KEYS + 1 })
  const rows: StampedRow[] = []
  const wanted = table.features.looksUpDocuments ? undefined : new Set(keys.map((key) => JSON.stringify(key)))
  try {
    for (let document = await cursor.next(); document !== null; document = await cursor.next()) {
      const row = rowOf(table, document)
      if (wanted?.has(JSON.stringify(row.key)) !== false) rows.push(row)
    }
  } finally {
    await cursor.close()
  }
  return rows
}

/** The columns of a key before the first one that can't stand there. */
export function boundOf(schema: TableSchema, key: readonly string[]): readonly string[] {
  const first = key.findIndex((text, c) => misfit(mongodbCapabilities, schema.key[c]!.type, text) !== undefined)
  return first < 0 ? key : key.slice(0, first)
}

/** Throws SCHEMA_MISMATCH for a document that isn't a row of the table. */
export function rowOf(table: Table, raw: Uint8Array): StampedRow {
  const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength)
  const { layout, schema } = table
  try {
    const document = takeApart(layout, bytes)
    return {
      key: keyOf(layout, document),
      cells: layout.values.map(({ column }, c) => {
        const stamp = document.stamps[c]
        return stamp === undefined
          ? null
          : { value: valueOf(column, bytes, document.values[c]), stamp: stampOf(bytes, stamp) }
      }),
      deleted: document.deleted === undefined ? null : stampOf(bytes, document.deleted),
    }
  } catch (error) {
    throw noRow(schema, error)
  }
}

/** The error for what went wrong with a document. */
export function noRow(schema: TableSchema, error: unknown): unknown {
  if (error instanceof MerganserError || !(error instanceof Error)) return error
  return new MerganserError('SCHEMA_MISMATCH', `table ${schema.name} holds a document that is no row of it`, {
    place: { table: schema.name },
    cause: error,
    advice: 'take out what was put in by hand: _id must be a document of the key columns',
  })
}

const TYPES: Readonly<Record<string, readonly number[]>> = {
  string: [BsonType.string],
  int64: [BsonType.int64],
  float64: [BsonType.double],
  decimal: [BsonType.decimal],
  boolean: [BsonType.boolean],
  bytes: [BsonType.binary],
  date: [BsonType.date],
}

/** The canonical text of a stored value. By hand, whole numbers come in as another type of number. */
export function valueOf(column: Column, bytes: Buffer, found: Element | undefined): string | null {
  const { type } = column
  if (found === undefined || type.name === 'json' || found.type === BsonType.null) return textOf(type, bytes, found)
  const right = type.name === 'timestamp' ? [isBsonDate(type) ? BsonType.date : BsonType.string] : TYPES[type.name]!
  if (right.includes(found.type)) return textOf(type, bytes, found)
  if (type.name === 'int64' || type.name === 'float64' || type.name === 'decimal') {
    const number = numberOf(bytes, found)
    if (number !== undefined && (type.name === 'float64' || Number.isSafeInteger(number))) return String(number)
  }
  throw new MerganserError('SCHEMA_MISMATCH', `a value of column ${column.name} is of another type than the column`, {
    advice: 'it was put in by hand; give it the type of the column',
  })
}

function numberOf(bytes: Buffer, { type, offset }: Element): number | undefined {
  if (type === BsonType.int32) return bytes.readInt32LE(offset)
  if (type === BsonType.double) return bytes.readDoubleLE(offset)
  return type === BsonType.int64 ? Number(bytes.readBigInt64LE(offset)) : undefined
}

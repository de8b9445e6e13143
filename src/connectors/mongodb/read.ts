import { batchOf, RowBatchBuilder, type KeyBatch, type RowBatch, type StampedRow } from '../../core/batch.ts'
import { MerganserError } from '../../core/errors.ts'
import { keyBytes, type Column, type TableSchema } from '../../core/table.ts'
import { misfit } from '../connector.ts'
import { keyOf, stampOf, takeApart, textOf, type Element } from '../documents/bson-reader.ts'
import { BsonType, isBsonDate } from '../documents/bson-types.ts'
import { mongodbCapabilities } from './capabilities.ts'
import { idOf, keyTextsAt } from './encode.ts'
import { serverCode } from './faults.ts'
import { inFlight } from './in-flight.ts'
import type { Session } from './session.ts'
import { manyKeys, type Table } from './table.ts'

/** Keys of one request, documents of one answer. */
const KEYS = 1_000
const SCAN_ROWS = 2_000

/** The rows of some keys, tombstones included, in any order. */
export async function readKeys(session: Session, table: Table, keys: KeyBatch): Promise<RowBatch> {
  const wanted: string[][] = []
  for (let row = 0; row < keys.rows; row++) {
    const key = keyTextsAt(keys, row)
    // A key that can't stand there has no row.
    if (holdsKey(table.schema, key)) wanted.push(key)
  }
  return batchOf(table.schema, await readTexts(session, table, wanted))
}

export function holdsKey(schema: TableSchema, key: readonly string[]): boolean {
  return key.every((text, c) => misfit(mongodbCapabilities, schema.key[c]!.type, text) === undefined)
}

export async function readTexts(
  session: Session,
  table: Table,
  keys: readonly (readonly string[])[],
): Promise<StampedRow[]> {
  const parts: (readonly (readonly string[])[])[] = []
  for (let start = 0; start < keys.length; start += KEYS) parts.push(keys.slice(start, start + KEYS))
  const found = await inFlight(session.options.connections, parts, (part) => readPart(session, table, part))
  return found.flat()
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

/** All rows in key order, by one cursor, which is opened again behind the last row where the server has closed it. */
export async function* scanTable(
  session: Session,
  table: Table,
  afterKey: readonly string[] | undefined,
  upToKey: readonly string[] | undefined,
): AsyncGenerator<RowBatch> {
  let after = afterKey
  for (;;) {
    const before = after
    try {
      for await (const rows of scanFrom(session, table, after, upToKey)) {
        after = rows.at(-1)!.key
        const builder = new RowBatchBuilder(table.schema, rows.length)
        for (const row of rows) builder.push(row)
        yield builder.build()
      }
      return
    } catch (error) {
      // 43: the cursor isn't there any more. Without progress there is no use in trying again.
      if (serverCode(error) !== 43 || after === before) throw error
    }
  }
}

async function* scanFrom(
  session: Session,
  table: Table,
  after: readonly string[] | undefined,
  upTo: readonly string[] | undefined,
): AsyncGenerator<StampedRow[]> {
  const { schema } = table
  const range: Record<string, unknown> = {}
  const bound = after === undefined ? [] : boundOf(schema, after)
  if (bound.length > 0) range['$gt'] = idOf(schema, bound)
  if (upTo !== undefined && holdsKey(schema, upTo)) range['$lte'] = idOf(schema, upTo)
  // Only where the bound had to be cut short, rows may come that aren't behind the key.
  const least = after !== undefined && bound.length < schema.key.length ? keyBytes(schema, after) : undefined
  const filter = Object.keys(range).length === 0 ? {} : { _id: range }
  const cursor = session.find(schema.name, filter, { batchSize: SCAN_ROWS, sorted: true })
  try {
    while (await cursor.hasNext()) {
      const rows = cursor.readBufferedDocuments().map((document) => rowOf(table, document))
      const kept = least === undefined ? rows : rows.filter(({ key }) => keyBytes(schema, key).compare(least) > 0)
      if (kept.length > 0) yield kept
    }
  } finally {
    await cursor.close()
  }
}

/** The columns of a key before the first one that can't stand there. */
function boundOf(schema: TableSchema, key: readonly string[]): readonly string[] {
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
    if (error instanceof MerganserError || !(error instanceof Error)) throw error
    throw new MerganserError('SCHEMA_MISMATCH', `table ${schema.name} holds a document that is no row of it`, {
      place: { table: schema.name },
      cause: error,
      advice: 'take out what was put in by hand: _id must be a document of the key columns',
    })
  }
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
function valueOf(column: Column, bytes: Buffer, found: Element | undefined): string | null {
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

import type { Document } from 'mongodb'
import { MerganserError } from '../../core/errors.ts'
import { shapeOf } from '../documents/layout.ts'
import { META } from './lease.ts'
import { rowOf } from './read.ts'
import { serverCode } from './faults.ts'
import type { Session } from './session.ts'
import type { Table } from './table.ts'

/** Creates the collection where it isn't there. Throws SCHEMA_MISMATCH where something else stands there. */
export async function ensureShape(session: Session, table: Table): Promise<void> {
  const { name } = table.schema
  const id = `table/${name}`
  const shape = shapeOf(table.schema)
  const known = await session.one(META, id)
  if (known !== undefined && known['shape'] !== shape) {
    throw mismatch(
      name,
      `has the shape ${typeof known['shape'] === 'string' ? known['shape'] : 'unknown'}, not ${shape}`,
    )
  }
  const found = await collectionOf(session, name)
  if (found === undefined) await create(session, name)
  else await verify(session, table, found)
  if (!table.features.looksUpDocuments) await createIndex(session, table)
  if (known !== undefined) return
  const q = { _id: id }
  await session.run({
    update: META,
    updates: [{ q, u: { $set: { shape } }, upsert: true }],
    writeConcern: session.writeConcern,
  })
}

async function collectionOf(session: Session, name: string): Promise<Document | undefined> {
  const answer = await session.run({ listCollections: 1, filter: { name: { $eq: name } } })
  const { firstBatch } = answer['cursor'] as { firstBatch: Document[] }
  return firstBatch.find((one) => one['name'] === name)
}

async function create(session: Session, name: string): Promise<void> {
  try {
    await session.run({ create: name, writeConcern: session.writeConcern })
  } catch (error) {
    // 48: someone else was faster.
    if (serverCode(error) !== 48) throw error
  }
}

async function verify(session: Session, table: Table, found: Document): Promise<void> {
  const { name } = table.schema
  const options = (found['options'] ?? {}) as Document
  if ((found['type'] ?? 'collection') !== 'collection') throw mismatch(name, `is a ${String(found['type'])} there`)
  if (options['capped'] === true) throw mismatch(name, 'is capped there: it would lose rows')
  const collation = options['collation'] as Document | undefined
  if (collation !== undefined && collation['locale'] !== 'simple') {
    throw mismatch(name, 'has a collation there, which would take different keys for the same')
  }
  const cursor = session.find(name, {}, { batchSize: 1 })
  try {
    const first = await cursor.next()
    if (first !== null) rowOf(table, first)
  } finally {
    await cursor.close()
  }
}

/** For servers that look no documents up by `_id`. */
async function createIndex(session: Session, { schema }: Table): Promise<void> {
  // A map, since a column may be called _bsontype; an index has 32 columns at most.
  const key = new Map(schema.key.slice(0, 32).map((column) => [column.name, 1]))
  await session.run({ createIndexes: schema.name, indexes: [{ key, name: 'merganser_key' }] })
}

function mismatch(name: string, what: string): MerganserError {
  return new MerganserError('SCHEMA_MISMATCH', `table ${name} ${what}`, {
    place: { table: name },
    advice: 'give the table the shape that it has there, or another name',
  })
}

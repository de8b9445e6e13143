import { keyAt, type RowBatch } from '../../core/batch.ts'
import { keyBytes } from '../../core/table.ts'
import { keyOf, takeApart } from '../documents/bson-reader.ts'
import { DocumentRows } from './document-rows.ts'
import { idOf } from './encode.ts'
import { serverCode } from './faults.ts'
import { boundOf, holdsKey, noRow, valueOf } from './read.ts'
import type { Session } from './session.ts'
import type { Table } from './table.ts'

/** Documents of one answer. */
const SCAN_ROWS = 2_000

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
      for await (const batch of scanFrom(session, table, after, upToKey)) {
        after = keyAt(batch, batch.rows - 1)
        yield batch
      }
      return
    } catch (error) {
      // 43: the cursor isn't there any more. Without progress there is no use in trying again.
      if (serverCode(error) !== 43 || after === before) throw error
    }
  }
}

/** The next answer is asked for before one is read. */
async function* scanFrom(
  session: Session,
  table: Table,
  after: readonly string[] | undefined,
  upTo: readonly string[] | undefined,
): AsyncGenerator<RowBatch> {
  const { schema, layout } = table
  const range: Record<string, unknown> = {}
  const bound = after === undefined ? [] : boundOf(schema, after)
  if (bound.length > 0) range['$gt'] = idOf(schema, bound)
  if (upTo !== undefined && holdsKey(schema, upTo)) range['$lte'] = idOf(schema, upTo)
  // Only where the bound had to be cut short, rows may come that aren't behind the key.
  const least = after !== undefined && bound.length < schema.key.length ? keyBytes(schema, after) : undefined
  const isBehind = (bytes: Buffer) =>
    least === undefined || keyBytes(schema, keyOf(layout, takeApart(layout, bytes))).compare(least) > 0
  const filter = Object.keys(range).length === 0 ? {} : { _id: range }
  const cursor = session.find(schema.name, filter, { batchSize: SCAN_ROWS, sorted: true })
  const rows = new DocumentRows(layout, valueOf)
  let more = cursor.hasNext()
  try {
    while (await more) {
      const documents = cursor.readBufferedDocuments()
      more = cursor.hasNext()
      // Who waits for it hears of it.
      more.catch(() => undefined)
      for (const { buffer, byteOffset, byteLength } of documents) {
        const bytes = Buffer.from(buffer, byteOffset, byteLength)
        try {
          if (isBehind(bytes)) rows.push(bytes)
        } catch (error) {
          throw noRow(schema, error)
        }
      }
      if (rows.rows > 0) yield rows.take()
    }
  } finally {
    await more.catch(() => undefined)
    await cursor.close()
  }
}

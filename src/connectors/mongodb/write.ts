import { BatchKeys } from '../../core/batch-keys.ts'
import { textAt, type RowBatch, type TextColumn } from '../../core/batch.ts'
import { misfit, type WriteResult } from '../connector.ts'
import { mongodbCapabilities as capabilities } from './capabilities.ts'
import { documentOf, filterOf, incomingRow, type IncomingRow } from './encode.ts'
import { faultOfCode } from './faults.ts'
import { inFlight } from './in-flight.ts'
import { joinPipeline } from './join.ts'
import { readTexts } from './read.ts'
import type { Session } from './session.ts'
import { writeByReading } from './slow-write.ts'
import type { Table } from './table.ts'
import { foreignOf, send, type Tally, type Writing } from './bulk.ts'
import { weakMisfit } from './weak.ts'

/** One command holds so many rows or bytes at most: far below the 16 MB that a message's document may have. */
const ROWS = 1_000
const BYTES = 4 * 1024 * 1024
/** Passes over rows that someone else inserts between our look and our write. */
const PASSES = 5
/** Where so many of a hundred rows turned out to be there already, or new, the other way is the faster one. */
const THERE = 50
const NEW = 25

/** Joins a batch into its table; `ReplicaStore.writeRows` says what that means. */
export async function writeBatch(
  session: Session,
  table: Table,
  batch: RowBatch,
  check: () => Promise<void>,
): Promise<WriteResult> {
  const tally: Tally = { written: 0, stale: 0, rejected: [], foreign: [] }
  const writing = { session, table, batch, tally, check }
  const parts = [...partsOf(writing)]
  await inFlight(session.options.connections, parts, async (rows) => {
    await check()
    const incoming = rows.map((row) => incomingRow(table.schema, batch, row))
    if (table.features.pipelines) await writePart(writing, incoming)
    else await writeByReading(writing, incoming)
  })
  tally.rejected.sort((a, b) => a.row - b.row)
  tally.foreign.sort((a, b) => a.row - b.row || a.column - b.column)
  return tally
}

/** The rows that the database can hold, in parts of one command each; the others are tallied as rejected. */
function* partsOf({ table, batch, tally }: Writing): Generator<number[]> {
  const keys = new BatchKeys(table.schema, batch)
  const columns = [...batch.keys, ...batch.values, ...batch.stamps, batch.deleted]
  let part: number[] = []
  let bytes = 0
  for (let row = 0; row < batch.rows; row++) {
    const tooLong = keys.length(row) > capabilities.keyBytes
    const reason = tooLong
      ? `its key is longer than ${String(capabilities.keyBytes)} bytes`
      : rowMisfit(table, batch, row)
    if (reason !== undefined) {
      tally.rejected.push({ row, reason })
      continue
    }
    const size = columns.reduce((sum, column) => sum + sizeAt(column, row), 0)
    if (part.length > 0 && (part.length === ROWS || bytes + size > BYTES)) {
      yield part
      part = []
      bytes = 0
    }
    part.push(row)
    bytes += size
  }
  if (part.length > 0) yield part
}

function sizeAt({ ends }: TextColumn, row: number): number {
  return ends[row]! - (row === 0 ? 0 : ends[row - 1]!)
}

function rowMisfit({ schema, features }: Table, batch: RowBatch, row: number): string | undefined {
  for (const [c, { type }] of schema.key.entries()) {
    if (type.name !== 'decimal') continue
    const text = textAt(batch.keys[c]!, row)!
    const reason = misfit(capabilities, type, text) ?? (features.weakValues ? weakMisfit(type, text) : undefined)
    if (reason !== undefined) return reason
  }
  for (const [c, { type }] of schema.values.entries()) {
    const column = batch.values[c]!
    const looked = type.name === 'json' || type.name === 'decimal' || features.weakValues
    if (!looked && sizeAt(column, row) <= capabilities.valueBytes) continue
    const text = textAt(column, row)
    if (text === null) continue
    const reason = misfit(capabilities, type, text) ?? (features.weakValues ? weakMisfit(type, text) : undefined)
    if (reason !== undefined) return reason
  }
  return undefined
}

/** Inserts first where the rows are believed to be new, then the join for those that were there. */
async function writePart(writing: Writing, rows: readonly IncomingRow[]): Promise<void> {
  const { table } = writing
  const left = table.expectNew ? await insertPart(writing, rows) : rows
  if (table.expectNew && left.length * 100 >= rows.length * THERE) table.expectNew = false
  if (left.length > 0) await joinPart(writing, left)
}

/** Gives the rows whose key was there. */
async function insertPart(writing: Writing, rows: readonly IncomingRow[]): Promise<readonly IncomingRow[]> {
  const { session, table } = writing
  const answer = await send(writing, rows, (some) => ({
    insert: table.schema.name,
    documents: some.map((row) => documentOf(table.layout, row)),
    ordered: false,
    writeConcern: session.writeConcern,
  }))
  writing.tally.written += rows.length - answer.duplicates.length - answer.rejected
  return answer.duplicates
}

async function joinPart(writing: Writing, rows: readonly IncomingRow[]): Promise<void> {
  const { session, table, tally, check } = writing
  let left = rows
  for (let pass = 1; left.length > 0; pass++) {
    if (pass > PASSES) throw faultOfCode(112, session.replica)
    if (pass > 1) await check()
    // Beside the whole key, the filter names the key columns only for an index; not where they were changed by hand.
    const keyed = pass === 1 && !table.features.looksUpDocuments
    const { changed, upserted, duplicates, rejected } = await send(writing, left, (some) => ({
      update: table.schema.name,
      updates: some.map((row) => ({
        q: filterOf(table.schema, row, keyed),
        u: joinPipeline(table.layout, row),
        upsert: true,
      })),
      ordered: false,
      writeConcern: session.writeConcern,
    }))
    const done = left.length - duplicates.length - rejected
    const stale = done - changed - upserted
    tally.written += changed + upserted
    tally.stale += stale
    if (pass === 1 && upserted * 100 > left.length * NEW) table.expectNew = true
    const again = new Set(duplicates)
    const sent = left.filter((row) => !again.has(row))
    if (stale > 0 || sent.some(isMixed)) await findForeign(writing, sent)
    left = duplicates
  }
}

/** Whether a row brings more than one register or a tombstone, so that it may be written and hide an equal stamp. */
function isMixed({ registers, deleted }: IncomingRow): boolean {
  return registers.length + (deleted === null ? 0 : 1) > 1
}

/** Registers whose stored stamp is the incoming one, with another value (I15). */
async function findForeign({ session, table, batch, tally }: Writing, rows: readonly IncomingRow[]): Promise<void> {
  const incoming = new Map(rows.map((row) => [JSON.stringify(row.key), row]))
  for (const stored of await readTexts(
    session,
    table,
    rows.map((row) => row.key),
  )) {
    const row = incoming.get(JSON.stringify(stored.key))
    if (row !== undefined) tally.foreign.push(...foreignOf(batch, row, stored))
  }
}

import { keyAt, textAt, type RowBatch, type TextColumn } from '../../core/batch.ts'
import { misfit, type Capabilities, type WriteResult } from '../connector.ts'
import { canonicalText } from './canonical.ts'
import { encodeRows, hasMixedRows } from './copy-encode.ts'
import { refusedRow } from './faults.ts'
import { keyBytes, type Column, type TableSchema } from '../../core/table.ts'
import type { Session } from './session.ts'
import type { TableStatements } from './statements.ts'

const KEY_OVERHEAD = 32

type Rejected = WriteResult['rejected'][number]
type Foreign = WriteResult['foreign'][number]

/** What one transaction found out. */
interface Tally {
  written: number
  sent: number
  readonly rejected: Rejected[]
  readonly foreign: Foreign[]
}

/** The connections of a write, and what lets it go on. */
export interface Writers {
  /** Each takes a part of the rows, in a transaction of its own. */
  readonly sessions: readonly Session[]
  /** Run first in each transaction; throws where the database has another owner by now. */
  readonly fence: (session: Session) => Promise<void>
}

/** Joins a batch into its table; `ReplicaStore.writeRows` says what that means. Keys of a batch are all different. */
export async function writeBatch(
  writers: Writers,
  statements: TableStatements,
  schema: TableSchema,
  capabilities: Capabilities,
  batch: RowBatch,
): Promise<WriteResult> {
  const rejected = misfits(schema, capabilities, batch)
  const tally: Tally = {
    written: 0,
    sent: 0,
    rejected: [...rejected].map(([row, reason]) => ({ row, reason })),
    foreign: [],
  }
  const parts = partsOf(batch.rows, rejected, writers.sessions.length)
  const done = await Promise.allSettled(
    parts.map((rows, p) => {
      const writer = { session: writers.sessions[p]!, fence: writers.fence }
      return writePart(writer, statements, schema, batch, rows, tally)
    }),
  )
  for (const one of done) if (one.status === 'rejected') throw one.reason
  tally.rejected.sort((a, b) => a.row - b.row)
  tally.foreign.sort((a, b) => a.row - b.row || a.column - b.column)
  return { written: tally.written, stale: tally.sent - tally.written, rejected: tally.rejected, foreign: tally.foreign }
}

/** The rows that aren't rejected, in so many parts of neighbours; undefined stands for all. */
function partsOf(
  count: number,
  rejected: ReadonlyMap<number, string>,
  most: number,
): readonly (Uint32Array | undefined)[] {
  if (most === 1 && rejected.size === 0) return count === 0 ? [] : [undefined]
  const rows = Uint32Array.from({ length: count }, (_, i) => i).filter((i) => !rejected.has(i))
  const step = Math.ceil(rows.length / most)
  const parts: Uint32Array[] = []
  for (let start = 0; start < rows.length; start += step) parts.push(rows.subarray(start, start + step))
  return parts
}

interface Writer {
  readonly session: Session
  readonly fence: (session: Session) => Promise<void>
}

/** One transaction; where the server refuses some row, the two halves of it, down to that row. */
async function writePart(
  writer: Writer,
  statements: TableStatements,
  schema: TableSchema,
  batch: RowBatch,
  rows: Uint32Array | undefined,
  tally: Tally,
): Promise<void> {
  const count = rows?.length ?? batch.rows
  try {
    const { written, foreign } = await joinPart(writer, statements, schema, batch, rows)
    tally.written += written
    tally.sent += count
    tally.foreign.push(...foreign)
  } catch (error) {
    const reason = refusedRow(error)
    if (reason === undefined) throw error
    const all = rows ?? Uint32Array.from({ length: count }, (_, i) => i)
    if (count === 1) {
      tally.rejected.push({ row: all[0]!, reason })
      return
    }
    const middle = count >> 1
    await writePart(writer, statements, schema, batch, all.subarray(0, middle), tally)
    await writePart(writer, statements, schema, batch, all.subarray(middle), tally)
  }
}

async function joinPart(
  { session, fence }: Writer,
  statements: TableStatements,
  schema: TableSchema,
  batch: RowBatch,
  rows: Uint32Array | undefined,
): Promise<{ written: number; foreign: Foreign[] }> {
  await session.once(statements.createStaging)
  return await session.transaction(async () => {
    await fence(session)
    await session.copyIn(statements.copyStaging, encodeRows(batch, rows))
    const written = (await session.query(statements.join)).rowCount ?? 0
    // An equal stamp hides in a row that was written only where the row brought something else as well.
    const look = written < (rows?.length ?? batch.rows) || hasMixedRows(batch)
    return { written, foreign: look ? await findForeign(session, statements, schema, batch) : [] }
  })
}

async function findForeign(
  session: Session,
  statements: TableStatements,
  schema: TableSchema,
  batch: RowBatch,
): Promise<Foreign[]> {
  const found: Foreign[] = []
  for (const texts of (await session.query(statements.foreign)).rows) {
    const row = Number(texts[0])
    schema.values.forEach(({ type }, column) => {
      if (texts[1 + 2 * column] !== 'true') return
      const stored = texts[2 + 2 * column] ?? null
      // One value may have several spellings in the database: JSON that was written by hand.
      const canonical = stored === null ? null : canonicalText(type, stored)
      if (canonical !== textAt(batch.values[column]!, row)) found.push({ row, column })
    })
  }
  return found
}

/** The rows that the database can't hold, by number, with the first reason of each. */
function misfits(schema: TableSchema, capabilities: Capabilities, batch: RowBatch): Map<number, string> {
  const found = new Map<number, string>()
  const look = (columns: readonly Column[], texts: readonly TextColumn[]): void => {
    columns.forEach(({ name, type }, c) => {
      const column = texts[c]!
      if (!suspicious(type.name, capabilities, column)) return
      for (let row = 0; row < batch.rows; row++) {
        const text = textAt(column, row)
        const reason = text === null ? undefined : misfit(capabilities, type, text)
        if (reason !== undefined && !found.has(row)) found.set(row, `${name}: ${reason}`)
      }
    })
  }
  look(schema.key, batch.keys)
  look(schema.values, batch.values)
  for (const row of longKeys(schema, capabilities, batch)) {
    if (!found.has(row)) found.set(row, `its key is longer than ${String(capabilities.keyBytes)} bytes`)
  }
  return found
}

/** Rows whose canonical key is too long. */
function* longKeys(schema: TableSchema, capabilities: Capabilities, batch: RowBatch): Generator<number> {
  // Canonical key bytes of a column are never more than this beyond its text: most batches are done here.
  const most = batch.keys.reduce((sum, column) => sum + longest(column) + KEY_OVERHEAD, 0)
  if (most <= capabilities.keyBytes) return
  for (let row = 0; row < batch.rows; row++) {
    if (keyBytes(schema, keyAt(batch, row)).length > capabilities.keyBytes) yield row
  }
}

function longest(column: TextColumn): number {
  const { ends } = column
  let most = 0
  let start = 0
  for (let i = 0; i < ends.length; i++) {
    const end = ends[i]!
    if (end - start > most) most = end - start
    start = end
  }
  return most
}

/** Whether a column may hold a misfit at all: what most columns answer without decoding a text. */
function suspicious(type: Column['type']['name'], capabilities: Capabilities, column: TextColumn): boolean {
  if (type === 'json' && !(capabilities.nulInJson && capabilities.nulInJsonNames)) return true
  if (type === 'decimal' && capabilities.decimalDigits < 38) return true
  if (type === 'float64' && !(capabilities.nonFinite && capabilities.negativeZero)) return true
  if (type === 'timestamp' || (type === 'date' && (capabilities.minYear > 1 || capabilities.maxYear < 9999)))
    return true
  if (type === 'string' && !capabilities.nulInText && holdsZero(column.bytes)) return true
  return longest(column) > capabilities.valueBytes
}

function holdsZero(bytes: Uint8Array): boolean {
  // Several times as fast as `includes` of a Uint8Array.
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(0)
}

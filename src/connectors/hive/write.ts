import { joinStamped, rowAt, type RowBatch, type StampedRow, type TextColumn } from '../../core/batch.ts'
import type { TableSchema } from '../../core/table.ts'
import type { WriteResult } from '../connector.ts'
import { hiveFault } from './client/faults.ts'
import { misfits } from './misfits.ts'
import { emptyBatch, packedSource, parts, readKeys } from './read.ts'
import type { Session } from './session.ts'
import type { Staging } from './staging.ts'
import { foreignStatement, mergeStatement, type Source } from './statements.ts'

/** Up to here a batch goes as literals, and its rows are read first: mostly that spares a job, or half of one. */
const SMALL_ROWS = 1_000
const SMALL_BYTES = 256 * 1024
/** Rows of one statement where all go as literals. */
const LITERAL_ROWS = 20_000
const LITERAL_BYTES = 2 * 1024 * 1024

type Foreign = WriteResult['foreign'][number]

interface Tally {
  written: number
  stale: number
  merges: number
  readonly rejected: { row: number; reason: string }[]
  readonly foreign: Foreign[]
}

/** Keys of a batch that are looked up to see whether its rows are new. */
const PROBED = 50

/** What a write needs. */
export interface Writer {
  readonly session: Session
  /** Another session, for looks meanwhile. */
  readonly reader: Session
  readonly staging: Staging
  /** Names of the tables of which large batches turned out to bring rows that are there already. */
  readonly changing: Set<string>
  /** Names of the tables that this session made and hasn't written to. */
  readonly empty: ReadonlySet<string>
}

/** Joins a batch into its table; `ReplicaStore.writeRows` says what that means. `merges`: transactions it took. */
export async function writeBatch(
  writer: Writer,
  table: TableSchema,
  batch: RowBatch,
): Promise<{ result: WriteResult; merges: number }> {
  const unfit = misfits(table, batch)
  const tally: Tally = {
    written: 0,
    stale: 0,
    merges: 0,
    rejected: [...unfit].map(([row, reason]) => ({ row, reason })),
    foreign: [],
  }
  const rows = Array.from({ length: batch.rows }, (_, row) => row).filter((row) => !unfit.has(row))
  if (rows.length > 0) await writeRows(writer, table, batch, rows, tally)
  const { written, stale, rejected, foreign, merges } = tally
  rejected.sort((a, b) => a.row - b.row)
  foreign.sort((a, b) => a.row - b.row || a.column - b.column)
  return { result: { written, stale, rejected, foreign }, merges }
}

const columnsOf = (batch: RowBatch): TextColumn[] => [...batch.keys, ...batch.values, ...batch.stamps, batch.deleted]

async function writeRows(
  writer: Writer,
  table: TableSchema,
  batch: RowBatch,
  rows: readonly number[],
  tally: Tally,
): Promise<void> {
  const columns = columnsOf(batch)
  const [small] = parts(columns, rows, SMALL_ROWS, SMALL_BYTES)
  if (small!.rows.length === rows.length && small!.bytes <= SMALL_BYTES) {
    await refusing(writer, table, batch, rows, tally, writeSmall)
  } else if (writer.staging.way === 'literals') {
    for (const part of parts(columns, rows, LITERAL_ROWS, LITERAL_BYTES)) {
      await refusing(writer, table, batch, part.rows, tally, writeLiterals)
    }
  } else {
    await refusing(writer, table, batch, rows, tally, writeStaged)
  }
}

type Way = (
  writer: Writer,
  table: TableSchema,
  batch: RowBatch,
  rows: readonly number[],
) => Promise<{ written: number; merges: number; foreign: readonly Foreign[] }>

/** One statement; where the server refuses some row, the two halves of it, down to that row. */
async function refusing(
  writer: Writer,
  table: TableSchema,
  batch: RowBatch,
  rows: readonly number[],
  tally: Tally,
  way: Way,
): Promise<void> {
  try {
    const { written, merges, foreign } = await way(writer, table, batch, rows)
    tally.written += written
    tally.merges += merges
    tally.stale += rows.length - written
    tally.foreign.push(...foreign)
  } catch (error) {
    const reason = refusedRow(error)
    if (reason === undefined) throw error
    if (rows.length === 1) {
      tally.rejected.push({ row: rows[0]!, reason })
      return
    }
    const middle = rows.length >> 1
    await refusing(writer, table, batch, rows.slice(0, middle), tally, way)
    await refusing(writer, table, batch, rows.slice(middle), tally, way)
  }
}

/** Whether the server refused the data of some row, so that the other rows may go on without it. */
function refusedRow(error: unknown): string | undefined {
  const fault = hiveFault(error)
  if (fault === undefined) return undefined
  const refused = /DataConstraintViolation|constraint.{0,40}violat|NumberFormatException|value too long/i.test(
    fault.text,
  )
  return refused ? 'Hive refuses it: it breaks a constraint of the table' : undefined
}

async function writeSmall(
  { session, empty }: Writer,
  table: TableSchema,
  batch: RowBatch,
  rows: readonly number[],
): ReturnType<Way> {
  const stored = new Map<string, StampedRow>()
  const found = empty.has(table.name) ? emptyBatch(table) : await readKeys(session, table, batch, rows)
  for (let i = 0; i < found.rows; i++) {
    const row = rowAt(found, i)
    stored.set(JSON.stringify(row.key), row)
  }
  const foreign: Foreign[] = []
  const fresh: number[] = []
  const changed: number[] = []
  for (const row of rows) {
    const incoming = rowAt(batch, row)
    const mine = stored.get(JSON.stringify(incoming.key))
    if (mine === undefined) {
      fresh.push(row)
      continue
    }
    incoming.cells.forEach((cell, column) => {
      const held = mine.cells[column] ?? null
      if (cell !== null && held !== null && cell.stamp === held.stamp && cell.value !== held.value) {
        foreign.push({ row, column })
      }
    })
    if (JSON.stringify(joinStamped(mine, incoming)) !== JSON.stringify(mine)) changed.push(row)
  }
  // What would change nothing then changes nothing later either: stamps only rise.
  const sent = [...fresh, ...changed]
  if (sent.length === 0) return { written: 0, merges: 0, foreign }
  const source = packedSource(columnsOf(batch), sent)
  const insertOnly = changed.length === 0
  const written = await session.execute(mergeStatement(table, source, insertOnly ? 'insert' : 'all'))
  if (!insertOnly || written === undefined || written === sent.length) {
    return { written: written ?? sent.length, merges: 1, foreign }
  }
  // Some of them were written by another meanwhile, a retry of our own for instance.
  const joined = await join(session, table, batch, sent, source, written)
  return { ...joined, merges: 2, foreign: [...foreign, ...joined.foreign] }
}

async function writeLiterals(
  { session }: Writer,
  table: TableSchema,
  batch: RowBatch,
  rows: readonly number[],
): ReturnType<Way> {
  return await join(session, table, batch, rows, packedSource(columnsOf(batch), rows))
}

/**
 * Rows that are believed to be new go by a MERGE that only inserts, which takes about half the time; where some of them
 * were there, the whole join follows.
 */
async function writeStaged(
  writer: Writer,
  table: TableSchema,
  batch: RowBatch,
  rows: readonly number[],
): ReturnType<Way> {
  const { session, staging, changing } = writer
  const looking = areNew(writer, table, batch, rows)
  // It is awaited when the rows are there.
  looking.catch(() => undefined)
  const source = await staging.load(session, table, batch, rows)
  if (!(await looking)) return await join(session, table, batch, rows, source)
  const inserted = (await session.execute(mergeStatement(table, source, 'insert'))) ?? 0
  if (inserted === rows.length) return { written: inserted, merges: 1, foreign: [] }
  changing.add(table.name)
  const joined = await join(session, table, batch, rows, source, inserted)
  return { ...joined, merges: joined.merges + 1 }
}

/** Whether none of a few rows here and there is known; asked no more once one of a table was. */
async function areNew(
  { reader, changing, empty }: Writer,
  table: TableSchema,
  batch: RowBatch,
  rows: readonly number[],
): Promise<boolean> {
  if (empty.has(table.name)) return true
  if (changing.has(table.name)) return false
  const step = Math.ceil(rows.length / PROBED)
  const probed = rows.filter((_, i) => i % step === 0)
  const found = await reader.take((taken) => readKeys(taken, table, batch, probed))
  if (found.rows > 0) changing.add(table.name)
  return found.rows === 0
}

/** @param inserted rows of the source that were written before */
async function join(
  session: Session,
  table: TableSchema,
  batch: RowBatch,
  rows: readonly number[],
  source: Source,
  inserted = 0,
): ReturnType<Way> {
  const written = inserted + ((await session.execute(mergeStatement(table, source))) ?? 0)
  // After the MERGE as before it: it changes no register whose stamp is the incoming one's.
  const foreign = written < rows.length || hasMixedRows(batch) ? await findForeign(session, table, source) : []
  return { written, merges: 1, foreign }
}

/** Whether some row brings stamps that differ: an equal one can hide in a row that is written. */
function hasMixedRows(batch: RowBatch): boolean {
  const [first, ...others] = batch.stamps
  if (batch.deleted.nulls === undefined || batch.deleted.nulls.includes(0)) return batch.rows > 0
  for (const other of others) {
    for (let row = 0; row < batch.rows; row++) if (!sameText(first!, other, row)) return true
  }
  return false
}

function sameText(a: TextColumn, b: TextColumn, row: number): boolean {
  const none = a.nulls?.[row] === 1
  if (none || b.nulls?.[row] === 1) return none === (b.nulls?.[row] === 1)
  const start = row === 0 ? 0 : a.ends[row - 1]!
  const other = row === 0 ? 0 : b.ends[row - 1]!
  const length = a.ends[row]! - start
  if (b.ends[row]! - other !== length) return false
  for (let i = 0; i < length; i++) if (a.bytes[start + i] !== b.bytes[other + i]) return false
  return true
}

async function findForeign(session: Session, table: TableSchema, source: Source): Promise<Foreign[]> {
  const found: Foreign[] = []
  for (const [row, ...flags] of await session.rows(foreignStatement(table, source))) {
    flags.forEach((flag, column) => {
      if (flag === 1) found.push({ row: Number(row), column })
    })
  }
  return found
}

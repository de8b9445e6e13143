import type { Document } from 'mongodb'
import { textAt, type RowBatch, type StampedRow } from '../../core/batch.ts'
import type { IncomingRow } from './encode.ts'
import { faultOfCode, refusedRow, serverCode } from './faults.ts'
import type { Session } from './session.ts'
import type { Table } from './table.ts'

const DUPLICATE = 11000

/** What the parts of a batch found out. */
export interface Tally {
  written: number
  stale: number
  readonly rejected: { row: number; reason: string }[]
  readonly foreign: { row: number; column: number }[]
}

export interface Writing {
  readonly session: Session
  readonly table: Table
  readonly batch: RowBatch
  readonly tally: Tally
  /** Throws where the next command may not be sent any more. */
  readonly check: () => Promise<void>
}

/** Columns in which a stored row has another value under the stamp that comes (I15). */
export function foreignOf(batch: RowBatch, row: IncomingRow, stored: StampedRow): { row: number; column: number }[] {
  return row.registers
    .filter(({ column, stamp }) => {
      const cell = stored.cells[column]
      return cell?.stamp === stamp && cell.value !== textAt(batch.values[column]!, row.row)
    })
    .map(({ column }) => ({ row: row.row, column }))
}

interface Answer {
  /** Documents that an update changed; that it created. */
  changed: number
  upserted: number
  rejected: number
  readonly duplicates: IncomingRow[]
}

interface WriteError {
  readonly index: number
  readonly code: number
}

/**
 * One bulk write. Rows that the server refuses are tallied as rejected; where it refuses the whole command for the sake
 * of one, the command is halved, down to that row.
 */
export async function send(
  writing: Writing,
  rows: readonly IncomingRow[],
  command: (rows: readonly IncomingRow[]) => Document,
): Promise<Answer> {
  const { session, tally } = writing
  const answer: Answer = { changed: 0, upserted: 0, rejected: 0, duplicates: [] }
  let result: Document
  try {
    result = await session.run(command(rows))
  } catch (error) {
    const code = serverCode(error)
    const reason = refusedRow(code)
    if (reason === undefined) throw error
    if (rows.length === 1) {
      tally.rejected.push({ row: rows[0]!.row, reason })
      return { ...answer, rejected: 1 }
    }
    const middle = rows.length >> 1
    return add(await send(writing, rows.slice(0, middle), command), await send(writing, rows.slice(middle), command))
  }
  const concern = result['writeConcernError'] as { code: number } | undefined
  if (concern !== undefined) throw faultOfCode(concern.code, session.replica)
  answer.changed = Number(result['nModified'] ?? 0)
  answer.upserted = ((result['upserted'] ?? []) as unknown[]).length
  for (const { index, code } of (result['writeErrors'] ?? []) as WriteError[]) {
    const row = rows[index]!
    const reason = refusedRow(code)
    if (code === DUPLICATE) answer.duplicates.push(row)
    else if (reason === undefined) throw faultOfCode(code, session.replica)
    else {
      tally.rejected.push({ row: row.row, reason })
      answer.rejected++
    }
  }
  return answer
}

function add(a: Answer, b: Answer): Answer {
  return {
    changed: a.changed + b.changed,
    upserted: a.upserted + b.upserted,
    rejected: a.rejected + b.rejected,
    duplicates: [...a.duplicates, ...b.duplicates],
  }
}

import type { StampedRow } from './batch.ts'
import { MerganserError } from './errors.ts'
import { normalRow, sameStamp, type Row } from './row.ts'
import { parseStamp, stampText, type Stamp } from './stamp.ts'

/** The row, in normal form, that a batch's row stands for. Throws SCHEMA_MISMATCH where a stamp is unreadable. */
export function rowOfStamped(stamped: Omit<StampedRow, 'key'>): Row {
  return normalRow(
    stamped.cells.map((cell) => (cell === null ? undefined : { value: cell.value, stamp: stampOfText(cell.stamp) })),
    stamped.deleted === null ? undefined : stampOfText(stamped.deleted),
  )
}

/** A row as a batch holds it. */
export function stampedOfRow(key: readonly string[], { registers, tombstone }: Row): StampedRow {
  return {
    key,
    cells: registers.map((register) =>
      register === undefined ? null : { value: register.value, stamp: stampText(register.stamp) },
    ),
    deleted: tombstone === undefined ? null : stampText(tombstone),
  }
}

/**
 * What a database's row adds to a cached one: where both have a register under one stamp but other values (I15), the
 * cached one stands, and `foreign` is called with the column.
 */
export function withoutForeign(cached: Row | undefined, found: Row, foreign: (column: number) => void): Row {
  if (cached === undefined) return found
  const registers = found.registers.map((register, column) => {
    const mine = cached.registers[column]
    if (register === undefined || mine === undefined || !sameStamp(mine.stamp, register.stamp)) return register
    if (mine.value !== register.value) foreign(column)
    return mine
  })
  return { registers, tombstone: found.tombstone }
}

/** A stamp of a database's row. Throws SCHEMA_MISMATCH where it is unreadable. */
export function stampOfText(text: string): Stamp {
  const stamp = parseStamp(text)
  if (stamp !== undefined) return stamp
  throw new MerganserError('SCHEMA_MISMATCH', `a stamp in the database is unreadable: ${text.slice(0, 60)}`, {
    advice: 'stamps are written by Merganser only; restore the column from its oplog',
  })
}

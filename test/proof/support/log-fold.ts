import type { StampedRow } from '../../../src/core/batch.ts'

/** A record of an oplog, of the plain spellings that these proofs cause. */
export interface LogRecord {
  readonly stamp: string
  readonly op: 'SET' | 'DELETE' | 'GET'
  readonly key: string
  readonly cells: Readonly<Record<string, string | null>>
}

const LINE = /^(\S+ [0-9:.]+Z)(@\w+)?, (\w+)\.(SET|DELETE|GET)\((.*)$/
const CELL = /(\w+): (?:(\\N)|(\w+))/g

/** Reads the records of a replica's log whose table is `t (k)` with keys and values of letters and digits. */
export function recordsOf(lines: readonly string[]): LogRecord[] {
  return lines.map((line) => {
    const [, time, origin, replica, op, rest] = LINE.exec(line) ?? []
    const key = /^\(?(?:t, )?\(*(\w+)/.exec(rest ?? '')?.[1]
    if (time === undefined || key === undefined) throw new Error(`a line of the log is of another form: ${line}`)
    const cells: Record<string, string | null> = {}
    for (const [, name, none, value] of op === 'SET' ? rest!.matchAll(CELL) : []) {
      cells[name!] = none === undefined ? value! : null
    }
    return { stamp: `${time}${origin ?? `@${replica!}`}`, op: op as LogRecord['op'], key, cells }
  })
}

/** The rows that the greatest stamps of a log make, by key, in normal form: what its database should hold. */
export function foldLog(records: readonly LogRecord[], columns: readonly string[]): Map<string, StampedRow> {
  const cells = new Map<string, Map<string, { value: string | null; stamp: string }>>()
  const deleted = new Map<string, string>()
  for (const { stamp, op, key, cells: set } of records) {
    if (op === 'GET') continue
    if (op === 'DELETE' && stamp > (deleted.get(key) ?? '')) deleted.set(key, stamp)
    const row = cells.get(key) ?? new Map<string, { value: string | null; stamp: string }>()
    cells.set(key, row)
    for (const [column, value] of Object.entries(set)) {
      if (stamp > (row.get(column)?.stamp ?? '')) row.set(column, { value, stamp })
    }
  }
  return new Map(
    [...cells].map(([key, row]) => {
      const tombstone = deleted.get(key) ?? ''
      const alive = columns.map((column) => {
        const cell = row.get(column)
        return cell !== undefined && cell.stamp > tombstone ? cell : null
      })
      const covers = tombstone !== '' && alive.includes(null)
      return [key, { key: [key], cells: alive, deleted: covers ? tombstone : null }]
    }),
  )
}

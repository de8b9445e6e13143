import { joinStamped, type StampedRow } from '../core/batch.ts'
import { misfit, type Capabilities, type StoreMeta, type WriteResult } from '../connectors/connector.ts'
import { MerganserError } from '../core/errors.ts'
import { keyBytes, type TableSchema } from '../core/table.ts'

/** Who holds a database open for writing: a session of a process. */
export interface Holder {
  readonly name: string
  readonly session: string | undefined
  /** Whether its connection is known to be gone: the lock is free then. */
  gone: boolean
  /** What it found when it took the lock; undefined until then. */
  found: { readonly meta: StoreMeta | undefined } | undefined
}

/** Told of each row that a database's own statement changed. */
export type RowWatch = (table: string, before: StampedRow | undefined, after: StampedRow) => void

interface Stored {
  readonly row: StampedRow
  /** Sorts as the key does. */
  readonly order: Buffer
}

/**
 * A database server of the simulated world. It outlives every process of ours; what it has confirmed is durable. Its join
 * is the one that every connector is held to by the conformance kit.
 */
export class SimulatedDatabase {
  readonly name: string
  readonly capabilities: Capabilities
  readonly #tables = new Map<string, Map<string, Stored>>()
  readonly #watch: RowWatch
  meta: StoreMeta | undefined
  holder: Holder | undefined

  constructor(name: string, capabilities: Capabilities, watch: RowWatch) {
    this.name = name
    this.capabilities = capabilities
    this.#watch = watch
  }

  create(table: TableSchema): void {
    if (!this.#tables.has(table.name)) this.#tables.set(table.name, new Map())
  }

  get(table: string, key: readonly string[]): StampedRow | undefined {
    return this.#tables.get(table)?.get(idOf(key))?.row
  }

  /** Rows in key order. */
  rows(table: string): StampedRow[] {
    const stored = [...(this.#tables.get(table)?.values() ?? [])]
    return stored.sort((a, b) => Buffer.compare(a.order, b.order)).map(({ row }) => row)
  }

  /** Puts a row in place as somebody else's statement would, past every guard. */
  put(table: TableSchema, row: StampedRow): void {
    this.create(table)
    this.#tables.get(table.name)!.set(idOf(row.key), { row, order: Buffer.from(keyBytes(table, row.key)) })
  }

  /** One statement: all of it or nothing. */
  write(table: TableSchema, rows: readonly StampedRow[]): WriteResult {
    if (!this.#tables.has(table.name)) throw new MerganserError('DATABASE_REFUSED', `there is no table ${table.name}`)
    const rejected: { row: number; reason: string }[] = []
    const foreign: { row: number; column: number }[] = []
    let written = 0
    for (const [number, incoming] of rows.entries()) {
      const reason = this.#misfit(table, incoming)
      if (reason !== undefined) {
        rejected.push({ row: number, reason })
        continue
      }
      const stored = this.get(table.name, incoming.key)
      for (const [column, cell] of incoming.cells.entries()) {
        const mine = stored?.cells[column]
        if (mine != null && mine.stamp === cell?.stamp && mine.value !== cell.value)
          foreign.push({ row: number, column })
      }
      const joined = joinStamped(stored, incoming)
      if (stored !== undefined && sameRow(stored, joined)) continue
      written++
      this.#watch(table.name, stored, joined)
      this.put(table, joined)
    }
    return { written, stale: rows.length - written - rejected.length, rejected, foreign }
  }

  #misfit(table: TableSchema, { key, cells }: StampedRow): string | undefined {
    for (const [column, { type }] of table.key.entries()) {
      const reason = misfit(this.capabilities, type, key[column]!)
      if (reason !== undefined) return reason
    }
    for (const [column, { type }] of table.values.entries()) {
      const value = cells[column]?.value
      const reason = value == null ? undefined : misfit(this.capabilities, type, value)
      if (reason !== undefined) return reason
    }
    return undefined
  }
}

/** Keys as the checkers have them, in one text, and back. */
export const idOf = (key: readonly string[]): string => key.join('\u0001')
export const keyOf = (id: string): string[] => id.split('\u0001')

export function sameRow(a: StampedRow, b: StampedRow): boolean {
  return (
    a.deleted === b.deleted &&
    a.cells.every((cell, c) => cell?.stamp === b.cells[c]?.stamp && cell?.value === b.cells[c]?.value)
  )
}

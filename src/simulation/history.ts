import type { StampedRow } from '../core/batch.ts'
import { idOf } from './database.ts'
import { EARLIEST } from './world.ts'
import type { LogRecord } from './logs.ts'
import type { Assignment, Operation } from './operations.ts'
import type { ExpectedRecord, Reference } from './reference.ts'
import type { PlainRow } from './rows.ts'

/** A record that the log of its replica must hold once its statement is acknowledged. */
interface Issued extends ExpectedRecord {
  readonly statement: number
}

/** What of the issued records a replica's log holds. */
export interface Matching {
  /** Acknowledged, and not there. */
  readonly missing: readonly ExpectedRecord[]
  /** The first record that isn't what was issued. */
  readonly other: { readonly record: LogRecord; readonly expected: ExpectedRecord | undefined } | undefined
  /** The stamps that statements gave to those that are there. */
  readonly stamps: readonly { readonly statement: number; readonly stamp: string }[]
  /** Records that aren't the replica's own: merges took them. */
  readonly taken: readonly LogRecord[]
}

/** A value that somebody changed in a database under its stamp. */
export interface ForeignValue {
  readonly replica: number
  readonly table: number
  readonly key: string
  readonly column: number
  readonly stamp: string
  readonly value: string
}

/** What was asked of the product, what it acknowledged and showed. The checkers read it. */
export class History {
  readonly #names: readonly string[]
  readonly #issued: Issued[][]
  readonly #values = new Set<string>()
  readonly #deleted = new Set<string>()
  /** By the register: the last one. */
  readonly #foreign = new Map<string, ForeignValue>()
  readonly #tainted = new Set<string>()
  #results: Issued[] = []
  /** Statements issued; those acknowledged. */
  statements = 0
  acknowledged = 0
  /** Results that were shown. */
  shown = 0
  /** Whether the last session acknowledged or showed something. */
  used = false
  #using = false

  constructor(names: readonly string[]) {
    this.#names = names
    this.#issued = names.map(() => [])
  }

  /** A statement is handed to the product. */
  issue(operation: Operation, reference: Reference): void {
    this.statements++
    for (const record of reference.execute(operation)) {
      const issued = { ...record, statement: this.statements }
      this.#issued[record.replica]!.push(issued)
      if (record.op === 'get') this.#results.push(issued)
      else this.#remember(record)
    }
  }

  /** Everything issued so far is durable, as the product says. */
  acknowledgeAll(): void {
    this.#using = true
    this.acknowledged = this.statements
  }

  /** The next result that the product must show. Having shown it, it has acknowledged everything before. */
  nextResult(): ExpectedRecord | undefined {
    const next = this.#results.shift()
    if (next === undefined) return undefined
    this.shown++
    this.#using = true
    this.acknowledged = Math.max(this.acknowledged, next.statement)
    return next
  }

  /** The oldest result that wasn't shown. */
  get awaited(): { readonly statement: number; readonly replica: number } | undefined {
    return this.#results[0]
  }

  get unshown(): number {
    return this.#results.length
  }

  /** The process has ended: what it hadn't shown it never will. Gives what each log holds of what was issued. */
  match(logs: readonly (readonly LogRecord[])[], from: readonly number[]): Matching[] {
    this.#results = []
    const origins = logs.map((_, replica) => `@${this.#names[replica]!}`)
    // Greater than all that were there when the session opened.
    let greatest = EARLIEST
    for (const [replica, records] of logs.entries()) {
      for (let i = 0; i < from[replica]!; i++) {
        const stamp = records[i]?.stamp ?? ''
        if (stamp > greatest) greatest = stamp
      }
    }
    const above = greatest.slice(0, 30)
    this.used = this.#using
    this.#using = false
    const matchings = this.#issued.map((issued, replica) =>
      this.#matchOne(
        issued,
        logs[replica]!.slice(from[replica]),
        (stamp) => stamp.endsWith(origins[replica]!) && stamp.slice(0, 30) > above,
      ),
    )
    for (const issued of this.#issued) issued.length = 0
    this.acknowledged = this.statements
    return matchings
  }

  /** Whether somebody wrote this. */
  wasWritten(table: number, key: string, column: number, value: string | null): boolean {
    return value === null || this.#values.has(valueId(table, key, column, value))
  }

  wasDeleted(table: number, key: string): boolean {
    return this.#deleted.has(`${String(table)} ${key}`)
  }

  /** Rows that databases held before. */
  found(table: number, row: StampedRow): void {
    for (const [column, cell] of row.cells.entries()) {
      if (cell?.value != null) this.#values.add(valueId(table, idOf(row.key), column, cell.value))
    }
    if (row.deleted !== null) this.#deleted.add(`${String(table)} ${idOf(row.key)}`)
  }

  changedByHand(foreign: ForeignValue): void {
    const { table, key, column, value } = foreign
    this.#foreign.set(`${String(foreign.replica)} ${String(table)} ${String(column)} ${key}`, foreign)
    this.#tainted.add(`${String(table)} ${key}`)
    this.#values.add(valueId(table, key, column, value))
  }

  get foreign(): ForeignValue[] {
    return [...this.#foreign.values()]
  }

  /** Whether what a row shows depends on who has met the foreign value. */
  isTainted(table: number, key: string): boolean {
    return this.#tainted.has(`${String(table)} ${key}`)
  }

  settled(): void {
    this.#tainted.clear()
  }

  #remember({ op, table, key, cells }: ExpectedRecord): void {
    if (op === 'delete') this.#deleted.add(`${String(table)} ${key}`)
    for (const { column, value } of cells) if (value !== null) this.#values.add(valueId(table, key, column, value))
  }

  /**
   * The log's own records must be the issued ones, in their order, up to where the process ended; those with a stamp of
   * their own stand somewhere among them.
   */
  #matchOne(issued: readonly Issued[], log: readonly LogRecord[], isOwn: (stamp: string) => boolean): Matching {
    const stamps: { statement: number; stamp: string }[] = []
    // What UNDO restores of a row that was changed by hand depends on who has met that.
    const known = ({ table, key }: { readonly table: number; readonly key: string }) => !this.isTainted(table, key)
    const given = issued.filter((record) => record.stamp === undefined && known(record))
    const replayed = issued.filter(({ stamp }) => stamp !== undefined)
    const own = log.filter((record) => isOwn(record.stamp) && known(record))
    const taken = log.filter(({ stamp }) => !isOwn(stamp))
    let other: Matching['other']
    let next = 0
    // The rows of one UNDO or ROLLBACK have no order of their own.
    const open: Issued[] = []
    for (const record of own) {
      if (open.length === 0) {
        while (next < given.length && (open.length === 0 || given[next]!.statement === open[0]!.statement)) {
          open.push(given[next++]!)
        }
      }
      const [expected] = open
      const same = open.findIndex((one) => this.#is(record, one))
      if (same < 0) {
        other = { record, expected }
        break
      }
      open.splice(same, 1)
      stamps.push({ statement: expected!.statement, stamp: record.stamp })
    }
    const there = new Set(taken.map(({ stamp, table, key }) => `${stamp} ${String(table)} ${key}`))
    const missing = [
      // Behind a record that is another one nothing can be told.
      ...(other === undefined ? [...open, ...given.slice(next)] : []),
      ...replayed.filter(({ stamp, table, key }) => !there.has(`${stamp!} ${String(table)} ${key}`)),
    ].filter(({ statement }) => statement <= this.acknowledged)
    return { missing, other, stamps, taken }
  }

  #is(record: LogRecord, expected: ExpectedRecord): boolean {
    if (record.op !== expected.op || record.table !== expected.table || record.key !== expected.key) return false
    return record.op === 'get' ? sameShown(record.shows, expected.shows) : sameCells(record.cells, expected.cells)
  }
}

function valueId(table: number, key: string, column: number, value: string): string {
  return `${String(table)} ${String(column)} ${key}\u0002${value}`
}

function sameCells(a: readonly Assignment[], b: readonly Assignment[]): boolean {
  return a.length === b.length && a.every(({ column, value }, i) => column === b[i]!.column && value === b[i]!.value)
}

export function sameShown(a: Operation['shows'], b: Operation['shows']): boolean {
  if (typeof a !== 'object' || typeof b !== 'object') return a === b
  return sameCells(a, b)
}

/** A database's row as the checkers keep rows. */
export function plainRow({ cells, deleted }: StampedRow): PlainRow {
  return { cells: cells.map((cell) => cell ?? undefined), deleted: deleted ?? '' }
}

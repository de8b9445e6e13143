/*
 * Rows as the checkers keep them: nothing of the product's own join or normal form is used here, so that a fault there
 * shows.
 */

export interface Cell {
  readonly value: string | null
  /** Sorts as stamps do. */
  readonly stamp: string
}

export interface PlainRow {
  /** One per value column. */
  readonly cells: readonly (Cell | undefined)[]
  /** The greatest tombstone's stamp; '' for none. */
  readonly deleted: string
}

/** Of one replica: by table and key. */
export class PlainRows {
  readonly #tables: Map<string, PlainRow>[]

  constructor(tables: number | readonly Map<string, PlainRow>[]) {
    this.#tables =
      typeof tables === 'number'
        ? Array.from({ length: tables }, () => new Map<string, PlainRow>())
        : tables.map((rows) => new Map(rows))
  }

  copy(): PlainRows {
    return new PlainRows(this.#tables)
  }

  get(table: number, key: string): PlainRow | undefined {
    return this.#tables[table]!.get(key)
  }

  /** Gives the row as it is then. */
  join(table: number, key: string, row: PlainRow): PlainRow {
    const before = this.get(table, key)
    const next = joined(before, row)
    if (next !== before) this.#tables[table]!.set(key, next)
    return next
  }

  joinAll(other: PlainRows): void {
    other.each((table, key, row) => this.join(table, key, row))
  }

  *[Symbol.iterator](): Generator<readonly [table: number, key: string, row: PlainRow]> {
    for (const [table, rows] of this.#tables.entries()) {
      for (const [key, row] of rows) yield [table, key, row]
    }
  }

  /** Calls `visit` for each row: what is done often, as a generator makes garbage. */
  each(visit: (table: number, key: string, row: PlainRow) => void): void {
    for (const [table, rows] of this.#tables.entries()) {
      rows.forEach((row, key) => {
        visit(table, key, row)
      })
    }
  }
}

/** What both hold; `a` itself where `b` has nothing newer. */
export function joined(a: PlainRow | undefined, b: PlainRow): PlainRow {
  if (a === undefined) return b
  if (a === b || !addsTo(a, b)) return a
  return {
    cells: b.cells.map((cell, column) => {
      const other = a.cells[column]
      if (cell === undefined || other === undefined) return cell ?? other
      return cell.stamp > other.stamp ? cell : other
    }),
    deleted: a.deleted > b.deleted ? a.deleted : b.deleted,
  }
}

function addsTo(a: PlainRow, b: PlainRow): boolean {
  if (b.deleted > a.deleted) return true
  for (let column = 0; column < b.cells.length; column++) {
    const cell = b.cells[column]
    if (cell === undefined) continue
    const other = a.cells[column]
    if (other === undefined || cell.stamp > other.stamp) return true
  }
  return false
}

/** The registers that no tombstone covers. */
export function shown(row: PlainRow | undefined, columns: number): (Cell | undefined)[] {
  if (row === undefined) return Array.from({ length: columns }, () => undefined)
  return row.cells.map((cell) => (cell !== undefined && cell.stamp > row.deleted ? cell : undefined))
}

/** Whether two rows are the same in normal form: registers and tombstone, with their stamps. */
export function sameNormal(a: PlainRow | undefined, b: PlainRow | undefined, columns: number): boolean {
  if (a === b) return true
  let outlived = true
  for (let column = 0; column < columns; column++) {
    const mine = shownCell(a, column)
    const other = shownCell(b, column)
    if (mine === undefined) outlived = false
    if (mine !== other && (mine?.stamp !== other?.stamp || mine?.value !== other?.value)) return false
  }
  return outlived || (a?.deleted ?? '') === (b?.deleted ?? '')
}

function shownCell(row: PlainRow | undefined, column: number): Cell | undefined {
  const cell = row?.cells[column]
  return cell !== undefined && cell.stamp > row!.deleted ? cell : undefined
}

/** Whether `a` holds everything of `b` or newer: joining `b` would change nothing that shows. */
export function covers(a: PlainRow | undefined, b: PlainRow): boolean {
  const both = joined(a, b)
  return both === a || sameNormal(a, both, b.cells.length)
}

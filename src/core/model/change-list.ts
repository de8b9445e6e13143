import type { Bounds } from '../state.ts'

/**
 * The rows of a replica by the record that changed them last: what a merge or a flush has to walk. A row that changes
 * again moves to the end, so the list follows the distinct rows, not the operations (I11).
 */
export class ChangeList {
  #records: number[] = []
  #rows: number[] = []
  /** Per row its latest record, 0 for none. */
  #latest: number[] = []
  /** Entries up to this record were forgotten. */
  #forgotten = 0
  #superseded = 0

  /** Notes that `row` was changed by `record`; records never fall. */
  add(row: number, record: number): void {
    const before = this.#latest[row]
    if (before === record) return
    if (before !== undefined && before > this.#forgotten) this.#superseded++
    while (this.#latest.length < row) this.#latest.push(0)
    this.#latest[row] = record
    this.#records.push(record)
    this.#rows.push(row)
    if (this.#superseded > 1024 && this.#superseded * 2 > this.#rows.length) this.#compact()
  }

  /** Calls `visit` with each row changed after `position` and its latest record, in their order, until it says stop. */
  walk(position: number, visit: (row: number, record: number) => boolean): void {
    for (let i = this.#after(position); i < this.#rows.length; i++) {
      const row = this.#rows[i]!
      const record = this.#records[i]!
      if (this.#latest[row] === record && !visit(row, record)) return
    }
  }

  /**
   * As `walk`, about as far as the bounds, but at least a row; `visit` gives its bytes. Rows that were read back at one
   * record are not parted: whoever went on after it would miss the rest.
   */
  walkBounded(position: number, bounds: Bounds, visit: (row: number) => number): { reached: number; done: boolean } {
    let reached = position
    let rows = 0
    let bytes = 0
    let done = true
    this.walk(position, (row, record) => {
      if (rows > 0 && record > reached && (rows >= bounds.rows || bytes >= bounds.bytes)) {
        done = false
        return false
      }
      rows++
      bytes += visit(row)
      reached = record
      return true
    })
    return { reached, done }
  }

  /** Drops what was changed up to `record`. */
  forget(record: number): void {
    if (record <= this.#forgotten) return
    this.#forgotten = record
    const from = this.#after(record)
    if (from * 2 < this.#rows.length) return
    this.#compact()
  }

  /** The index of the first entry after a position. */
  #after(position: number): number {
    let low = 0
    let high = this.#records.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#records[middle]! <= position) low = middle + 1
      else high = middle
    }
    return low
  }

  #compact(): void {
    const records: number[] = []
    const rows: number[] = []
    for (let i = this.#after(this.#forgotten); i < this.#rows.length; i++) {
      const row = this.#rows[i]!
      if (this.#latest[row] !== this.#records[i]) continue
      records.push(this.#records[i]!)
      rows.push(row)
    }
    this.#records = records
    this.#rows = rows
    this.#superseded = 0
  }
}

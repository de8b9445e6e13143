import { keyAt, type RowBatch } from '../core/batch.ts'
import { compareCanonical } from '../core/order.ts'
import type { TableSchema } from '../core/table.ts'
import type { KeyRange } from '../connectors/connector.ts'
import type { Side } from './difference.ts'

/** Negative, zero or positive as key `a` comes before, is, or comes behind key `b`. */
export function compareKeys(table: TableSchema, a: readonly string[], b: readonly string[]): number {
  for (const [c, { type }] of table.key.entries()) {
    const order = compareCanonical(type, a[c]!, b[c]!)
    if (order !== 0) return order
  }
  return 0
}

/** The rows of a range of one side, in key order, with a place in them; the next batch is read meanwhile. */
export class RowStream {
  readonly replica: string
  readonly #table: TableSchema
  readonly #upTo: readonly string[] | undefined
  readonly #batches: AsyncIterator<RowBatch>
  #next: Promise<IteratorResult<RowBatch>> | undefined
  /** The batch that is being compared; undefined at the end. */
  batch: RowBatch | undefined
  /** The row that is next, and the number of rows in the batch that belong to the range. */
  row = 0
  rows = 0

  constructor({ name, store }: Side, table: TableSchema, { after, upTo }: KeyRange) {
    this.replica = name
    this.#table = table
    this.#upTo = upTo
    this.#batches = store.scanRows(table, after, upTo)[Symbol.asyncIterator]()
    this.#ask()
  }

  /** Sees to it that there is a row at `row`. */
  async fill(): Promise<void> {
    while (this.row >= this.rows) {
      if (this.#next === undefined) {
        this.batch = undefined
        return
      }
      const next = await this.#next
      this.batch?.release?.()
      this.batch = undefined
      this.#next = undefined
      this.row = this.rows = 0
      if (next.done === true) return
      const batch = next.value
      this.batch = batch
      this.rows = this.#inRange(batch)
      if (this.rows === batch.rows) this.#ask()
    }
  }

  /** Gives up what wasn't read. */
  async stop(): Promise<void> {
    await this.#next?.catch(() => undefined)
    await this.#batches.return?.()
  }

  #ask(): void {
    this.#next = this.#batches.next()
    // Who waits for it hears of it; until then it isn't unhandled.
    this.#next.catch(() => undefined)
  }

  /** Rows of a batch up to the end of the range. */
  #inRange(batch: RowBatch): number {
    const upTo = this.#upTo
    const within = (row: number) => upTo === undefined || compareKeys(this.#table, keyAt(batch, row), upTo) <= 0
    if (batch.rows === 0 || within(batch.rows - 1)) return batch.rows
    let least = 0
    let most = batch.rows - 1
    while (least < most) {
      const middle = (least + most) >> 1
      if (within(middle)) least = middle + 1
      else most = middle
    }
    return least
  }
}

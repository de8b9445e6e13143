import { RowColumns } from './row-columns.ts'
import { MerganserError } from '../../core/errors.ts'
import type { RowBatch } from '../../core/batch.ts'
import type { TableSchema } from '../../core/table.ts'

const HEADER = 19

/** Reads the messages of a binary COPY of texts into row batches of about `bytes` bytes each. */
export class CopyDecoder {
  readonly #columns: RowColumns
  readonly #bytes: number
  #begun = false
  #ended = false

  constructor(schema: TableSchema, bytes: number) {
    this.#columns = new RowColumns(schema)
    this.#bytes = bytes
  }

  /** Takes a message in, which holds whole rows; gives a batch where there is enough for one. */
  readonly take = (data: Buffer, start: number, end: number): RowBatch | undefined => {
    let at = start
    if (!this.#begun) {
      at += HEADER
      this.#begun = true
    }
    while (at + 2 <= end) {
      // The trailer: -1 fields.
      if (data[at] === 0xff) {
        this.#ended = true
        break
      }
      at = this.#columns.pushBinary(data, at + 2)
    }
    return this.#columns.bytes >= this.#bytes ? this.#columns.take() : undefined
  }

  /** The last batch; undefined where nothing is left. Throws CONNECTION_LOST where the trailer hasn't come. */
  end(): RowBatch | undefined {
    if (!this.#ended) throw new MerganserError('CONNECTION_LOST', 'the answer to a scan ended early')
    return this.#columns.rows > 0 ? this.#columns.take() : undefined
  }
}

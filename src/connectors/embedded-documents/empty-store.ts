import { batchOf, type RowBatch } from '../../core/batch.ts'
import { MerganserError } from '../../core/errors.ts'
import type { TableSchema } from '../../core/table.ts'
import type { ReplicaStore } from '../connector.ts'

/** A database that isn't there, open for reading: it has no rows. */
export class EmptyStore implements ReplicaStore {
  readonly meta = undefined
  readonly #replica: string
  #closed = false

  constructor(replica: string) {
    this.#replica = replica
  }

  greatestStamp(): Promise<string> {
    return this.#answer('')
  }

  readRows(table: TableSchema): Promise<RowBatch> {
    return this.#answer(batchOf(table, []))
  }

  async *scanRows(): AsyncIterable<RowBatch> {
    yield* await this.#answer([])
  }

  ensureTable(): Promise<never> {
    return this.#refuse()
  }

  writeRows(): Promise<never> {
    return this.#refuse()
  }

  writeMeta(): Promise<never> {
    return this.#refuse()
  }

  close(): Promise<void> {
    this.#closed = true
    return Promise.resolve()
  }

  #answer<T>(value: T): Promise<T> {
    return this.#closed ? this.#fail('STORE_CLOSED', 'are closed') : Promise.resolve(value)
  }

  #refuse(): Promise<never> {
    return this.#closed ? this.#fail('STORE_CLOSED', 'are closed') : this.#fail('BUG', 'are open for reading only')
  }

  #fail(code: 'STORE_CLOSED' | 'BUG', what: string): Promise<never> {
    const replica = this.#replica
    return Promise.reject(new MerganserError(code, `the documents of ${replica} ${what}`, { place: { replica } }))
  }
}

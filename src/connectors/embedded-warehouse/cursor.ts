import type { DuckDBConnection, DuckDBResult } from '@duckdb/node-api'
import type { RowBatch } from '../../core/batch.ts'
import { MerganserError } from '../../core/errors.ts'
import type { TableSchema } from '../../core/table.ts'
import type { KeyRange } from '../connector.ts'
import { rangeValues } from './digest.ts'
import { RowGatherer } from './reading.ts'
import { countStatement, rangeCondition, scanStatement } from './statements.ts'

/** A batch of a scan ends at whichever comes first. */
const BATCH_ROWS = 8192
const BATCH_BYTES = 4 * 1024 * 1024

/**
 * A scan in key order: DuckDB sorts (and spills what doesn't fit its memory) and hands the rows out as they are asked
 * for. It reads one snapshot, on a connection of its own.
 */
export class ScanCursor {
  readonly #connection: DuckDBConnection
  readonly #table: TableSchema
  readonly #gatherer: RowGatherer
  #result: DuckDBResult | undefined
  #chunk: Awaited<ReturnType<DuckDBResult['fetchChunk']>> = null
  #chunkRow = 0
  #missing = 0
  #disposed = false

  constructor(connection: DuckDBConnection, table: TableSchema) {
    this.#connection = connection
    this.#table = table
    this.#gatherer = new RowGatherer(table)
  }

  async start(range: KeyRange): Promise<void> {
    const table = this.#table
    const from = rangeCondition(table, range)
    const values = await rangeValues(table, range)
    await this.#connection.run('BEGIN TRANSACTION')
    const counted = await this.#connection.runAndReadAll(countStatement(table, from), values)
    this.#missing = Number(counted.getRows()[0]![0])
    this.#result = await this.#connection.stream(scanStatement(table, from), values)
  }

  /** The next rows, at least one; undefined at the end. */
  async next(): Promise<RowBatch | undefined> {
    const gatherer = this.#gatherer
    while (gatherer.rows < BATCH_ROWS && gatherer.bytes < BATCH_BYTES) {
      if (this.#chunk === null || this.#chunkRow === this.#chunk.rowCount) {
        this.#chunk = await this.#result!.fetchChunk()
        this.#chunkRow = 0
        if (this.#chunk === null || this.#chunk.rowCount === 0) break
        this.#missing -= this.#chunk.rowCount
      }
      this.#chunkRow = gatherer.add(this.#chunk, this.#chunkRow, BATCH_BYTES)
    }
    if (gatherer.rows > 0) return gatherer.take()
    // A stream that fails on its way looks like one at its end: only the number of its rows tells.
    if (this.#missing !== 0) {
      throw new MerganserError('DATABASE_REFUSED', `a scan of ${this.#table.name} ended before its last row`, {
        place: { table: this.#table.name },
        advice: "raise the replica's option memory, and see that its disk isn't full",
      })
    }
    return undefined
  }

  interrupt(): void {
    this.#connection.interrupt()
  }

  /** Gives up what is left. Only reading a stream to its end frees it, and an interrupt brings the end near. */
  async dispose(): Promise<void> {
    if (this.#disposed) return
    this.#disposed = true
    try {
      this.#connection.interrupt()
      for (let chunk = this.#chunk; chunk === null || chunk.rowCount > 0;) {
        chunk = (await this.#result?.fetchChunk()) ?? null
        if (chunk === null) break
      }
    } catch {
      // An interrupted stream may say so.
    }
    this.#connection.disconnectSync()
  }
}

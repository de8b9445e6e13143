/** A statement's limits. */
export interface StatementOptions {
  /**
   * Ends the statement: it is cancelled, or, where the server can't be asked now, the connection is cut. The call then
   * fails with the signal's reason.
   */
  readonly signal?: AbortSignal
  /** What the server says about a long statement, some times a second at the most. */
  readonly progress?: (message: string) => void
  /** So many milliseconds after it was compiled nothing of the statement has begun: it waits for locks, or for room. */
  readonly idle?: (milliseconds: number) => void
}

/** Where the texts of a column lie, in UTF-8: row `i` from `places[2 * i]` to `places[2 * i + 1]`. */
export interface HiveTexts {
  readonly bytes: Buffer
  readonly places: Uint32Array
}

/** One column of a block of results: a value per row, null where `nulls` says so. Long integers are exact. */
export interface HiveColumn {
  /** 1 where the row's value is null. */
  readonly nulls: Uint8Array
  /** Of a column of texts: its bytes, so that nobody need make strings of them. `values` has them as strings. */
  readonly texts?: HiveTexts
  readonly values: readonly string[] | readonly bigint[] | readonly number[] | readonly boolean[] | readonly Buffer[]
}

/** Some rows of a result, column by column. */
export interface HiveBlock {
  readonly rows: number
  readonly columns: readonly HiveColumn[]
}

/**
 * One session of a HiveServer2 on a connection of its own. Statements run one after the other. Errors are
 * MerganserErrors; after one of the connection it is lost, and stays so. Every wait has a time limit.
 */
export interface HiveConnection {
  readonly lost: boolean
  /** As the server says it: `4.0.1`. */
  readonly version: string
  /** Runs a statement without rows; gives how many rows it changed where the server says it. */
  execute(statement: string, options?: StatementOptions): Promise<{ readonly modifiedRows: bigint | undefined }>
  /** Runs a query; its rows in blocks as they are fetched. Ending the iteration early closes the operation. */
  query(statement: string, options?: StatementOptions & { readonly fetchRows?: number }): AsyncIterable<HiveBlock>
  /** Ends session and connection in order. Idempotent. */
  close(): Promise<void>
  /** Cuts the connection: what runs on it fails. */
  destroy(): void
}

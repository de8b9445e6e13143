import type { MerganserError } from '../core/errors.ts'

/** What a session tells while it runs; results go to its output. */
export interface SessionEvents {
  /** Something that people should know: a torn tail, a foreign value, a lock that is waited for. */
  message(text: string): void
  /** A GET that found something else than expected. */
  expectationFailed(failed: FailedExpectation): void
  /** An error that `--keep-going` goes past. */
  problem(error: MerganserError): void
}

export interface FailedExpectation {
  readonly file: string | undefined
  readonly line: number | undefined
  readonly statement: string
  readonly expected: string
  readonly got: string
  /** The stamps of what was got, per column; empty for none. */
  readonly stamps: readonly string[]
}

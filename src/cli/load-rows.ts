import { MerganserError } from '../core/errors.ts'
import type { Loader } from '../engine/load.ts'
import type { SourceRecord } from './load-record.ts'
import type { Rejects } from './load-rejects.ts'

/** Rows between two looks at logs and flushes. */
const BLOCK = 256
/** Refused rows that are shown one by one. */
const SHOWN = 5

/** A file of rows, opened. */
export interface RowSource {
  readonly record: SourceRecord
  /** Reads the next record; false where `more` must be called first, or at the end. */
  next(): boolean
  /** The record's texts as `Loader.row` takes them, or why there are none. */
  texts(into: (string | null | undefined)[]): string | undefined
  /** Bytes read so far. */
  bytes(): number
  /** Reads on; false at the end of the file. */
  more(): Promise<boolean>
  close(): Promise<void>
}

export interface LoadCounts {
  /** Loaded. */
  rows: number
  rejected: number
  /** Whether the file was read to its end. */
  whole?: boolean
}

export interface LoadWork {
  readonly file: string
  readonly rejects: Rejects
  readonly dryRun: boolean
  /** Throws LIMIT once more rows are refused. */
  readonly most: number
  readonly signal: AbortSignal
  /** Kept up to date. */
  readonly counts: LoadCounts
  readonly progress: (bytes: number, rows: number) => void
  /** The first refused rows. */
  readonly rejected: (line: number, reason: string) => void
}

/** Loads the rows of a file to its end, or an abort. What was loaded before an error stands; rejects are on disk then. */
export async function loadRows(loader: Loader, source: RowSource, work: LoadWork): Promise<void> {
  try {
    await new RowLoader(loader, source, work).run()
  } finally {
    if (!work.dryRun) await work.rejects.end()
  }
}

class RowLoader {
  readonly #loader: Loader
  readonly #source: RowSource
  readonly #work: LoadWork
  readonly #texts: (string | null | undefined)[] = []

  constructor(loader: Loader, source: RowSource, work: LoadWork) {
    this.#loader = loader
    this.#source = source
    this.#work = work
  }

  async run(): Promise<void> {
    const { signal, counts } = this.#work
    for (let more = true; more; more = await this.#source.more()) {
      await this.#records()
      if (signal.aborted) return
    }
    await this.#records()
    counts.whole = !signal.aborted
  }

  /** Loads the records that are there. */
  async #records(): Promise<void> {
    const source = this.#source
    const { signal, counts, progress } = this.#work
    for (let block = 0; source.next();) {
      const reason = source.texts(this.#texts) ?? this.#loader.row(this.#texts)
      if (reason === undefined) counts.rows++
      else await this.#reject(reason)
      if (++block % BLOCK !== 0) continue
      const wait = this.#loader.pace()
      if (wait !== undefined) {
        await wait
        progress(source.bytes(), counts.rows)
      }
      if (signal.aborted) return
    }
    await this.#loader.pace()
  }

  async #reject(reason: string): Promise<void> {
    const { counts, rejects, dryRun, rejected, most, file } = this.#work
    const { record } = this.#source
    counts.rejected++
    if (counts.rejected <= SHOWN) rejected(record.line, reason)
    if (!dryRun) await rejects.add(record, reason)
    if (counts.rejected <= most) return
    const message = `more than ${most.toLocaleString('en')} row${most === 1 ? ' was' : 's were'} rejected`
    throw new MerganserError('LIMIT', message, {
      place: { file, line: record.line },
      advice: 'what was loaded before stands; correct the file or raise --max-rejects',
    })
  }
}

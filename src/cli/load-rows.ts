import { MerganserError } from '../core/errors.ts'
import type { Loader } from '../engine/load.ts'
import type { Input } from './inputs.ts'
import { CsvReader } from './load-csv.ts'
import type { Rejects } from './load-rejects.ts'

/** Rows between two looks at logs and flushes. */
const BLOCK = 256
/** Refused rows that are shown one by one. */
const SHOWN = 5

/** A CSV file whose header was read. */
export interface CsvSource {
  readonly header: readonly string[]
  /** Its bytes, for the reject file. */
  readonly headerLine: Buffer
  readonly reader: CsvReader
  /** Bytes read so far. */
  bytes(): number
  /** Reads on; false at the end of the file. */
  more(): Promise<boolean>
  close(): Promise<void>
}

/** Opens a CSV file and reads its header. Throws BAD_INPUT_FILE, also where there is none. */
export async function openCsv(input: Input, delimiter: string, signal: AbortSignal): Promise<CsvSource> {
  const chunks = input.chunks(signal)[Symbol.asyncIterator]()
  const reader = new CsvReader(delimiter)
  let bytes = 0
  const more = async (): Promise<boolean> => {
    const next = await chunks.next()
    if (next.done === true) {
      reader.end()
      return false
    }
    bytes += next.value.length
    reader.push(next.value)
    return true
  }
  const close = async (): Promise<void> => {
    await chunks.return?.()
  }
  try {
    while (!reader.next()) {
      if (await more()) continue
      if (reader.next()) break
      signal.throwIfAborted()
      throw badHeader(input.file, 'the file is empty; a header was expected')
    }
    const header = headerOf(input.file, reader)
    return { header, headerLine: Buffer.from(reader.record.raw), reader, bytes: () => bytes, more, close }
  } catch (error) {
    await close()
    if (!(error instanceof MerganserError)) throw error
    error.place.file ??= input.file
    throw error
  }
}

function headerOf(file: string, { record }: CsvReader): string[] {
  if (record.problem !== undefined) throw badHeader(file, `the header can't be read: ${record.problem}`)
  const names: string[] = []
  for (let field = 0; field < record.fields; field++) {
    const name = record.text(field)
    if (name === undefined || name.includes('\0')) throw badHeader(file, 'the header is no text in UTF-8')
    names.push(name)
  }
  return names
}

function badHeader(file: string, message: string): MerganserError {
  return new MerganserError('BAD_INPUT_FILE', message, { place: { file, line: 1 } })
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
  /** Field numbers: one per key column, then one for each value column of the loader's target. */
  readonly fields: readonly number[]
  readonly nullText: string
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
export async function loadRows(loader: Loader, source: CsvSource, work: LoadWork): Promise<void> {
  try {
    await new RowLoader(loader, source, work).run()
  } finally {
    if (!work.dryRun) await work.rejects.end()
  }
}

class RowLoader {
  readonly #loader: Loader
  readonly #source: CsvSource
  readonly #work: LoadWork
  readonly #texts: (string | null)[]

  constructor(loader: Loader, source: CsvSource, work: LoadWork) {
    this.#loader = loader
    this.#source = source
    this.#work = work
    this.#texts = work.fields.map(() => null)
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
    const { reader } = this.#source
    const { signal, counts, progress } = this.#work
    for (let block = 0; reader.next();) {
      const reason = this.#row()
      if (reason === undefined) counts.rows++
      else await this.#reject(reason)
      if (++block % BLOCK !== 0) continue
      const wait = this.#loader.pace()
      if (wait !== undefined) {
        await wait
        progress(this.#source.bytes(), counts.rows)
      }
      if (signal.aborted) return
    }
    await this.#loader.pace()
  }

  /** Why the record can't be loaded. */
  #row(): string | undefined {
    const { record } = this.#source.reader
    if (record.problem !== undefined) return record.problem
    const { fields, nullText } = this.#work
    const expected = this.#source.header.length
    if (record.fields !== expected) return `${String(record.fields)} fields; the header has ${String(expected)}`
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]!
      const text = record.text(field)
      if (text === undefined) return `field ${String(field + 1)} is no text in UTF-8`
      this.#texts[i] = record.quoted[field] === 0 && text === nullText ? null : text
    }
    return this.#loader.row(this.#texts)
  }

  async #reject(reason: string): Promise<void> {
    const { counts, rejects, dryRun, rejected, most, file } = this.#work
    const { record } = this.#source.reader
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

import { MerganserError } from '../core/errors.ts'
import type { Input } from './inputs.ts'
import { CsvReader } from './load-csv.ts'
import type { RowSource } from './load-rows.ts'
import { openChunks } from './load-source.ts'

/** A CSV file whose header was read. */
export interface CsvSource extends Pick<RowSource, 'bytes' | 'more' | 'close'> {
  readonly header: readonly string[]
  /** Its bytes, for the reject file. */
  readonly headerLine: Buffer
  readonly reader: CsvReader
}

/** Opens a CSV file and reads its header. Throws BAD_INPUT_FILE, also where there is none. */
export async function openCsv(input: Input, delimiter: string, signal: AbortSignal): Promise<CsvSource> {
  const reader = new CsvReader(delimiter)
  const chunks = openChunks(input, signal, reader)
  try {
    while (!reader.next()) {
      if (await chunks.more()) continue
      if (reader.next()) break
      signal.throwIfAborted()
      throw badHeader(input.file, 'the file is empty; a header was expected')
    }
    const header = headerOf(input.file, reader)
    return { header, headerLine: Buffer.from(reader.record.raw), reader, ...chunks }
  } catch (error) {
    await chunks.close()
    if (!(error instanceof MerganserError)) throw error
    error.place.file ??= input.file
    throw error
  }
}

/**
 * The rows of a CSV file.
 * @param fields field numbers: one per key column, then one for each value column of the loader's target
 */
export function csvRows(source: CsvSource, fields: readonly number[], nullText: string): RowSource {
  const { reader, header, bytes, more, close } = source
  const { record } = reader
  const texts = (into: (string | null | undefined)[]): string | undefined => {
    if (record.problem !== undefined) return record.problem
    if (record.fields !== header.length) {
      return `${String(record.fields)} fields; the header has ${String(header.length)}`
    }
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]!
      const text = record.text(field)
      if (text === undefined) return `field ${String(field + 1)} is no text in UTF-8`
      into[i] = record.quoted[field] === 0 && text === nullText ? null : text
    }
    return undefined
  }
  return { record, next: () => reader.next(), texts, bytes, more, close }
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

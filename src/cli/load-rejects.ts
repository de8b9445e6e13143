import { open, type FileHandle } from 'node:fs/promises'
import { resolve } from 'node:path'
import { MerganserError } from '../core/errors.ts'
import type { CsvRecord } from './load-csv.ts'
import type { Shell } from './shell.ts'

/** Bytes that are gathered before they are written. */
const GATHERED = 64 * 1024
const LINE = 'merganser_line'
const REASON = 'merganser_reason'

/**
 * The reject file of a load: each refused record as it stood, behind its line number and the reason, under the header
 * of the file itself, so that it can be mended and loaded. Begun with the first one.
 */
export class Rejects {
  /** Where it is, as messages name it. */
  readonly file: string
  readonly #path: string
  readonly #delimiter: string
  readonly #header: Buffer
  #handle: FileHandle | undefined
  #gathered: Buffer[] = []
  #bytes = 0
  #count = 0

  /** @param header the header line of the file */
  constructor(shell: Shell, file: string, delimiter: string, header: Buffer) {
    this.file = file
    this.#path = resolve(shell.cwd, file)
    this.#delimiter = delimiter
    this.#header = Buffer.from(header)
  }

  /** Throws BAD_OUTPUT_FILE where another file than an earlier load's reject file is in its place. */
  async check(): Promise<void> {
    let handle
    try {
      handle = await open(this.#path, 'r')
    } catch {
      return
    }
    try {
      const beginning = Buffer.alloc(LINE.length)
      const { bytesRead } = await handle.read(beginning, 0, LINE.length, 0)
      if (bytesRead === 0 || beginning.toString('latin1') === LINE) return
    } finally {
      await handle.close()
    }
    throw new MerganserError('BAD_OUTPUT_FILE', 'there is a file where the rejects go, and it is not one of rejects', {
      place: { file: this.file },
      advice: 'move it, or name another with --rejects FILE',
    })
  }

  /** Notes a record; its bytes are copied. A promise where it has to be waited for. */
  add(record: CsvRecord, reason: string): Promise<void> | undefined {
    if (this.#count++ === 0) this.#push(Buffer.from([LINE, REASON, ''].join(this.#delimiter)), this.#header)
    const raw = Buffer.from(record.raw)
    // What can't be read as a record becomes one field.
    const rest = record.problem === undefined ? raw : quoted(raw)
    this.#push(
      Buffer.from(`${String(record.line)}${this.#delimiter}"${reason.replaceAll('"', '""')}"${this.#delimiter}`),
      rest,
    )
    return this.#bytes >= GATHERED ? this.#write() : undefined
  }

  /** Writes what is left; on return the file is whole and on disk. Throws BAD_OUTPUT_FILE. */
  async end(): Promise<void> {
    if (this.#bytes > 0) await this.#write()
    const handle = this.#handle
    this.#handle = undefined
    if (handle === undefined) return
    try {
      await handle.sync()
    } catch (error) {
      throw this.#unwritable(error)
    } finally {
      await handle.close()
    }
  }

  #push(beginning: Buffer, rest: Buffer): void {
    this.#gathered.push(beginning, rest, NEWLINE)
    this.#bytes += beginning.length + rest.length + 1
  }

  async #write(): Promise<void> {
    const bytes = Buffer.concat(this.#gathered)
    this.#gathered = []
    this.#bytes = 0
    try {
      this.#handle ??= await open(this.#path, 'w', 0o600)
      await this.#handle.appendFile(bytes)
    } catch (error) {
      throw this.#unwritable(error)
    }
  }

  #unwritable(error: unknown): MerganserError {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    return new MerganserError('BAD_OUTPUT_FILE', `the reject file can't be written: ${code}`, {
      place: { file: this.file },
      advice: 'name another place with --rejects FILE',
      cause: error,
    })
  }
}

const NEWLINE = Buffer.from('\n')

/** Bytes as one field; invalid UTF-8 stays as it is. */
function quoted(raw: Buffer): Buffer {
  return Buffer.from(`"${raw.toString('latin1').replaceAll('"', '""')}"`, 'latin1')
}

import { open, type FileHandle } from 'node:fs/promises'
import { resolve } from 'node:path'
import { MerganserError } from '../core/errors.ts'
import type { SourceRecord } from './load-record.ts'
import type { Shell } from './shell.ts'

/** Bytes that are gathered before they are written. */
const GATHERED = 64 * 1024
const LINE = 'merganser_line'
const REASON = 'merganser_reason'
const RAW = 'merganser_raw'

/** How refused records are written. */
export interface RejectFormat {
  /** What every reject file begins with. */
  readonly mark: string
  /** Its first line without its end, where it has a header. */
  readonly header: Buffer | undefined
  /** A record without its line end, behind its line number and the reason. */
  line(record: SourceRecord, reason: string): Buffer
}

/**
 * The reject file of a load: each refused record as it stood, with its line number and the reason, so that it can be
 * mended and loaded. Begun with the first one.
 */
export class Rejects {
  /** Where it is, as messages name it. */
  readonly file: string
  readonly #path: string
  readonly #format: RejectFormat
  #handle: FileHandle | undefined
  #gathered: Buffer[] = []
  #bytes = 0
  #count = 0

  constructor(shell: Shell, file: string, format: RejectFormat) {
    this.file = file
    this.#path = resolve(shell.cwd, file)
    this.#format = format
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
      const { mark } = this.#format
      const beginning = Buffer.alloc(mark.length)
      const { bytesRead } = await handle.read(beginning, 0, mark.length, 0)
      if (bytesRead === 0 || beginning.toString('latin1') === mark) return
    } finally {
      await handle.close()
    }
    throw new MerganserError('BAD_OUTPUT_FILE', 'there is a file where the rejects go, and it is not one of rejects', {
      place: { file: this.file },
      advice: 'move it, or name another with --rejects FILE',
    })
  }

  /** Notes a record; its bytes are copied. A promise where it has to be waited for. */
  add(record: SourceRecord, reason: string): Promise<void> | undefined {
    const { header } = this.#format
    if (this.#count++ === 0 && header !== undefined) this.#push(header)
    this.#push(this.#format.line(record, reason))
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

  #push(line: Buffer): void {
    this.#gathered.push(line, NEWLINE)
    this.#bytes += line.length + 1
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

/** CSV: line and reason are fields before the record's own, under the header of the file itself. */
export function csvRejects(delimiter: string, header: Buffer): RejectFormat {
  return {
    mark: LINE,
    header: Buffer.concat([Buffer.from([LINE, REASON, ''].join(delimiter)), header]),
    line: ({ line, problem, raw }, reason) => {
      const before = `${String(line)}${delimiter}"${reason.replaceAll('"', '""')}"${delimiter}`
      // What can't be read as a record becomes one field.
      return Buffer.concat([Buffer.from(before), problem === undefined ? raw : quoted(raw)])
    },
  }
}

/** JSON lines: line and reason are the first members of the record's own object. */
export function jsonRejects(): RejectFormat {
  return {
    mark: `{"${LINE}":`,
    header: undefined,
    line: ({ line, problem, raw }, reason) => {
      const before = `{"${LINE}":${String(line)},"${REASON}":${JSON.stringify(reason)}`
      // What can't be read as an object becomes one member.
      if (problem !== undefined) return Buffer.from(`${before},"${RAW}":${JSON.stringify(raw.toString('utf8'))}}`)
      const rest = raw.toString('utf8').trim().slice(1)
      return Buffer.from(`${before}${rest.trim() === '}' ? '' : ','}${rest}`)
    },
  }
}

/** Bytes as one field; invalid UTF-8 stays as it is. */
function quoted(raw: Buffer): Buffer {
  return Buffer.from(`"${raw.toString('latin1').replaceAll('"', '""')}"`, 'latin1')
}

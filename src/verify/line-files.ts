import { dirname } from 'node:path'
import { MerganserError } from '../core/errors.ts'
import type { Disk, DiskFile } from '../environment/environment.ts'

/** Characters that are gathered before they are written. */
const GATHERED = 256 * 1024

/** A file of lines that has its name only once it is whole and on disk. */
export class LineFile {
  readonly path: string
  readonly #disk: Disk
  readonly #draft: string
  #file: DiskFile | undefined
  #gathered: string[] = []
  #length = 0

  /** @param unique tells its draft from those of others */
  constructor(disk: Disk, path: string, unique: string) {
    this.path = path
    this.#disk = disk
    this.#draft = `${path}.${unique}.tmp`
  }

  /** Adds a line. A promise where it has to be waited for. Throws BAD_OUTPUT_FILE. */
  add(line: string): Promise<void> | undefined {
    this.#gathered.push(line, '\n')
    this.#length += line.length + 1
    return this.#length >= GATHERED ? this.#write() : undefined
  }

  /** Gives the file its name; durable on return. Throws BAD_OUTPUT_FILE. */
  async end(): Promise<void> {
    await this.#write()
    try {
      await this.#file!.datasync()
      await this.#close()
      await this.#disk.rename(this.#draft, this.path)
      await this.#disk.syncDirectory(dirname(this.path))
    } catch (error) {
      throw unwritable(this.path, error)
    }
  }

  /** Takes the draft away where the file wasn't ended. */
  async drop(): Promise<void> {
    if (this.#file === undefined) return
    await this.#close()
    await this.#disk.remove(this.#draft)
  }

  async #close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.close()
  }

  async #write(): Promise<void> {
    const text = this.#gathered.join('')
    this.#gathered = []
    this.#length = 0
    try {
      if (this.#file === undefined) {
        await this.#disk.makeDirectory(dirname(this.path))
        this.#file = await this.#disk.open(this.#draft, 'create')
      }
      await this.#file.append([Buffer.from(text)])
    } catch (error) {
      throw unwritable(this.path, error)
    }
  }
}

function unwritable(file: string, cause: unknown): MerganserError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
  return new MerganserError('BAD_OUTPUT_FILE', `the plan can't be written: ${code}`, { place: { file }, cause })
}

const NEWLINE = 0x0a

/** Whole lines of a file from `start` on, about `most` bytes; `end` is then where the next part begins. */
export class FilePart {
  readonly #file: DiskFile
  readonly #most: number
  /** Where the part ends. */
  end: number

  constructor(file: DiskFile, start: number, most: number) {
    this.#file = file
    this.#most = most
    this.end = start
  }

  async *chunks(): AsyncGenerator<Buffer, void, undefined> {
    const enough = this.end + this.#most
    for (;;) {
      const read = await this.#file.read(this.end, GATHERED)
      if (read.length === 0) return
      const bytes = Buffer.from(read.buffer, read.byteOffset, read.length)
      const last = this.end + bytes.length < enough ? -1 : bytes.indexOf(NEWLINE)
      const part = last === -1 ? bytes : bytes.subarray(0, last + 1)
      this.end += part.length
      yield part
      if (last !== -1) return
    }
  }
}

import { createReadStream } from 'node:fs'
import { mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { MerganserError } from '../core/errors.ts'

/** Bytes that are gathered before they are written. */
const GATHERED = 256 * 1024

/** A file of lines that has its name only once it is whole and on disk. */
export class LineFile {
  readonly path: string
  readonly #draft: string
  #handle: FileHandle | undefined
  #gathered: string[] = []
  #length = 0

  constructor(path: string) {
    this.path = path
    this.#draft = `${path}.${String(process.pid)}.tmp`
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
      await this.#handle!.sync()
      await this.#handle!.close()
      this.#handle = undefined
      await rename(this.#draft, this.path)
      const directory = await open(dirname(this.path), 'r')
      await directory.sync().finally(() => directory.close())
    } catch (error) {
      throw unwritable(this.path, error)
    }
  }

  /** Takes the draft away where the file wasn't ended. */
  async drop(): Promise<void> {
    if (this.#handle === undefined) return
    await this.#handle.close()
    await rm(this.#draft, { force: true })
  }

  async #write(): Promise<void> {
    const text = this.#gathered.join('')
    this.#gathered = []
    this.#length = 0
    try {
      if (this.#handle === undefined) {
        await mkdir(dirname(this.path), { recursive: true, mode: 0o700 })
        this.#handle = await open(this.#draft, 'w', 0o600)
      }
      await this.#handle.appendFile(text)
    } catch (error) {
      throw unwritable(this.path, error)
    }
  }
}

function unwritable(file: string, cause: unknown): MerganserError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
  return new MerganserError('BAD_OUTPUT_FILE', `the plan can't be written: ${code}`, { place: { file }, cause })
}

/** Whole lines of a file from `start` on, about `most` bytes; `end` is then where the next part begins. */
export class FilePart {
  readonly #path: string
  readonly #most: number
  /** Where the part ends. */
  end: number

  constructor(path: string, start: number, most: number) {
    this.#path = path
    this.#most = most
    this.end = start
  }

  async *chunks(): AsyncGenerator<Buffer, void, undefined> {
    const start = this.end
    for await (const chunk of createReadStream(this.#path, { start, highWaterMark: GATHERED })) {
      const bytes = chunk as Buffer
      const last = this.end + bytes.length - start < this.#most ? -1 : bytes.indexOf(0x0a)
      const part = last === -1 ? bytes : bytes.subarray(0, last + 1)
      this.end += part.length
      yield part
      if (last !== -1) return
    }
  }
}

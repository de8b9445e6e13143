import { basename, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { MerganserError } from '../core/errors.ts'
import type { TableSchema } from '../core/table.ts'
import { typeText } from '../core/types.ts'
import type { Disk } from '../environment/environment.ts'
import { stateError } from '../oplog/failure.ts'

const FORMAT = 1

/** How far a copy of one table has come: all of it is in the database, and the reject file, durably. */
export interface CopyProgress {
  /** The log that owned the database: after another one it is another database. */
  readonly log: string
  /** The table's columns: a table that changed is copied anew. */
  readonly shape: string
  /** The last key that was read, and the last one that the database took. */
  readonly last: readonly string[]
  readonly probe: readonly string[] | null
  readonly rows: number
  readonly written: number
  readonly rejected: number
  readonly foreign: number
  /** Bytes of the reject file that belong to it. */
  readonly rejectBytes: number
}

/** What a table looks like, for `CopyProgress.shape`. */
export function shapeText({ key, values }: TableSchema): string {
  return [key, values]
    .map((columns) => columns.map(({ name, type }) => `${name} ${typeText(type)}`).join(', '))
    .join(' -> ')
}

/** The file in which a copy of a table keeps how far it has come. */
export class CopyFile {
  readonly #disk: Disk
  readonly #directory: string
  readonly #path: string
  /** Where rows go that the database can't hold. */
  readonly rejects: string

  constructor(disk: Disk, stateDirectory: string, from: string, to: string, table: string) {
    const stem = `${from}-${to}.${table}`.toLowerCase()
    this.#disk = disk
    this.#directory = join(stateDirectory, 'copies')
    this.#path = join(this.#directory, `${stem}.json`)
    this.rejects = join(this.#directory, `${stem}.rejects.jsonl`)
  }

  /**
   * What was last written; undefined where there is nothing, or nothing that can be relied on: copying anew is always
   * right. Throws STATE_FORMAT where a newer version wrote it.
   */
  async read(): Promise<CopyProgress | undefined> {
    try {
      const bytes = await this.#disk.readFile(this.#path)
      return bytes === undefined ? undefined : this.#decode(Buffer.from(bytes).toString('utf8'))
    } catch (error) {
      throw stateError(error, 'reading the progress of a copy', this.#path)
    }
  }

  /** Replaces it; durable on return. */
  async write(progress: CopyProgress): Promise<void> {
    try {
      await this.#disk.makeDirectory(this.#directory)
      const line = JSON.stringify({ format: FORMAT, crc: checksum(progress), ...progress })
      await this.#disk.replaceFile(this.#path, Buffer.from(`${line}\n`))
    } catch (error) {
      throw stateError(error, 'writing the progress of a copy', this.#path)
    }
  }

  async remove(): Promise<void> {
    try {
      await this.#disk.remove(this.#path)
    } catch (error) {
      throw stateError(error, 'removing the progress of a copy', this.#path)
    }
  }

  /** Cuts the reject file to what belongs to the copy. */
  async cutRejects(bytes: number): Promise<void> {
    try {
      if (!(await this.#disk.list(this.#directory)).includes(basename(this.rejects))) return
      const file = await this.#disk.open(this.rejects, 'append')
      try {
        if ((await file.size()) > bytes) await file.truncate(bytes)
      } finally {
        await file.close()
      }
    } catch (error) {
      throw stateError(error, 'cutting the rejects of a copy', this.rejects)
    }
  }

  /** Appends to the reject file; durable on return. */
  async reject(lines: readonly string[]): Promise<number> {
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''))
    try {
      await this.#disk.makeDirectory(this.#directory)
      const file = await this.#disk.open(this.rejects, 'append')
      try {
        await file.append([bytes])
        await file.datasync()
      } finally {
        await file.close()
      }
      await this.#disk.syncDirectory(this.#directory)
    } catch (error) {
      throw stateError(error, 'writing the rejects of a copy', this.rejects)
    }
    return bytes.length
  }

  #decode(text: string): CopyProgress | undefined {
    let content: Partial<CopyProgress> & { readonly format?: unknown; readonly crc?: unknown }
    try {
      content = JSON.parse(text) as typeof content
    } catch {
      return undefined
    }
    const { format, crc, ...progress } = content
    if (typeof format === 'number' && format > FORMAT) {
      throw new MerganserError('STATE_FORMAT', `a copy's progress is of format ${String(format)}`, {
        place: { file: this.#path },
        advice: 'use the version of Merganser that wrote it, or begin the copy anew with --restart',
      })
    }
    const counts = [progress.rows, progress.written, progress.rejected, progress.foreign, progress.rejectBytes]
    const whole =
      format === FORMAT &&
      crc === checksum(progress) &&
      typeof progress.log === 'string' &&
      typeof progress.shape === 'string' &&
      isKey(progress.last) &&
      (progress.probe === null || isKey(progress.probe)) &&
      counts.every((count) => Number.isSafeInteger(count) && count! >= 0)
    return whole ? (progress as CopyProgress) : undefined
  }
}

/** A changed key would be as good a key as the one that was written, and rows between them would be left out. */
function checksum(progress: Partial<CopyProgress>): string {
  return crc32(JSON.stringify(progress)).toString(16).padStart(8, '0')
}

function isKey(key: unknown): boolean {
  return Array.isArray(key) && key.length > 0 && key.every((text) => typeof text === 'string')
}

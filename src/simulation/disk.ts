import { crc32 } from 'node:zlib'
import type { Disk, DiskFile } from '../environment/environment.ts'
import { Content, type Names } from './files.ts'
import type { Life, Schedule } from './schedule.ts'
import type { Chance } from './seeds.ts'

export type DiskCall =
  'append' | 'datasync' | 'rewrite' | 'truncate' | 'rename' | 'syncDirectory' | 'replaceFile' | 'create'

export interface DiskFaults {
  /** What goes wrong with a call, as an error code; undefined for nothing. Asked once a call. */
  strike(call: DiskCall): 'EIO' | 'ENOSPC' | undefined
}

/** Microseconds. */
const USUAL = { append: 60, datasync: 400, other: 40 }

function failure(code: string): Error {
  return Object.assign(new Error(code), { code })
}

/** One process's sight of the simulated disk. Calls take time; those that a crash meets are done in part or not at all. */
export class SimulatedDisk implements Disk {
  readonly #names: Names
  readonly #schedule: Schedule
  readonly #life: Life
  readonly #chance: Chance
  readonly #faults: DiskFaults
  readonly #seals: boolean
  /** What is being appended: a crash leaves a part of it. */
  readonly #appending = new Map<object, { readonly content: Content; readonly bytes: () => Buffer }>()

  /** @param seals whether it has a thread that checksums and writes, as the real one has */
  constructor(names: Names, schedule: Schedule, life: Life, chance: Chance, faults: DiskFaults, seals: boolean) {
    this.#names = names
    this.#schedule = schedule
    this.#life = life
    this.#chance = chance
    this.#faults = faults
    this.#seals = seals
  }

  /** The process dies: of each append that is under way a part is there. */
  crash(): void {
    for (const { content, bytes } of this.#appending.values()) {
      const all = bytes()
      content.append(all.subarray(0, this.#chance.between(0, all.length)))
    }
    this.#appending.clear()
  }

  async open(path: string, mode: 'read' | 'append' | 'create'): Promise<DiskFile> {
    await this.#time('other')
    const found = this.#names.get(path)
    if (mode === 'read' && found === undefined) throw failure('ENOENT')
    if (mode === 'create' && found !== undefined) throw failure('EEXIST')
    if (found !== undefined) return this.#file(found)
    this.#strike('create')
    const content = new Content()
    this.#names.set(path, content)
    return this.#file(content)
  }

  async readFile(path: string): Promise<Uint8Array | undefined> {
    await this.#time('other')
    const found = this.#names.get(path)
    return found === undefined ? undefined : Buffer.from(found.bytes)
  }

  async rewrite(path: string, from: number): Promise<void> {
    await this.#time('datasync')
    const found = this.#names.get(path)
    if (found === undefined) throw failure('ENOENT')
    try {
      this.#strike('rewrite')
    } catch (error) {
      found.syncFailed()
      throw error
    }
    found.rewritten(from)
  }

  async replaceFile(path: string, contents: Uint8Array): Promise<void> {
    const copy = Buffer.from(contents)
    await this.#time('datasync')
    this.#strike('replaceFile')
    const content = new Content()
    content.append(copy)
    content.synced(copy.length)
    this.#names.set(path, content)
    // What else has changed in the directory is synced with it.
    this.#names.synced()
  }

  async list(directory: string): Promise<string[]> {
    await this.#time('other')
    const start = `${directory}/`
    const below = this.#names.paths().filter((path) => path.startsWith(start))
    return [...new Set(below.map((path) => path.slice(start.length).split('/')[0]!))]
  }

  async makeDirectory(): Promise<void> {
    await this.#time('other')
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#time('other')
    this.#strike('rename')
    if (this.#names.get(from) === undefined) throw failure('ENOENT')
    this.#names.rename(from, to)
  }

  async syncDirectory(): Promise<void> {
    await this.#time('datasync')
    this.#strike('syncDirectory')
    this.#names.synced()
  }

  async remove(path: string): Promise<void> {
    await this.#time('other')
    this.#names.set(path, undefined)
  }

  #time(what: keyof typeof USUAL): Promise<void> {
    return this.#schedule.after(this.#chance.delay(USUAL[what]), this.#life)
  }

  #strike(call: DiskCall): void {
    const code = this.#faults.strike(call)
    if (code !== undefined) throw failure(code)
  }

  #file(content: Content): DiskFile {
    const file: DiskFile = {
      size: async () => {
        await this.#time('other')
        return content.bytes.length
      },
      read: async (position, length) => {
        await this.#time('other')
        return Buffer.from(content.bytes.subarray(position, position + length))
      },
      readInto: async (into, position) => {
        await this.#time('other')
        return content.bytes.copy(into, 0, position)
      },
      append: (buffers) => this.#append(content, () => Buffer.concat(buffers)),
      truncate: async (size) => {
        await this.#time('other')
        this.#strike('truncate')
        content.truncate(size)
      },
      datasync: async () => {
        const size = content.bytes.length
        await this.#time('datasync')
        try {
          this.#strike('datasync')
        } catch (error) {
          content.syncFailed()
          throw error
        }
        content.synced(size)
      },
      close: () => this.#time('other'),
    }
    if (!this.#seals) return file
    return {
      ...file,
      appendSealed: async (buffers, crc, seal) => {
        let sum = 0
        await this.#append(content, () => {
          const bytes = Buffer.concat([...buffers, seal])
          sum = crc32(bytes, crc)
          return Buffer.concat([bytes, Buffer.from(`${sum.toString(16).padStart(8, '0')}\n`)])
        })
        return sum
      },
    }
  }

  /** @param written the bytes as they are when they are written: who lends them may not touch them before */
  async #append(content: Content, written: () => Buffer): Promise<void> {
    const under = {}
    this.#appending.set(under, { content, bytes: written })
    await this.#time('append')
    this.#appending.delete(under)
    const bytes = written()
    try {
      this.#strike('append')
    } catch (error) {
      // Written in part, as on a full disk.
      content.append(bytes.subarray(0, this.#chance.between(0, bytes.length)))
      throw error
    }
    content.append(bytes)
  }
}

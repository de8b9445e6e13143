import type { Chance } from './seeds.ts'

/** Bytes of a sector: a power loss may lose any of those that weren't synced. */
const SECTOR = 512

/** What a file holds: as everyone reads it, and what of it is on the disk. */
export class Content {
  #bytes: Buffer = Buffer.alloc(256)
  #size = 0
  /** What a power loss leaves at least, from the file's beginning. */
  durable = 0
  /** As it was before it was cut, until that is synced. */
  #uncut: Buffer | undefined
  /** A failed sync dropped pages from here on: no later sync brings them to disk. */
  #dropped = Infinity

  /** Whoever has taken them keeps what they were then, as far as they reached. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#size)
  }

  set bytes(bytes: Buffer) {
    this.#bytes = bytes
    this.#size = bytes.length
  }

  append(more: Uint8Array): void {
    const size = this.#size + more.length
    if (size > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(size, 2 * this.#bytes.length))
      this.bytes.copy(larger)
      this.#bytes = larger
    }
    this.#bytes.set(more, this.#size)
    this.#size = size
  }

  truncate(size: number): void {
    this.#uncut ??= this.bytes.subarray(0, this.durable)
    this.bytes = Buffer.from(this.bytes.subarray(0, size))
    this.durable = Math.min(this.durable, size)
    if (this.#dropped > size) this.#dropped = Infinity
  }

  /** @param size the bytes that it had when the sync began */
  synced(size: number): void {
    this.durable = Math.max(this.durable, Math.min(size, this.#dropped, this.bytes.length))
    this.#uncut = undefined
  }

  /** What wasn't on disk never will be, whatever later syncs say: as Linux does after a failed write-back. */
  syncFailed(): void {
    this.#dropped = Math.min(this.#dropped, this.durable)
  }

  /** All from a byte on was written once more, and synced. */
  rewritten(from: number): void {
    if (from <= this.#dropped) this.#dropped = Infinity
    this.synced(this.bytes.length)
  }

  /** The power goes: of what wasn't synced a part is there, with holes. */
  lose(chance: Chance): void {
    if (this.#uncut !== undefined && chance.happens(0.5)) {
      this.bytes = Buffer.from(this.#uncut)
    } else if (this.bytes.length > this.durable) {
      const kept = chance.between(this.durable, this.bytes.length)
      const left = Buffer.from(this.bytes.subarray(0, kept))
      for (let at = this.durable; at < kept; at = (Math.floor(at / SECTOR) + 1) * SECTOR) {
        if (chance.happens(0.2)) left.fill(0, at, Math.min(kept, (Math.floor(at / SECTOR) + 1) * SECTOR))
      }
      this.bytes = left
    }
    this.#uncut = undefined
    this.#dropped = Infinity
    this.durable = this.bytes.length
  }
}

interface Move {
  readonly undo: () => void
}

/** The names of files, and which changes of them a power loss may take back: those after the last sync of the directory. */
export class Names {
  readonly #files = new Map<string, Content>()
  #moves: Move[] = []

  get(path: string): Content | undefined {
    return this.#files.get(path)
  }

  /** Paths, sorted. */
  paths(): string[] {
    return [...this.#files.keys()].sort()
  }

  set(path: string, content: Content | undefined): void {
    const old = this.#files.get(path)
    this.#moves.push({
      undo: () => {
        this.#put(path, old)
      },
    })
    this.#put(path, content)
  }

  rename(from: string, to: string): void {
    const moved = this.#files.get(from)!
    const [oldFrom, oldTo] = [moved, this.#files.get(to)]
    this.#moves.push({
      undo: () => {
        this.#put(from, oldFrom)
        this.#put(to, oldTo)
      },
    })
    this.#put(from, undefined)
    this.#put(to, moved)
  }

  synced(): void {
    this.#moves = []
  }

  /** The power goes: the last of the changes that weren't synced are taken back. */
  lose(chance: Chance): void {
    const kept = chance.between(0, this.#moves.length)
    for (const { undo } of this.#moves.slice(kept).reverse()) undo()
    this.#moves = []
    for (const content of this.#files.values()) content.lose(chance)
  }

  #put(path: string, content: Content | undefined): void {
    if (content === undefined) this.#files.delete(path)
    else this.#files.set(path, content)
  }
}

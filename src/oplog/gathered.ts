/** 1 MiB: large enough to be checksummed and written at full speed, small enough to be reused. */
const CHUNK_BYTES = 1024 * 1024

/** Keeps a few chunks that were written for the next bytes: memory that is warm already. */
export class ChunkPool {
  readonly #free: Buffer[] = []
  readonly #keep: number

  constructor(keep = 32) {
    this.#keep = keep
  }

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES)
  }

  give(chunk: Buffer): void {
    if (chunk.length === CHUNK_BYTES && this.#free.length < this.#keep) this.#free.push(chunk)
  }
}

/** Bytes on their way to the disk, copied once, into chunks. */
export class Gathered {
  readonly #pool: ChunkPool
  /** Full ones; the last may be part full and is then `#chunk`. */
  #parts: Buffer[] = []
  #chunks: Buffer[] = []
  #chunk: Buffer | undefined
  #used = 0
  #bytes = 0

  constructor(pool: ChunkPool) {
    this.#pool = pool
  }

  get bytes(): number {
    return this.#bytes
  }

  add(bytes: Uint8Array): void {
    this.#bytes += bytes.length
    let from = 0
    while (from < bytes.length) {
      this.#chunk ??= this.#pool.take()
      const length = Math.min(bytes.length - from, this.#chunk.length - this.#used)
      this.#chunk.set(from === 0 && length === bytes.length ? bytes : bytes.subarray(from, from + length), this.#used)
      this.#used += length
      from += length
      if (this.#used === this.#chunk.length) this.#finish()
    }
  }

  /** Hands out what was gathered, in order, and begins anew; the bytes stand until `release`. */
  take(): { readonly buffers: Buffer[]; readonly bytes: number; readonly release: () => void } {
    if (this.#used > 0) this.#finish()
    const chunks = this.#chunks
    const taken = {
      buffers: this.#parts,
      bytes: this.#bytes,
      release: () => {
        chunks.forEach((chunk) => {
          this.#pool.give(chunk)
        })
      },
    }
    this.#parts = []
    this.#chunks = []
    this.#bytes = 0
    return taken
  }

  #finish(): void {
    const chunk = this.#chunk
    if (chunk === undefined) return
    this.#parts.push(chunk.subarray(0, this.#used))
    this.#chunks.push(chunk)
    this.#chunk = undefined
    this.#used = 0
  }
}

/** 1 MiB: large enough to be checksummed and written at full speed, small enough to be reused. */
const CHUNK_BYTES = 1024 * 1024

/** Chunks that are kept for the next bytes, as their memory is warm already: what waits for the disk at full speed. */
const KEPT_CHUNKS = 40

/** Of all logs and sessions of this thread: a session that writes a few lines takes no memory of its own for them. */
const free: Buffer[] = []

function takeChunk(): Buffer {
  return free.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES)
}

function giveChunk(chunk: Buffer): void {
  if (free.length < KEPT_CHUNKS) free.push(chunk)
}

/** Shorter bytes are copied: a buffer of its own costs more. */
const KEPT_BYTES = 16 * 1024

/** Bytes on their way to the disk: copied once into chunks, or kept where they are. */
export class Gathered {
  #parts: Uint8Array[] = []
  #chunks: Buffer[] = []
  #releases: (() => void)[] = []
  #chunk: Buffer | undefined
  /** Of the chunk, what is part of nothing yet, and what is used. */
  #from = 0
  #used = 0
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  /** Copied at once, unless `release` comes along and there are many: they stay then where they are until it is called. */
  add(bytes: Uint8Array, release?: () => void): void {
    if (release === undefined) {
      this.#copy(bytes)
    } else if (bytes.length < KEPT_BYTES) {
      this.#copy(bytes)
      release()
    } else {
      this.#finish()
      this.#parts.push(bytes)
      this.#releases.push(release)
      this.#bytes += bytes.length
    }
  }

  #copy(bytes: Uint8Array): void {
    this.#bytes += bytes.length
    let from = 0
    while (from < bytes.length) {
      this.#chunk ??= takeChunk()
      const length = Math.min(bytes.length - from, this.#chunk.length - this.#used)
      this.#chunk.set(from === 0 && length === bytes.length ? bytes : bytes.subarray(from, from + length), this.#used)
      this.#used += length
      from += length
      if (this.#used === this.#chunk.length) this.#endChunk()
    }
  }

  /** Hands out what was gathered, in order, and begins anew; the bytes stand until `release`. */
  take(): { readonly buffers: Uint8Array[]; readonly bytes: number; readonly release: () => void } {
    this.#endChunk()
    const chunks = this.#chunks
    const releases = this.#releases
    const taken = {
      buffers: this.#parts,
      bytes: this.#bytes,
      release: () => {
        for (const chunk of chunks.splice(0)) giveChunk(chunk)
        for (const release of releases.splice(0)) release()
      },
    }
    this.#parts = []
    this.#chunks = []
    this.#releases = []
    this.#bytes = 0
    return taken
  }

  /** What was copied so far is a part; the chunk goes on behind it. */
  #finish(): void {
    if (this.#chunk === undefined || this.#used === this.#from) return
    this.#parts.push(this.#chunk.subarray(this.#from, this.#used))
    this.#from = this.#used
  }

  #endChunk(): void {
    this.#finish()
    if (this.#chunk !== undefined) this.#chunks.push(this.#chunk)
    this.#chunk = undefined
    this.#from = this.#used = 0
  }
}

/** The least room of a buffer that has any. */
const SMALL = 64
const NO_ROOM = Buffer.alloc(0)

/** Bytes that are appended to; grows as needed and keeps its room when it is emptied. */
export class ByteBuffer {
  bytes: Buffer
  length = 0

  /** @param capacity 0 for one that has no memory of its own until something is appended */
  constructor(capacity = 4096) {
    this.bytes = capacity === 0 ? NO_ROOM : Buffer.allocUnsafeSlow(capacity)
  }

  /** Empties it. */
  clear(): void {
    this.length = 0
  }

  /** Makes room for `more` bytes after the present ones. */
  reserve(more: number): void {
    if (this.length + more > this.bytes.length) this.#grow(more)
  }

  #grow(more: number): void {
    const room = Math.max(this.bytes.length * 2, this.length + more)
    // Small ones are many: they share their memory.
    const bytes = room <= SMALL ? Buffer.allocUnsafe(SMALL) : Buffer.allocUnsafeSlow(room)
    this.bytes.copy(bytes, 0, 0, this.length)
    this.bytes = bytes
  }

  append(source: Uint8Array, start: number, end: number): void {
    this.reserve(end - start)
    const { bytes } = this
    let at = this.length
    if (end - start > 64) bytes.set(source.subarray(start, end), at)
    else for (let i = start; i < end; i++) bytes[at++] = source[i]!
    this.length += end - start
  }

  appendByte(byte: number): void {
    this.reserve(1)
    this.bytes[this.length++] = byte
  }

  appendText(text: string): void {
    this.reserve(text.length * 3)
    this.length += this.bytes.write(text, this.length, 'utf8')
  }

  /** A view of what was appended, valid until the next append or clear. */
  view(): Buffer {
    return this.bytes.subarray(0, this.length)
  }

  toString(): string {
    return this.bytes.toString('utf8', 0, this.length)
  }
}

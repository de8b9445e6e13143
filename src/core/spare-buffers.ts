/*
 * Buffers of batches that were read to their end, for the next ones: a scan goes through many times the memory that it
 * needs, and what lies outside of the heap is taken away late.
 */

/** Bytes that are kept at most, in a thread. */
const MOST = 16 * 1024 * 1024
/** Sizes are rounded up to this many bytes, so that one column's buffer does for its next part too. */
const STEP = 32 * 1024

const kept: ArrayBuffer[] = []
let keptBytes = 0
const made = new WeakSet<ArrayBuffer>()

/** A buffer of at least so many bytes, with anything in it; perhaps one that was given back. */
export function roomFor(bytes: number): ArrayBuffer {
  const size = Math.max(1, Math.ceil(bytes / STEP)) * STEP
  for (const [i, buffer] of kept.entries()) {
    if (buffer.byteLength < bytes || buffer.byteLength > 2 * size) continue
    kept[i] = kept.at(-1)!
    kept.pop()
    keptBytes -= buffer.byteLength
    made.add(buffer)
    return buffer
  }
  const buffer = new ArrayBuffer(bytes < STEP / 4 ? bytes : size)
  made.add(buffer)
  return buffer
}

/** Whether a buffer came from `roomFor` in this thread: whoever has it may give it away whole. */
export function isRoom(buffer: ArrayBuffer): boolean {
  return made.has(buffer)
}

/** Takes buffers that nobody reads any more. */
export function giveBack(buffers: readonly ArrayBuffer[]): void {
  for (const buffer of buffers) {
    if (buffer.byteLength < STEP / 4 || keptBytes + buffer.byteLength > MOST) continue
    kept.push(buffer)
    keptBytes += buffer.byteLength
  }
}

/** Most buffers that one system call takes, on every system. */
export const MAX_BUFFERS = 1024

/** What is left of the buffers once their first `written` bytes are on disk: a write may be short. */
export function after(buffers: readonly Uint8Array[], written: number): Uint8Array[] {
  let left = written
  let first = 0
  while (first < buffers.length && left >= buffers[first]!.length) left -= buffers[first++]!.length
  const rest = buffers.slice(first)
  if (left > 0) rest[0] = rest[0]!.subarray(left)
  return rest
}

/** The same bytes to be posted: a clone would take along all that a buffer is cut from, but for shared memory. */
export function cutOut(bytes: Uint8Array): Uint8Array {
  const { buffer, byteLength } = bytes
  return buffer instanceof ArrayBuffer && buffer.byteLength > byteLength ? Uint8Array.from(bytes) : bytes
}

/** Bytes of the buffers that other threads see as well. */
export function sharedBytes(buffers: readonly Uint8Array[]): number {
  let sum = 0
  for (const bytes of buffers) if (!(bytes.buffer instanceof ArrayBuffer)) sum += bytes.length
  return sum
}

import type { Input } from './inputs.ts'
import type { RowSource } from './load-rows.ts'

/** What takes a file's bytes as they come. */
export interface ChunkReader {
  /** Adds a block, which stays the caller's. */
  push(block: Buffer): void
  /** There is no more to come. */
  end(): void
}

/** Reads a file's bytes into a reader. */
export function openChunks(
  input: Input,
  signal: AbortSignal,
  reader: ChunkReader,
): Pick<RowSource, 'bytes' | 'more' | 'close'> {
  const chunks = input.chunks(signal)[Symbol.asyncIterator]()
  let bytes = 0
  return {
    bytes: () => bytes,
    more: async () => {
      const next = await chunks.next()
      if (next.done === true) {
        reader.end()
        return false
      }
      bytes += next.value.length
      reader.push(next.value)
      return true
    },
    close: async () => {
      await chunks.return?.()
    },
  }
}

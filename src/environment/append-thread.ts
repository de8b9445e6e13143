/* The start file of the thread that checksums and writes the logs of a session. */
import { writevSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
import { crc32 } from 'node:zlib'
import { after, MAX_BUFFERS } from './buffers.ts'
import type { AppendAnswer, AppendRequest } from './append-protocol.ts'

parentPort?.on('message', (request: AppendRequest) => {
  parentPort?.postMessage(answer(request))
})

function answer(request: AppendRequest): AppendAnswer {
  const { id } = request
  try {
    return { id, crc: append(request) }
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException
    return { id, error: { message, code } }
  }
}

function append({ descriptor, buffers, crc, seal }: AppendRequest): number {
  // The checksum of no bytes is 0, whatever it is begun with.
  const filled = [...buffers, seal].filter((bytes) => bytes.length > 0)
  let sum = crc
  for (const bytes of filled) sum = crc32(bytes, sum)
  let rest: readonly Uint8Array[] = [...filled, Buffer.from(`${sum.toString(16).padStart(8, '0')}\n`, 'latin1')]
  while (rest.length > 0) rest = after(rest, writevSync(descriptor, rest.slice(0, MAX_BUFFERS)))
  return sum
}

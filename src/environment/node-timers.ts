import type { Timers } from './environment.ts'

/** The longest delay that `setTimeout` takes: 24 days. */
const LONGEST = 2 ** 31 - 1

export class NodeTimers implements Timers {
  async sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    let left = milliseconds
    do {
      await nap(Math.min(left, LONGEST), signal)
      left -= LONGEST
    } while (left > 0)
  }

  after(milliseconds: number, call: () => void): () => void {
    const timer = setTimeout(call, milliseconds)
    return () => {
      clearTimeout(timer)
    }
  }

  yield(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve))
  }
}

function nap(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer)
      const reason: unknown = signal?.reason
      reject(reason instanceof Error ? reason : new Error(String(reason)))
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort)
      resolve()
    }, milliseconds)
    if (signal?.aborted === true) abort()
    else signal?.addEventListener('abort', abort, { once: true })
  })
}

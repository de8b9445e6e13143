import { Worker } from 'node:worker_threads'
import type { AppendAnswer, AppendRequest } from './append-protocol.ts'
import { cutOut } from './buffers.ts'

interface Waiting {
  readonly resolve: (crc: number) => void
  readonly reject: (error: Error) => void
}

/**
 * A thread that checksums and writes for the files of one disk. It is started by the first append, ends with the last
 * file that used it, and keeps no process alive.
 */
export class Appender {
  readonly #entry: URL
  readonly #users = new Set<object>()
  readonly #waiting = new Map<number, Waiting>()
  #worker: Worker | undefined
  #nextId = 0

  /** @param entry the compiled `append-thread.js` */
  constructor(entry: URL) {
    this.#entry = entry
  }

  /** Whether the thread runs. */
  get started(): boolean {
    return this.#worker !== undefined
  }

  /**
   * Appends to an open file; gives the checksum. Rejects with the system's error, or where the thread ended meanwhile:
   * what is in the file then isn't known.
   * @param user the file, until `leave`
   */
  append(user: object, request: Omit<AppendRequest, 'id'>): Promise<number> {
    this.#users.add(user)
    const worker = (this.#worker ??= this.#start())
    return new Promise((resolve, reject) => {
      const id = this.#nextId++
      this.#waiting.set(id, { resolve, reject })
      worker.ref()
      const { descriptor, buffers, crc, seal } = request
      const message: AppendRequest = { id, descriptor, buffers: buffers.map(cutOut), crc, seal: cutOut(seal) }
      worker.postMessage(message)
    })
  }

  /** The file is closed. */
  async leave(user: object): Promise<void> {
    if (!this.#users.delete(user) || this.#users.size > 0) return
    await this.terminate()
  }

  /** Ends the thread at once. */
  async terminate(): Promise<void> {
    const worker = this.#worker
    this.#worker = undefined
    await worker?.terminate()
  }

  #start(): Worker {
    const worker = new Worker(this.#entry, { name: 'merganser oplogs', stdin: false })
    let failure: Error | undefined
    worker.on('message', (answer: AppendAnswer) => {
      this.#answer(worker, answer)
    })
    worker.on('error', (error: unknown) => {
      failure = error instanceof Error ? error : new Error(String(error))
    })
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = undefined
      const ended = new Error('the thread that writes the oplogs ended', { cause: failure })
      for (const { reject } of this.#waiting.values()) reject(ended)
      this.#waiting.clear()
    })
    return worker
  }

  #answer(worker: Worker, answer: AppendAnswer): void {
    const waiting = this.#waiting.get(answer.id)
    this.#waiting.delete(answer.id)
    if (this.#waiting.size === 0) worker.unref()
    if ('crc' in answer) waiting?.resolve(answer.crc)
    else {
      const { message, code } = answer.error
      waiting?.reject(Object.assign(new Error(message), code === undefined ? {} : { code }))
    }
  }
}

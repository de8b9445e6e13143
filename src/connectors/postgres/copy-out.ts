import type { Connection, Submittable } from 'pg'
import type { Socket } from 'node:net'

/** Messages of the protocol that may come before the end of a COPY: its data, its beginning, and three by the way. */
const DATA = 0x64 // d
const BY_THE_WAY = new Set([0x48, 0x53, 0x4e, 0x41]) // H, S, N, A: CopyOutResponse, ParameterStatus, Notice, Notification
/** The code and the length of a message. */
const HEAD = 5

/** What came of a message of a COPY that is worth handing on; undefined where nothing did yet. */
export type TakeMessage<T> = (data: Buffer, start: number, end: number) => T | undefined

/**
 * A COPY … TO STDOUT as a query of `pg`, read from the socket itself: each message of data is shown where it came in,
 * without a copy, and the reader gets only what `take` makes of them. PostgreSQL sends one message a row. All else goes
 * on to `pg`. While so many things wait for the reader, nothing is read.
 */
export class CopyOut<T> implements Submittable {
  readonly #text: string
  readonly #take: TakeMessage<T>
  readonly #ahead: number
  readonly #made: T[] = []
  #socket: Socket | undefined
  /** What `pg` listens to the socket with. */
  #listener: ((data: Buffer) => void) | undefined
  /** A message that hasn't come whole, and the bytes that are needed to go on. */
  #rest: Buffer[] = []
  #held = 0
  #needed = 0
  #ended = false
  #failure: Error | undefined
  #wake: (() => void) | undefined
  /** Bytes that came so far. */
  bytes = 0
  /** Set by `pg`: ends its own limit of a query. */
  callback: (() => void) | undefined

  constructor(text: string, ahead: number, take: TakeMessage<T>) {
    this.#text = text
    this.#ahead = ahead
    this.#take = take
  }

  submit(connection: Connection): void {
    const socket = (connection as unknown as { readonly stream: Socket }).stream
    this.#socket = socket
    this.#listener = socket.listeners('data')[0] as (data: Buffer) => void
    socket.off('data', this.#listener)
    socket.on('data', this.#onData)
    connection.query(this.#text)
  }

  handleError(error: Error): void {
    this.#failure = error
    this.#end()
  }

  handleReadyForQuery(): void {
    this.#end()
  }

  /** `pg` calls these of every query. */
  handleCommandComplete(): void {
    this.#detach(undefined)
  }

  handleRowDescription(): void {
    this.#detach(undefined)
  }

  /** Whether `next` would wait. */
  get waits(): boolean {
    return this.#made.length === 0 && !this.#ended
  }

  /** The next thing that was made; undefined at the end. Throws what the server or the connection says. */
  async next(): Promise<T | undefined> {
    while (this.waits) {
      this.#socket?.resume()
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    const made = this.#made.shift()
    if (made !== undefined) {
      if (this.#made.length < this.#ahead) this.#socket?.resume()
      return made
    }
    if (this.#failure !== undefined) throw this.#failure
    return undefined
  }

  readonly #onData = (chunk: Buffer): void => {
    this.bytes += chunk.length
    const data = this.#joined(chunk)
    if (data === undefined) return
    try {
      const end = this.#parse(data)
      if (end !== undefined) this.#detach(data.subarray(end))
    } catch (error) {
      // What `take` can't read: the connection is of no use any more.
      this.#failure = error instanceof Error ? error : new Error(String(error))
      this.#ended = true
      this.#socket?.destroy()
    }
    if (this.#made.length >= this.#ahead && !this.#ended) this.#socket?.pause()
    if (!this.waits) this.#call()
  }

  /** The bytes that weren't used yet and those that came; undefined where a message isn't whole yet. */
  #joined(chunk: Buffer): Buffer | undefined {
    if (this.#rest.length === 0) return chunk
    this.#rest.push(chunk)
    this.#held += chunk.length
    if (this.#held < this.#needed) return undefined
    const all = Buffer.concat(this.#rest, this.#held)
    this.#rest = []
    return all
  }

  /** Where the first message stands that isn't for here; undefined where all are. */
  #parse(data: Buffer): number | undefined {
    const length = data.length
    let at = 0
    let needed = HEAD
    while (at + HEAD <= length) {
      const code = data[at]!
      if (code !== DATA && !BY_THE_WAY.has(code)) return at
      needed = 1 + data.readInt32BE(at + 1)
      if (at + needed > length) break
      if (code === DATA) {
        const made = this.#take(data, at + HEAD, at + needed)
        if (made !== undefined) this.#made.push(made)
      }
      at += needed
      needed = HEAD
    }
    if (at === length) return undefined
    // A copy where little is left, so that the piece it came in can go.
    this.#rest = [length - at <= 4096 ? Buffer.from(data.subarray(at)) : data.subarray(at)]
    this.#held = length - at
    this.#needed = needed
    return undefined
  }

  /** Gives the socket back to `pg`, and what is its. */
  #detach(rest: Buffer | undefined): void {
    const socket = this.#socket
    const listener = this.#listener
    if (socket === undefined || listener === undefined) return
    this.#listener = undefined
    socket.off('data', this.#onData)
    socket.on('data', listener)
    socket.resume()
    if (rest !== undefined) listener(rest)
  }

  #end(): void {
    this.#detach(undefined)
    this.#ended = true
    this.callback?.()
    this.#call()
  }

  #call(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}

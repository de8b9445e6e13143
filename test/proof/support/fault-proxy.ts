import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** What a proxy does to everything that passes, until it is healed. */
export type Slowness =
  | { readonly kind: 'delay'; readonly milliseconds: number }
  /** Answers go in pieces of so many bytes. */
  | { readonly kind: 'slow drip'; readonly bytes: number; readonly milliseconds: number }

/** Tells the request that makes a write of a server durable. */
export type IsCommit = (request: Buffer) => boolean

interface Line {
  readonly client: Socket
  readonly server: Socket
  /** Answers that still pass before the line is cut; undefined where it isn't to be cut. */
  cutAfter: number | undefined
  /** Nothing passes any more and no end is told: what lies between forgot it. */
  forgotten: boolean
}

/**
 * A TCP proxy before a server that goes wrong on demand. `injected` counts what really came to some connection, not what
 * was asked for.
 */
export class FaultProxy {
  readonly injected = new Map<string, number>()
  readonly #target: { readonly host: string; readonly port: number }
  readonly #isCommit: IsCommit
  readonly #server: Server
  readonly #lines = new Set<Line>()
  #slow: Slowness | undefined
  #slowed = false
  /** While it is there, nothing passes; it resolves at the end of that. */
  #hole: { readonly over: Promise<void>; readonly end: () => void; met: boolean } | undefined
  /** What to do at the next commit. */
  #atCommit: ((line: Line) => Promise<void>) | undefined
  /** Bytes of answers that still pass before some connection is reset in the middle of one. */
  #cutWithin: number | undefined
  #closed = false

  private constructor(target: { host: string; port: number }, isCommit: IsCommit) {
    this.#target = target
    this.#isCommit = isCommit
    this.#server = createServer((client) => {
      this.#accept(client)
    })
  }

  /** Before a server, on a free port of loopback. */
  static async start(target: { host: string; port: number }, isCommit: IsCommit): Promise<FaultProxy> {
    const proxy = new FaultProxy(target, isCommit)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  slow(slowness: Slowness): void {
    this.#slow = slowness
    this.#slowed = false
  }

  /** Nothing passes, ends of connections neither. What was sent meanwhile arrives when it is healed, however late. */
  blackHole(): void {
    this.#hole ??= { ...gate(), met: false }
  }

  /**
   * All connections that there are go dead, and neither side hears of it but the server, after so many milliseconds, as by
   * its probes of connections that are silent. New ones are as they should be.
   */
  forget(probes: number): void {
    for (const line of this.#lines) {
      if (line.forgotten) continue
      line.forgotten = true
      setTimeout(() => line.server.resetAndDestroy(), probes).unref()
      this.#count('connection forgotten')
    }
  }

  /** Cuts all connections, with a reset. */
  reset(): void {
    for (const line of this.#lines) {
      cut(line)
      this.#count('reset')
    }
  }

  /** Cuts the next connection in the middle of an answer, after so many bytes. */
  cutAnswer(bytes: number): void {
    this.#cutWithin = bytes
  }

  /** Passes the next commit on, and so many answers; then cuts the connection instead of giving the next one. */
  cutAtCommit(answers: number): void {
    this.#atCommit = (line) => {
      line.cutAfter = answers
      return Promise.resolve()
    }
  }

  /** Holds the next commit back while `work` is done, then cuts its connection. */
  beforeCommit(name: string, work: () => Promise<void>): void {
    this.#atCommit = async (line) => {
      line.forgotten = true
      this.#count(name)
      await work()
      cut(line)
    }
  }

  /** Whether a cut that was asked for is still to come. */
  get armed(): boolean {
    return this.#atCommit !== undefined || this.#cutWithin !== undefined
  }

  /** Everything passes again, and late, what a black hole held. */
  heal(): void {
    this.#slow = undefined
    this.#atCommit = undefined
    this.#cutWithin = undefined
    const hole = this.#hole
    this.#hole = undefined
    hole?.end()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.heal()
    for (const line of this.#lines) cut(line)
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #accept(client: Socket): void {
    const server = connect(this.#target.port, this.#target.host)
    const line: Line = { client, server, cutAfter: undefined, forgotten: false }
    this.#lines.add(line)
    for (const socket of [client, server]) socket.setNoDelay(true).on('error', () => undefined)
    const pumps = [
      this.#pump(line, client, (chunk) => this.#request(line, chunk)),
      this.#pump(line, server, (chunk) => this.#answer(line, chunk)),
    ]
    void Promise.all(pumps).then(() => this.#lines.delete(line))
  }

  /** One direction of a connection, a chunk after the other; its end goes the same way. */
  async #pump(line: Line, from: Socket, pass: (chunk: Buffer) => Promise<void>): Promise<void> {
    try {
      for await (const chunk of from) {
        await this.#held(line)
        if (!line.forgotten) await pass(chunk as Buffer)
      }
    } catch {
      // It was cut, by either side or by us.
    }
    await this.#held(line)
    if (!line.forgotten || this.#closed) cut(line)
  }

  async #request(line: Line, chunk: Buffer): Promise<void> {
    const action = this.#atCommit
    if (action !== undefined && this.#isCommit(chunk)) {
      this.#atCommit = undefined
      await action(line)
    }
    if (this.#slow?.kind === 'delay') await this.#wait(this.#slow)
    if (!line.forgotten) await write(line.server, chunk)
  }

  async #answer(line: Line, chunk: Buffer): Promise<void> {
    if (line.cutAfter !== undefined && line.cutAfter-- === 0) {
      this.#count('cut reply at commit')
      cut(line)
      return
    }
    if (this.#cutWithin !== undefined) {
      if (chunk.length > this.#cutWithin) {
        const some = chunk.subarray(0, this.#cutWithin)
        this.#cutWithin = undefined
        this.#count('cut within a reply')
        await write(line.client, some)
        cut(line)
        return
      }
      this.#cutWithin -= chunk.length
    }
    for (let at = 0; at < chunk.length;) {
      const slow = this.#slow
      const end = slow?.kind === 'slow drip' ? at + slow.bytes : chunk.length
      if (slow !== undefined) await this.#wait(slow)
      await this.#held(line)
      if (line.forgotten) return
      await write(line.client, chunk.subarray(at, end))
      at = end
    }
  }

  async #wait(slow: Slowness): Promise<void> {
    if (!this.#slowed) this.#count(slow.kind)
    this.#slowed = true
    await sleep(slow.milliseconds)
  }

  async #held(line: Line): Promise<void> {
    for (let hole = this.#hole; hole !== undefined && !line.forgotten; hole = this.#hole) {
      if (!hole.met) this.#count('black hole')
      hole.met = true
      await hole.over
    }
  }

  #count(name: string): void {
    this.injected.set(name, (this.injected.get(name) ?? 0) + 1)
  }
}

function gate(): { over: Promise<void>; end: () => void } {
  let end = (): void => undefined
  const over = new Promise<void>((resolve) => (end = resolve))
  return { over, end }
}

function cut({ client, server }: Line): void {
  client.resetAndDestroy()
  server.resetAndDestroy()
}

/** Resolves when there is room for more, or nobody reads it any more. */
async function write(socket: Socket, chunk: Buffer): Promise<void> {
  if (socket.destroyed || socket.write(chunk)) return
  await new Promise<void>((resolve) => {
    const done = (): void => {
      socket.off('drain', done).off('close', done)
      resolve()
    }
    socket.once('drain', done).once('close', done)
  })
}

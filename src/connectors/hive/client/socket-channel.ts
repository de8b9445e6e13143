import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { ChannelError, channelError, LONGEST_ANSWER, type Channel } from './channel.ts'
import type { HiveConfig } from './config.ts'
import { MessageEnd } from './message-end.ts'
import { saslAnswer, saslHello } from './sasl.ts'
import { tlsOptions } from './tls.ts'

interface Waiting {
  resolve(answer: Buffer): void
  reject(error: ChannelError): void
}

/** Opens a socket, makes TLS of it and signs in, as the configuration says. Rejects with a ChannelError. */
export async function openSocketChannel(config: HiveConfig, milliseconds: number): Promise<Channel> {
  const { host, port } = config
  const tls = await tlsOptions(config)
  const socket = tls === undefined ? connectPlain({ host, port }) : connectTls({ host, port, ...tls })
  const channel = new SocketChannel(socket, config.auth !== 'nosasl')
  const timer = setTimeout(() => {
    channel.fail(new ChannelError(channel.reached ? 'silent' : 'unreachable', 'no answer within the time limit'))
  }, milliseconds)
  try {
    await channel.opened(tls === undefined ? 'connect' : 'secureConnect')
    if (config.auth !== 'nosasl') await channel.signIn(saslHello(config.user, config.password ?? 'none'))
  } finally {
    clearTimeout(timer)
  }
  return channel
}

/** Answers come in the order of the messages; behind SASL each has its length before it, else its end is looked for. */
class SocketChannel implements Channel {
  /** Somebody listens there. */
  reached = false
  private failure: ChannelError | undefined
  private signingIn = false
  private readonly waiting: Waiting[] = []
  private buffer = Buffer.alloc(64 << 10)
  private filled = 0
  private end = new MessageEnd()
  private readonly socket: Socket
  private readonly framed: boolean

  constructor(socket: Socket, framed: boolean) {
    this.socket = socket
    this.framed = framed
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 30_000)
    socket.on('connect', () => {
      this.reached = true
    })
    socket.on('error', (error) => {
      this.fail(channelError(error))
    })
    socket.on('close', () => {
      this.fail(new ChannelError('closed', 'the connection was closed'))
    })
    socket.on('end', () => {
      this.fail(new ChannelError('closed', 'the server closed the connection'))
    })
    socket.on('data', (bytes) => {
      try {
        this.receive(bytes)
      } catch (error) {
        this.fail(channelError(error))
      }
    })
  }

  get lost(): boolean {
    return this.failure !== undefined
  }

  async opened(event: 'connect' | 'secureConnect'): Promise<void> {
    await new Promise<Buffer>((resolve, reject) => {
      this.wait({ resolve, reject })
      this.socket.once(event, () => this.waiting.shift()?.resolve(Buffer.alloc(0)))
    })
  }

  async signIn(hello: Buffer): Promise<void> {
    this.signingIn = true
    await new Promise<Buffer>((resolve, reject) => {
      this.wait({ resolve, reject })
      this.socket.write(hello)
    })
  }

  async exchange(message: Buffer, milliseconds: number): Promise<Buffer> {
    return await new Promise<Buffer>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.fail(new ChannelError('silent', 'no answer within the time limit'))
      }, milliseconds)
      this.wait({
        resolve: (answer) => {
          clearTimeout(timer)
          resolve(answer)
        },
        reject: (error) => {
          clearTimeout(timer)
          reject(error)
        },
      })
      if (this.lost) return
      if (this.framed) {
        const length = Buffer.alloc(4)
        length.writeUInt32BE(message.length)
        this.socket.write(length)
      }
      this.socket.write(message)
    })
  }

  destroy(): void {
    this.fail(new ChannelError('closed', 'the connection was cut'))
  }

  fail(error: ChannelError): void {
    if (this.failure !== undefined) return
    this.failure = error
    this.socket.destroy()
    for (const one of this.waiting.splice(0)) one.reject(error)
  }

  private wait(one: Waiting): void {
    if (this.failure === undefined) this.waiting.push(one)
    else one.reject(this.failure)
  }

  private receive(bytes: Buffer): void {
    if (this.lost) return
    this.append(bytes)
    for (;;) {
      const found = this.next()
      if (found === undefined) return
      const one = this.waiting.shift()
      if (one === undefined) throw new ChannelError('foreign', 'an answer without a question')
      one.resolve(found)
    }
  }

  private append(bytes: Buffer): void {
    if (this.filled + bytes.length > this.buffer.length) {
      const larger = Buffer.alloc(Math.max(this.buffer.length * 2, this.filled + bytes.length))
      this.buffer.copy(larger, 0, 0, this.filled)
      this.buffer = larger
    }
    bytes.copy(this.buffer, this.filled)
    this.filled += bytes.length
  }

  /** Takes the next whole answer out of the buffer. */
  private next(): Buffer | undefined {
    if (this.filled === 0) return undefined
    const bytes = this.buffer.subarray(0, this.filled)
    if (this.signingIn) {
      const length = saslAnswer(bytes)
      if (length === undefined) return undefined
      this.signingIn = false
      return this.take(0, length)
    }
    if (this.framed) {
      if (bytes.length < 4) return undefined
      const length = bytes.readUInt32BE(0)
      if (length > LONGEST_ANSWER) throw new ChannelError('foreign', 'the answer has no length')
      return bytes.length < 4 + length ? undefined : this.take(4, 4 + length)
    }
    const length = this.end.find(bytes)
    if (length === undefined) return undefined
    this.end = new MessageEnd()
    return this.take(0, length)
  }

  private take(start: number, end: number): Buffer {
    const answer = Buffer.from(this.buffer.subarray(start, end))
    this.buffer.copy(this.buffer, 0, end, this.filled)
    this.filled -= end
    return answer
  }
}

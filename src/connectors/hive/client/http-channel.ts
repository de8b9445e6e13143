import { Agent as PlainAgent, request as plainRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { Agent as TlsAgent, request as tlsRequest } from 'node:https'
import { ChannelError, channelError, LONGEST_ANSWER, type Channel } from './channel.ts'
import type { HiveConfig } from './config.ts'
import { tlsOptions } from './tls.ts'

const CONNECTIONS = 2

/** Sends each message as an HTTP request, with the cookies that the server gave. Nothing is sent yet. */
export async function openHttpChannel(config: HiveConfig): Promise<Channel> {
  const tls = await tlsOptions(config)
  const agent =
    tls === undefined
      ? new PlainAgent({ keepAlive: true, maxSockets: CONNECTIONS })
      : new TlsAgent({ keepAlive: true, maxSockets: CONNECTIONS, ...tls })
  return new HttpChannel(tls === undefined ? plainRequest : tlsRequest, {
    agent,
    host: config.host,
    port: config.port,
    method: 'POST',
    path: `/${(config.httpPath ?? 'cliservice').replace(/^\//, '')}`,
    auth: `${config.user}:${config.password ?? 'none'}`,
    headers: hostHeader(config),
  })
}

/** A server behind TLS may answer only to the name that its certificate has. */
function hostHeader({ tls, port }: HiveConfig): Record<string, string> {
  const name = tls === false ? undefined : tls.serverName
  return name === undefined ? {} : { Host: `${name}:${String(port)}` }
}

class HttpChannel implements Channel {
  private failure: ChannelError | undefined
  private readonly cookies = new Map<string, string>()
  private readonly send: typeof plainRequest
  private readonly options: RequestOptions

  constructor(send: typeof plainRequest, options: RequestOptions) {
    this.send = send
    this.options = options
  }

  get lost(): boolean {
    return this.failure !== undefined
  }

  async exchange(message: Buffer, milliseconds: number): Promise<Buffer> {
    if (this.failure !== undefined) throw this.failure
    try {
      return await this.post(message, milliseconds)
    } catch (error) {
      this.failure ??= channelError(error)
      this.destroy()
      throw this.failure
    }
  }

  destroy(): void {
    this.failure ??= new ChannelError('closed', 'the connection was cut')
    if (this.options.agent instanceof PlainAgent) this.options.agent.destroy()
  }

  private async post(message: Buffer, milliseconds: number): Promise<Buffer> {
    return await new Promise<Buffer>((resolve, reject) => {
      const request = this.send({ ...this.options, headers: this.headers(message) }, (response) => {
        const chunks: Buffer[] = []
        let length = 0
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk)
          length += chunk.length
          if (length > LONGEST_ANSWER) request.destroy(new ChannelError('foreign', 'the answer has no end'))
        })
        response.on('error', reject)
        response.on('end', () => {
          const failure = refusal(response)
          this.keepCookies(response)
          if (failure === undefined) resolve(Buffer.concat(chunks))
          else reject(failure)
        })
      })
      const timer = setTimeout(() => {
        request.destroy(new ChannelError('silent', 'no answer within the time limit'))
      }, milliseconds)
      request.on('error', reject)
      request.on('close', () => {
        clearTimeout(timer)
        reject(new ChannelError('closed', 'the connection was closed'))
      })
      request.end(message)
    })
  }

  private headers(message: Buffer): Record<string, string> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    return {
      ...(this.options.headers as Record<string, string>),
      'Content-Type': 'application/x-thrift',
      'Content-Length': String(message.length),
      'X-XSRF-HEADER': 'true',
      ...(cookie === '' ? {} : { Cookie: cookie }),
    }
  }

  private keepCookies(response: IncomingMessage): void {
    for (const line of response.headers['set-cookie'] ?? []) {
      const [, name, value] = /^\s*([^=;\s]+)=([^;]*)/.exec(line) ?? []
      if (name !== undefined && value !== undefined) this.cookies.set(name, value)
    }
  }
}

function refusal(response: IncomingMessage): ChannelError | undefined {
  const status = response.statusCode ?? 0
  const type = response.headers['content-type'] ?? ''
  if (status === 401 || status === 403) return new ChannelError('credentials', `HTTP ${String(status)}`)
  if (status === 404) return new ChannelError('path', 'HTTP 404')
  if (status !== 200 || !type.includes('thrift')) return new ChannelError('foreign', `HTTP ${String(status)}`)
  return undefined
}

import type { TSessionHandle } from './generated/hive-protocol_types.js'
import type { Channel } from './channel.ts'
import type { HiveConfig } from './config.ts'
import type { HiveBlock, HiveConnection, StatementOptions } from './connection.ts'
import { openHttpChannel } from './http-channel.ts'
import { Operation, Stopped, type Limits } from './operation.ts'
import { Protocol } from './protocol.ts'
import { openingError, runningError } from './refusals.ts'
import { openSocketChannel } from './socket-channel.ts'

/** V10; columns come from V6 on, which Hive 0.13 had. */
const PROTOCOL_VERSION = 9
const DBMS_VERSION = 18
const FETCH_ROWS = 10_000

/**
 * Opens a session on a connection of its own, within `connectMilliseconds`. Errors: DATABASE_UNREACHABLE (nobody there,
 * or another protocol: the advice names the likely mismatch), DATABASE_REFUSED (user, password, certificate, database,
 * settings), BAD_CONFIG. `replica` is named in all errors.
 */
export async function connect(config: HiveConfig, replica?: string): Promise<HiveConnection> {
  const deadline = performance.now() + config.connectMilliseconds
  const left = () => Math.max(1, deadline - performance.now())
  let channel: Channel | undefined
  try {
    channel = await (config.transport === 'http' ? openHttpChannel(config) : openSocketChannel(config, left()))
    const protocol = new Protocol(channel)
    const { sessionHandle } = await protocol.call('OpenSession', openingRequest(config), left())
    const { infoValue } = await protocol.call(
      'GetInfo',
      { sessionHandle: sessionHandle!, infoType: DBMS_VERSION },
      left(),
    )
    return new Connection({
      protocol,
      channel,
      session: sessionHandle!,
      version: infoValue.stringValue ?? '',
      limits: {
        statement: config.statementMilliseconds,
        answer: config.answerMilliseconds,
        cancel: config.cancelMilliseconds,
      },
      replica,
    })
  } catch (error) {
    channel?.destroy()
    throw openingError(error, config, replica)
  }
}

function openingRequest(config: HiveConfig) {
  const settings = Object.entries(config.settings).map(([name, value]) => [`set:hiveconf:${name}`, value])
  return {
    client_protocol: PROTOCOL_VERSION,
    username: config.user,
    ...(config.password === undefined ? {} : { password: config.password }),
    configuration: { ...(Object.fromEntries(settings) as Record<string, string>), 'use:database': config.database },
  }
}

interface Session {
  readonly protocol: Protocol
  readonly channel: Channel
  readonly session: TSessionHandle
  readonly version: string
  readonly limits: Limits
  readonly replica: string | undefined
}

class Connection implements HiveConnection {
  readonly version: string
  private readonly parts: Session
  private closing: Promise<void> | undefined

  constructor(parts: Session) {
    this.parts = parts
    this.version = parts.version
  }

  get lost(): boolean {
    return this.parts.channel.lost
  }

  async execute(statement: string, options: StatementOptions = {}): Promise<{ modifiedRows: bigint | undefined }> {
    const operation = this.operation(options)
    try {
      await operation.start(statement)
      const modifiedRows = await operation.finished()
      await operation.close()
      return { modifiedRows }
    } catch (error) {
      await operation.abandon()
      throw this.told(error)
    }
  }

  async *query(
    statement: string,
    options: StatementOptions & { readonly fetchRows?: number } = {},
  ): AsyncGenerator<HiveBlock, void, undefined> {
    const operation = this.operation(options)
    try {
      await operation.start(statement)
      await operation.finished()
      yield* operation.blocks(options.fetchRows ?? FETCH_ROWS)
    } catch (error) {
      throw this.told(error)
    } finally {
      await operation.abandon()
    }
  }

  async close(): Promise<void> {
    this.closing ??= this.end()
    await this.closing
  }

  destroy(): void {
    this.parts.channel.destroy()
  }

  private async end(): Promise<void> {
    const { protocol, session, channel, limits } = this.parts
    try {
      if (!channel.lost) await protocol.call('CloseSession', { sessionHandle: session }, limits.cancel)
    } catch {
      // It ends with the connection, or when the server gives it up.
    }
    channel.destroy()
  }

  private operation(options: StatementOptions): Operation {
    const { protocol, session, limits } = this.parts
    return new Operation(protocol, session, limits, options)
  }

  /** A caller's own reason to stop comes back as it is. */
  private told(error: unknown): unknown {
    return error instanceof Stopped ? error.reason : runningError(error, this.parts.replica)
  }
}

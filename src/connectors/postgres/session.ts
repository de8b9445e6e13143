import type { Client, QueryArrayResult } from 'pg'
import { MerganserError } from '../../core/errors.ts'
import { faultOf } from './faults.ts'

/** Where a server is and how long it may take. */
export interface SessionConfig {
  /** A host's name, or the directory of its socket. */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  /** The replica's name, for messages. */
  readonly replica: string
  readonly connectMilliseconds: number
  readonly statementMilliseconds: number
}

/** The server ends a statement at its limit; that much later we stop waiting for it to say so. */
const GRACE = 10_000

/** Everything that decides how values are written and read, whatever the server's own settings are. */
const settings = (statementMilliseconds: number): string =>
  `SET client_encoding = 'UTF8'; SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; SET extra_float_digits = 1;
   SET bytea_output = 'hex'; SET standard_conforming_strings = on; SET search_path = public, pg_temp;
   SET synchronous_commit = on; SET jit = off; SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = '60s';
   SET statement_timeout = ${String(statementMilliseconds)}`

/**
 * One connection: a client of `pg` that never throws outside of a call, every wait with a limit, every error a
 * MerganserError. Work on it is done one after the other. Once `lost`, it stays so.
 */
export class Session {
  readonly #client: Client
  readonly #config: SessionConfig
  #tail: Promise<unknown> = Promise.resolve()
  #lost: MerganserError | undefined
  readonly #done = new Set<string>()
  #closing = false

  private constructor(client: Client, config: SessionConfig) {
    this.#client = client
    this.#config = config
    // Without a listener an error of an idle connection would end the process.
    client.on('error', (error) => {
      this.#lost ??= faultOf(error, config.replica)
    })
    client.on('end', () => {
      this.#lost ??= new MerganserError('CONNECTION_LOST', 'PostgreSQL ended the connection', {
        place: { replica: config.replica },
      })
    })
  }

  /** Connects; the library is loaded here. Throws CONNECTION_LOST or DATABASE_REFUSED. */
  static async connect(config: SessionConfig): Promise<Session> {
    const { default: pg } = await import('pg')
    const client = new pg.Client({
      host: config.host,
      port: config.port,
      user: config.user,
      database: config.database,
      ssl: false,
      application_name: 'merganser',
      connectionTimeoutMillis: config.connectMilliseconds,
      query_timeout: config.statementMilliseconds + GRACE,
      keepAlive: true,
      types: { getTypeParser: () => (text: string | Buffer) => text },
    })
    const session = new Session(client, config)
    try {
      await client.connect()
      await client.query(settings(config.statementMilliseconds))
    } catch (error) {
      session.destroy()
      throw faultOf(error, config.replica)
    }
    return session
  }

  get lost(): boolean {
    return this.#lost !== undefined
  }

  /** Runs `work` after all that was asked for before it. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work)
    this.#tail = result.catch(() => undefined)
    return result
  }

  /** One statement; every column comes as PostgreSQL's text of it. */
  async query(text: string, values?: readonly unknown[]): Promise<QueryArrayResult<(string | null)[]>> {
    this.#check()
    try {
      return await this.#client.query<(string | null)[]>({
        text,
        rowMode: 'array',
        ...(values === undefined ? {} : { values: [...values] }),
      })
    } catch (error) {
      throw this.#failed(error)
    }
  }

  /** Runs `work` in a transaction, which is rolled back where it throws. */
  async transaction<T>(work: () => Promise<T>): Promise<T> {
    await this.query('BEGIN')
    let result: T
    try {
      result = await work()
    } catch (error) {
      // The first error is the one to tell; a failed rollback means a lost connection, which the next call finds.
      if (!this.lost) await this.query('ROLLBACK').catch(() => undefined)
      throw error
    }
    await this.query('COMMIT')
    return result
  }

  /** Runs a statement that need not be repeated on this connection. */
  async once(text: string): Promise<void> {
    if (this.#done.has(text)) return
    await this.query(text)
    this.#done.add(text)
  }

  /** Feeds a COPY … FROM STDIN. */
  async copyIn(text: string, chunks: Iterable<Buffer>): Promise<void> {
    this.#check()
    const [{ from }, { Readable }, { pipeline }] = await Promise.all([
      import('pg-copy-streams'),
      import('node:stream'),
      import('node:stream/promises'),
    ])
    const timer = this.#limit()
    try {
      await pipeline(Readable.from(chunks, { objectMode: true, highWaterMark: 2 }), this.#client.query(from(text)))
    } catch (error) {
      throw this.#failed(error)
    } finally {
      clearTimeout(timer)
    }
  }

  /** The bytes of a COPY … TO STDOUT, as they come. Each wait for more has the statement's time limit. */
  async *copyOut(text: string): AsyncGenerator<Buffer> {
    this.#check()
    const { to } = await import('pg-copy-streams')
    const stream = this.#client.query(to(text))
    const pieces = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>
    try {
      for (;;) {
        const timer = this.#limit()
        const next = await pieces.next().finally(() => {
          clearTimeout(timer)
        })
        if (next.done === true) return
        yield next.value
      }
    } catch (error) {
      throw this.#failed(error)
    } finally {
      // pg's own limit of a query ends with its callback, which the stream of a COPY doesn't call: its timer would
      // keep the process alive, and fail a stream that has ended.
      ;(stream as unknown as { callback?: () => void }).callback?.()
    }
  }

  /** Ends the connection in order, or at once where something is still running on it. Idempotent. */
  async close(): Promise<void> {
    if (this.#closing) return
    this.#closing = true
    let timer: NodeJS.Timeout | undefined
    const idle = await Promise.race([
      this.#tail.then(() => true),
      new Promise<false>((resolve) => {
        timer = setTimeout(resolve, 0, false)
      }),
    ])
    clearTimeout(timer)
    if (!idle || this.lost) {
      this.destroy()
      return
    }
    timer = setTimeout(() => {
      this.destroy()
    }, 2000)
    await this.#client.end().catch(() => undefined)
    clearTimeout(timer)
  }

  /** Cuts the connection: what runs on it fails. */
  destroy(): void {
    this.#lost ??= new MerganserError('CONNECTION_LOST', 'the connection to PostgreSQL was cut', {
      place: { replica: this.#config.replica },
    })
    // Ends without waiting for an answer, and rejects what waits for one.
    const stream = (this.#client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream
    this.#client.end().catch(() => undefined)
    stream.destroy()
  }

  #check(): void {
    if (this.#lost !== undefined) throw this.#lost
  }

  #limit(): NodeJS.Timeout {
    return setTimeout(() => {
      this.destroy()
    }, this.#config.statementMilliseconds + GRACE)
  }

  #failed(error: unknown): unknown {
    if (error instanceof MerganserError) return error
    // After a wait that ran out, or a broken stream, answers could be taken for those of another statement.
    const fault = faultOf(error, this.#config.replica)
    if (fault.code === 'CONNECTION_LOST') {
      this.#lost ??= fault
      this.destroy()
      return this.#lost
    }
    return error
  }
}

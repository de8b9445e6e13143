import type { Client, QueryArrayResult } from 'pg'
import { MerganserError } from '../../core/errors.ts'
import type { TakeMessage } from './copy-out.ts'
import { faultOf } from './faults.ts'
import { quoted } from './layout.ts'
import type { Tls } from './tls.ts'

/** Where a server is and how long it may take. */
export interface SessionConfig {
  /** A host's name, or the directory of its socket. */
  readonly host: string
  readonly port: number
  readonly user: string
  /** Without one: PGPASSWORD, then the password file. */
  readonly password?: string
  readonly database: string
  /** Without TLS where it isn't given. */
  readonly tls?: Tls
  /** Where Merganser's tables are; `public` where it isn't given. */
  readonly schema?: string
  readonly applicationName?: string
  /** Settings of the session, as `options` of libpq. */
  readonly options?: string
  /** The replica's name, for messages. */
  readonly replica: string
  readonly connectMilliseconds: number
  readonly statementMilliseconds: number
}

/** The server ends a statement at its limit; that much later, or twice the limit, we stop waiting for it to say so. */
const GRACE = 10_000
/** A scan must go on by that many bytes within the time limit of a statement. */
const SCAN_STEP = 64 * 1024
/** Things that are made of a scan ahead of its reader. */
const SCAN_AHEAD = 2

/**
 * Everything that decides how values are written and read, whatever the server's own settings are; and how soon the
 * server notices that the network lost us, since the owner's lock lives as long as its connection there.
 */
const settings = ({ schema = 'public', statementMilliseconds }: SessionConfig): string =>
  `SET client_encoding = 'UTF8'; SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; SET extra_float_digits = 1;
   SET bytea_output = 'hex'; SET standard_conforming_strings = on; SET search_path = ${quoted(schema)}, pg_temp;
   SET synchronous_commit = on; SET jit = off; SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = '60s';
   SET default_transaction_isolation = 'read committed'; SET row_security = off; SET quote_all_identifiers = off;
   SET statement_timeout = ${String(statementMilliseconds)};
   SET tcp_keepalives_idle = 15; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;
   SET tcp_user_timeout = '30s'`

const waitLimit = (config: SessionConfig): number =>
  config.statementMilliseconds + Math.min(GRACE, config.statementMilliseconds)

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
  #running = 0

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
  static async connect(config: SessionConfig, signal?: AbortSignal): Promise<Session> {
    const { default: pg } = await import('pg')
    signal?.throwIfAborted()
    const client = new pg.Client({
      host: config.host,
      port: config.port,
      user: config.user,
      password: config.password,
      database: config.database,
      // A copy: pg hides the key in what it is given.
      ssl: config.tls === undefined || config.tls === false ? false : { ...config.tls },
      application_name: config.applicationName ?? 'merganser',
      options: config.options,
      connectionTimeoutMillis: config.connectMilliseconds,
      query_timeout: waitLimit(config),
      keepAlive: true,
      types: { getTypeParser: () => (text: string | Buffer) => text },
    })
    const session = new Session(client, config)
    const cut = (): void => {
      session.destroy()
    }
    signal?.addEventListener('abort', cut, { once: true })
    try {
      await client.connect()
      await client.query(settings(config))
    } catch (error) {
      session.destroy()
      signal?.throwIfAborted()
      throw faultOf(error, config.replica)
    } finally {
      signal?.removeEventListener('abort', cut)
    }
    return session
  }

  get config(): SessionConfig {
    return this.#config
  }

  /** The number of the process that serves it, as the server (or a pooler before it) said when it connected. */
  get processId(): number {
    return (this.#client as unknown as { processID: number }).processID
  }

  get lost(): boolean {
    return this.#lost !== undefined
  }

  /** Whether something runs on it, or waits to. */
  get busy(): boolean {
    return this.#running > 0
  }

  /** Runs `work` after all that was asked for before it. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    this.#running++
    const result = this.#tail.then(work).finally(() => {
      this.#running--
    })
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
    const { command } = await this.query('COMMIT')
    if (command !== 'COMMIT') throw new MerganserError('BUG', 'a transaction that had failed was committed')
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

  /**
   * What `take` makes of the messages of a COPY … TO STDOUT; a few are made ahead of the reader. The time limit of a
   * statement is that of a step of it, not counting what the reader takes.
   */
  async *copyOut<T>(text: string, take: TakeMessage<T>): AsyncGenerator<T> {
    this.#check()
    const { CopyOut } = await import('./copy-out.ts')
    const copy = this.#client.query(new CopyOut(text, SCAN_AHEAD, take))
    try {
      for (;;) {
        const stop = copy.waits ? this.#limitSteps(copy) : undefined
        const made = await copy.next().finally(stop)
        if (made === undefined) return
        yield made
      }
    } catch (error) {
      throw this.#failed(error)
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
    }, waitLimit(this.#config))
  }

  /** Cuts the connection where a COPY doesn't go on; gives what ends that. */
  #limitSteps(copy: { readonly bytes: number }): () => void {
    let before = copy.bytes
    let timer = setTimeout(check, waitLimit(this.#config))
    const cut = (): void => {
      this.destroy()
    }
    const again = (): NodeJS.Timeout => setTimeout(check, waitLimit(this.#config))
    function check(): void {
      if (copy.bytes - before < SCAN_STEP) {
        cut()
        return
      }
      before = copy.bytes
      timer = again()
    }
    return () => {
      clearTimeout(timer)
    }
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

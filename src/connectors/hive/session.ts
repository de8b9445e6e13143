import { MerganserError } from '../../core/errors.ts'
import type { HiveConfig } from './client/config.ts'
import type { HiveBlock, HiveConnection } from './client/connection.ts'
import { hiveFault } from './client/faults.ts'

/** What every session sets, whatever the server's defaults are; each of these changes what is stored or read. */
export const NEEDED: Readonly<Record<string, string>> = {
  'hive.variable.substitute': 'false',
  'hive.txn.xlock.mergeinsert': 'true',
  'hive.parquet.date.proleptic.gregorian.default': 'true',
  'orc.proleptic.gregorian': 'true',
  'hive.support.concurrency': 'true',
  'hive.txn.manager': 'org.apache.hadoop.hive.ql.lockmgr.DbTxnManager',
}

/**
 * What sessions set besides: no filters by the statistics of ORC files, which order texts by UTF-16; and for speed and
 * for servers that are strict.
 */
const WANTED: Readonly<Record<string, string>> = {
  'hive.optimize.index.filter': 'false',
  'hive.tez.dynamic.semijoin.reduction': 'false',
  'hive.fetch.task.conversion': 'more',
  'hive.compute.query.using.stats': 'false',
  'hive.query.results.cache.enabled': 'false',
  'hive.strict.checks.orderby.no.limit': 'false',
  // It looks for keys that a batch has twice, with a task of its own in each MERGE: ours have each key once.
  'hive.merge.cardinality.check': 'false',
}

/**
 * What not every version knows, so that a session can't be opened with it: it is set where it can be.
 *
 * Statements that write straight into a table's directory (from 4.0 on) keep manifests beside what they write, in
 * `-tmp.…`, where every reader meets them and fails: while the statement runs, and for ever if its server is killed.
 */
export const WHERE_KNOWN: Readonly<Record<string, string>> = { 'hive.acid.direct.insert.enabled': 'false' }

/** Whether a CREATE failed because something of its name is there. */
export function alreadyExists(error: unknown): boolean {
  return /already ?exists/i.test(hiveFault(error)?.text ?? '')
}

/** One session of HiveServer2; who wants it for several statements takes turns. */
export class Session {
  readonly connection: HiveConnection
  readonly #options: { readonly progress?: (message: string) => void; readonly signal?: AbortSignal }
  #idle: ((milliseconds: number) => void) | undefined
  #last: Promise<unknown> = Promise.resolve()

  private constructor(connection: HiveConnection, { progress, signal }: SessionOptions) {
    this.connection = connection
    this.#options = { ...(progress === undefined ? {} : { progress }), ...(signal === undefined ? {} : { signal }) }
  }

  /**
   * Opens a session with the settings that are needed; the first of a store looks whether the server took them.
   * Throws DATABASE_UNREACHABLE, DATABASE_REFUSED.
   */
  static async open(config: HiveConfig, options: SessionOptions): Promise<Session> {
    const { replica, check = false } = options
    const { connect } = await import('./client/connect.ts')
    const settings = { ...WANTED, ...config.settings, ...NEEDED }
    const connection = await connect({ ...config, settings }, replica)
    const session = new Session(connection, options)
    await session.#wish(config.settings)
    if (check) await session.#check(replica)
    return session
  }

  /** @param configured what stays as the configuration has it */
  async #wish(configured: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, value] of Object.entries(WHERE_KNOWN)) {
      if (name in configured) continue
      try {
        await this.connection.execute(`SET ${name}=${value}`)
      } catch (error) {
        if (hiveFault(error) !== undefined) continue
        this.connection.destroy()
        throw error
      }
    }
  }

  async #check(replica: string): Promise<void> {
    try {
      const { checkSettings } = await import('./client/settings.ts')
      const [wrong] = await checkSettings(this.connection, NEEDED)
      if (wrong === undefined) return
      throw new MerganserError('DATABASE_REFUSED', `Hive didn't take the setting ${wrong.name}=${wrong.expected}`, {
        place: { replica },
        advice: `set it in the server's hive-site.xml, or let sessions set it (hive.security.authorization.sqlstd.confwhitelist.append)`,
      })
    } catch (error) {
      this.connection.destroy()
      throw error
    }
  }

  /** Work of several statements with nothing between them. */
  async take<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const turn = this.#last.then(() => work(this))
    this.#last = turn.catch(() => undefined)
    return await turn
  }

  /** Work whose statements tell when nothing of them begins; for who has the session's turn. */
  async watched<T>(idle: (milliseconds: number) => void, work: () => Promise<T>): Promise<T> {
    this.#idle = idle
    try {
      return await work()
    } finally {
      this.#idle = undefined
    }
  }

  /** Runs a statement; how many rows it changed. */
  async execute(statement: string): Promise<number | undefined> {
    const { modifiedRows } = await this.connection.execute(statement, {
      ...this.#options,
      ...(this.#idle === undefined ? {} : { idle: this.#idle }),
    })
    return modifiedRows === undefined ? undefined : Number(modifiedRows)
  }

  /** Runs a CREATE; false where something of that name is there. */
  async create(statement: string): Promise<boolean> {
    try {
      await this.execute(statement)
      return true
    } catch (error) {
      if (alreadyExists(error)) return false
      throw error
    }
  }

  query(statement: string): AsyncIterable<HiveBlock> {
    return this.connection.query(statement, this.#options)
  }

  /** All rows of a small result. */
  async rows(statement: string): Promise<unknown[][]> {
    const rows: unknown[][] = []
    for await (const block of this.query(statement)) {
      for (let i = 0; i < block.rows; i++) {
        rows.push(block.columns.map(({ nulls, values }) => (nulls[i] === 1 ? null : values[i])))
      }
    }
    return rows
  }
}

export interface SessionOptions {
  readonly replica: string
  readonly progress?: ((message: string) => void) | undefined
  /** Cancels what runs, and whatever is begun later. */
  readonly signal?: AbortSignal | undefined
  /** Looks whether the server took the settings. */
  readonly check?: boolean
}

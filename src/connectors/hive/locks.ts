import { MerganserError } from '../../core/errors.ts'
import type { TableSchema } from '../../core/table.ts'
import { quoted } from './literals.ts'
import type { Session } from './session.ts'

/** How long nothing of a statement may begin before it is looked for who keeps it waiting, and until it is told again. */
const FIRST_MILLISECONDS = 1_000
const AGAIN_MILLISECONDS = 10_000

/** Columns of SHOW LOCKS. */
const LOCK = 0
const TABLE = 2
const STATE = 4
const BLOCKED_BY = 5
const TRANSACTION = 7
const USER = 10
const HOST = 11

interface Holder {
  readonly transaction: string
  readonly who: string
}

/** While a write of a table waits for its lock: says who holds it, for how long it has waited, and what to do. */
export class LockWatch {
  readonly #session: Session
  readonly #database: string
  readonly #table: TableSchema
  readonly #progress: ((message: string) => void) | undefined
  #next = FIRST_MILLISECONDS
  #looking = false
  #holder: Holder | undefined

  /** `session` is another one than that of the write. */
  constructor(session: Session, database: string, table: TableSchema, progress?: (message: string) => void) {
    this.#session = session
    this.#database = database
    this.#table = table
    this.#progress = progress
  }

  /** Nothing of the statement has begun after so many milliseconds. */
  idle(milliseconds: number): void {
    if (this.#looking || milliseconds < this.#next) return
    this.#looking = true
    this.#next = milliseconds + AGAIN_MILLISECONDS
    void this.#look(milliseconds)
  }

  /** What an error of the write means: at a time limit while somebody held the lock, that is the reason. */
  explained(error: unknown): unknown {
    const holder = this.#holder
    if (holder === undefined || !(error instanceof MerganserError)) return error
    if (error.code !== 'TIME_LIMIT' && error.code !== 'BACK_OFF') return error
    return new MerganserError('BACK_OFF', `the table ${this.#table.name} in Hive stayed locked by ${holder.who}`, {
      place: { ...error.place, table: this.#table.name },
      advice: adviceOf(holder),
      cause: error,
    })
  }

  async #look(milliseconds: number): Promise<void> {
    try {
      this.#holder = await this.#session.take((session) => this.#find(session))
      if (this.#holder === undefined) return
      const waited = String(Math.round(milliseconds / 1000))
      const what = `the table ${this.#table.name} in Hive is locked by ${this.#holder.who}`
      this.#progress?.(`${what}: waiting for ${waited} s; ${adviceOf(this.#holder)}`)
    } catch {
      // Only what is told depends on it.
    } finally {
      this.#looking = false
    }
  }

  async #find(session: Session): Promise<Holder | undefined> {
    const name = this.#table.name.toLowerCase().split('.').at(-1)
    const locks = (await session.rows(`SHOW LOCKS DATABASE ${quoted(this.#database)}`)).map((row) => row.map(String))
    const waiting = locks.filter((lock) => lock[TABLE] === name && lock[STATE] === 'WAITING')
    const blockers = new Set(waiting.map((lock) => lock[BLOCKED_BY]?.trim()))
    const held = locks.find((lock) => blockers.has(lock[LOCK]?.trim()) && lock[STATE] === 'ACQUIRED')
    if (held === undefined) return undefined
    const transaction = held[TRANSACTION]!
    return { transaction, who: `transaction ${transaction} of ${held[USER]!} on ${held[HOST]!}` }
  }
}

function adviceOf({ transaction }: Holder): string {
  return (
    `it ends by itself, of a process that died after hive.txn.timeout; ` +
    `ABORT TRANSACTIONS ${transaction} ends it at once`
  )
}

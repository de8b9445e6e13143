import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Document } from 'mongodb'
import { Long } from 'bson'
import { MerganserError } from '../../core/errors.ts'
import type { OpenContext, Owner, StoreMeta } from '../connector.ts'
import { faultOfCode, serverCode } from './faults.ts'
import type { Session } from './session.ts'

export const META = 'merganser_meta'
const ID = 'log'
const FORMAT = 1

/** A lease that nobody renewed for so long is taken over. Measured by who waits: no clocks are compared. */
const LEASE = 10_000
const RENEW = 2_000
/** How long a holder that renews its lease may keep us waiting: it may be ending. */
const WAIT = 4_000
const STEP = 100

/** The document of `merganser_meta` as it stands; undefined where there is none. */
export async function readMeta(session: Session): Promise<Document | undefined> {
  const found = await session.one(META, ID)
  if (found === undefined || (found['format'] ?? FORMAT) === FORMAT) return found
  throw new MerganserError('STATE_FORMAT', `the documents of ${session.replica} are of another format`, {
    place: { replica: session.replica },
    advice: 'use the version of merganser that wrote them, or a later one',
  })
}

export function storeMeta(found: Document | undefined): StoreMeta | undefined {
  if (typeof found?.['logId'] !== 'string') return undefined
  const { logId, inUse, highWater, position } = found
  return { logId, inUse: inUse === true, highWater: String(highWater), position: Number(position) }
}

/** Who holds the lease, for messages; undefined where nobody does. */
export function holderOf(found: Document | undefined): string | undefined {
  if (typeof found?.['token'] !== 'string') return undefined
  return typeof found['owner'] === 'string' ? found['owner'] : 'another process'
}

/**
 * The owner's lease (I9): a token in the document of `merganser_meta`, with a count that rises while the holder lives.
 * Every change of that document is guarded by the token, and a holder that couldn't renew it in time asks before it
 * goes on, so that a process that was stopped for a while fails rather than works beside its successor.
 */
export class Lease {
  readonly #session: Session
  readonly #token: string
  #renewed: number
  #lost: MerganserError | undefined
  #timer: NodeJS.Timeout | undefined
  #ended = false

  private constructor(session: Session, token: string, renewed: number) {
    this.#session = session
    this.#token = token
    this.#renewed = renewed
    this.#schedule()
  }

  /** Gives what was known of the log before it was marked as in use. Throws DATABASE_LOCKED. */
  static async take(session: Session, owner: Owner, context: OpenContext): Promise<[Lease, StoreMeta | undefined]> {
    const begun = performance.now()
    let seen = { count: '', since: begun }
    for (let waited = 0; ; waited++) {
      context.signal?.throwIfAborted()
      const found = await readMeta(session)
      const now = performance.now()
      const holder = holderOf(found)
      const count = `${String(found?.['token'])} ${String(found?.['renewals'])}`
      const alive = seen.count !== '' && count !== seen.count
      if (count !== seen.count) seen = { count, since: now }
      const same = owner.session !== undefined && found?.['session'] === owner.session
      if (holder === undefined || same || now - seen.since >= LEASE) {
        const token = randomUUID()
        if (await place(session, found, owner, token)) return [new Lease(session, token, now), storeMeta(found)]
        seen = { count: '', since: performance.now() }
        continue
      }
      if (alive && now - begun >= WAIT) throw locked(session.replica, holder)
      if (waited === 0) context.progress?.(`waiting for the lease of ${holder}`)
      await sleep(STEP, undefined, context.signal === undefined ? {} : { signal: context.signal })
    }
  }

  /** Throws DATABASE_LOCKED where the lease was lost. Asks the server where it could have been. */
  async check(): Promise<void> {
    if (this.#lost === undefined && performance.now() - this.#renewed > LEASE / 2) await this.#renew()
    if (this.#lost !== undefined) throw this.#lost
  }

  async writeMeta({ inUse, highWater, position }: Omit<StoreMeta, 'logId'>): Promise<void> {
    await this.#update({ $set: { inUse, highWater, position: Long.fromNumber(position) } })
    if (this.#lost !== undefined) throw this.#lost
  }

  /** Gives the lease back. */
  async release(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#timer)
    if (this.#lost === undefined) await this.#update({ $set: { token: null } })
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      // A renewal that failed is tried again; `check` tells when it is too late.
      void this.#renew()
        .catch(() => undefined)
        .then(() => {
          if (!this.#ended && this.#lost === undefined) this.#schedule()
        })
    }, RENEW)
    this.#timer.unref()
  }

  async #renew(): Promise<void> {
    const begun = performance.now()
    await this.#update({ $inc: { renewals: 1 }, $set: { renewed: new Date() } })
    if (this.#lost === undefined) this.#renewed = begun
  }

  async #update(change: Document): Promise<void> {
    const q = { _id: ID, token: { $eq: this.#token } }
    const answer = await guarded(this.#session, { q, u: change })
    if (answer !== 1) this.#lost ??= locked(this.#session.replica, 'another process, which took over the lease')
  }
}

/** Puts the owner into the document as it was found; false where someone was faster. */
async function place(session: Session, found: Document | undefined, owner: Owner, token: string): Promise<boolean> {
  const log = storeMeta(found)
  const fields = {
    format: FORMAT,
    logId: owner.logId,
    inUse: true,
    highWater: log?.highWater ?? '',
    // Another log has written nothing here yet; the rows, and so the high water, may be of any before it.
    position: Long.fromNumber(log?.logId === owner.logId ? log.position : 0),
    owner: owner.name,
    session: owner.session ?? null,
    token,
    renewals: 0,
    renewed: new Date(),
  }
  if (found === undefined) {
    const insert = { insert: META, documents: [{ _id: ID, ...fields }], writeConcern: session.writeConcern }
    const answer = await session.run(insert).catch((error: unknown) => {
      if (serverCode(error) === 11000) return { writeErrors: [{ code: 11000 }] }
      throw error
    })
    const [error] = (answer['writeErrors'] ?? []) as { code: number }[]
    if (error !== undefined && error.code !== 11000) throw faultOfCode(error.code, session.replica)
    return error === undefined
  }
  const q = {
    _id: ID,
    token: { $eq: (found['token'] as unknown) ?? null },
    renewals: { $eq: (found['renewals'] as unknown) ?? null },
  }
  return (await guarded(session, { q, u: { $set: fields } })) === 1
}

/** Documents that an update met. */
async function guarded(session: Session, update: { q: Document; u: Document }): Promise<number> {
  const answer = await session.run({ update: META, updates: [update], writeConcern: session.writeConcern })
  const [error] = (answer['writeErrors'] ?? []) as { code: number }[]
  if (error !== undefined) throw faultOfCode(error.code, session.replica)
  const concern = answer['writeConcernError'] as { code: number } | undefined
  if (concern !== undefined) throw faultOfCode(concern.code, session.replica)
  return Number(answer['n'])
}

function locked(replica: string, holder: string): MerganserError {
  return new MerganserError('DATABASE_LOCKED', `the database of ${replica} is in use by ${holder}`, {
    place: { replica },
    advice: 'wait for it to end, or stop it',
  })
}

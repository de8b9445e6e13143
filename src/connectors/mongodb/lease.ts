import { randomUUID } from 'node:crypto'
import type { Document } from 'mongodb'
import { Long } from 'bson'
import { MerganserError } from '../../core/errors.ts'
import { NodeClock } from '../../environment/node-clock.ts'
import { NodeTimers } from '../../environment/node-timers.ts'
import type { OpenContext, Owner, StoreMeta } from '../connector.ts'
import { LeaseKeeper, leaseTimes, momentOf, takeLease, type Holder, type LeaseWorld } from '../lease.ts'
import { faultOfCode, serverCode } from './faults.ts'
import type { Session } from './session.ts'

export const META = 'merganser_meta'
const ID = 'log'
const FORMAT = 1
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

/** Who holds the lease; undefined where nobody does. */
export function holderOf(found: Document | undefined): Holder | undefined {
  if (typeof found?.['token'] !== 'string') return undefined
  const { token, renewals, owner, session, leaseMilliseconds } = found
  return {
    name: typeof owner === 'string' ? owner : 'another process',
    session: typeof session === 'string' ? session : null,
    pulse: `${token} ${String(renewals)}`,
    ...(typeof leaseMilliseconds === 'number' ? { lease: leaseMilliseconds } : {}),
  }
}

/**
 * The owner's lease: a token in the document of `merganser_meta`, with a count that rises while the holder lives. Every
 * change of that document is guarded by the token.
 */
export class Lease {
  readonly #session: Session
  readonly #token: string
  readonly #keeper: LeaseKeeper
  #released: Promise<void> | undefined

  private constructor(session: Session, token: string, keeper: (lease: Lease) => LeaseKeeper) {
    this.#session = session
    this.#token = token
    this.#keeper = keeper(this)
  }

  /** Gives what was known of the log before it was marked as in use. Throws DATABASE_LOCKED. */
  static async take(session: Session, owner: Owner, context: OpenContext): Promise<[Lease, StoreMeta | undefined]> {
    const world: LeaseWorld = { clock: new NodeClock(), timers: new NodeTimers() }
    const times = leaseTimes(session.options.leaseSeconds * 1000, STEP)
    return await takeLease({
      ...{ world, times, owner, context },
      async look() {
        const place = await readMeta(session)
        return { holder: holderOf(place), place }
      },
      async take(found): Promise<[Lease, StoreMeta | undefined] | undefined> {
        const token = randomUUID()
        const taken = momentOf(world)
        const fields = { ...fieldsOf(found, owner, token), leaseMilliseconds: times.lease }
        if (!(await place(session, found, fields))) return undefined
        const keeper = (lease: Lease) =>
          new LeaseKeeper(world, times, session.replica, taken, () =>
            lease.#update({ $inc: { renewals: 1 }, $set: { renewed: new Date() } }),
          )
        return [new Lease(session, token, keeper), storeMeta(found)]
      },
    })
  }

  /** Throws DATABASE_LOCKED where the lease was lost. Asks the server where it could have been. */
  async check(): Promise<void> {
    await this.#keeper.check()
  }

  async writeMeta({ inUse, highWater, position }: Omit<StoreMeta, 'logId'>): Promise<void> {
    const written = await this.#update({ $set: { inUse, highWater, position: Long.fromNumber(position) } })
    if (!written) throw this.#keeper.lose()
  }

  /** Gives the lease back. */
  release(): Promise<void> {
    this.#released ??= this.#release()
    return this.#released
  }

  async #release(): Promise<void> {
    await this.#keeper.stop()
    if (!this.#keeper.isLost) await this.#update({ $set: { token: null } })
  }

  /** False where the lease is somebody else's. */
  async #update(change: Document): Promise<boolean> {
    return (await guarded(this.#session, { q: { _id: ID, token: { $eq: this.#token } }, u: change })) === 1
  }
}

/** The owner's document in place of the one that was found. */
function fieldsOf(found: Document | undefined, owner: Owner, token: string): Document {
  const log = storeMeta(found)
  return {
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
}

/** Writes the owner over the document as it was found; false where someone was faster. */
async function place(session: Session, found: Document | undefined, fields: Document): Promise<boolean> {
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

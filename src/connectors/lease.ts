import type { Timers, WallClock } from '../environment/environment.ts'
import { MerganserError } from '../core/errors.ts'
import type { OpenContext, Owner } from './connector.ts'

/*
 * The owner's lease (I9), for databases that know no lock that outlives a statement. Its holder renews it every now and
 * then; whoever wants it looks, again and again, whether what stands there still moves. Each measures by a clock of its
 * own and no two clocks are compared. A holder that could not renew it for half its time asks before it goes on, so that
 * one that was stopped for a while fails rather than works beside its successor: the other half is for what it has sent
 * already.
 *
 * How a lease is held, and how a change is refused to who holds it no more, is each database's own.
 */

/** The times of a lease in milliseconds. */
export interface LeaseTimes {
  /** Nobody renewed it for so long: it is taken over. */
  readonly lease: number
  /** Between two renewals. */
  readonly renew: number
  /** How long a holder that lives may keep us waiting: it may be ending. */
  readonly wait: number
  /** Between two looks. */
  readonly step: number
}

export function leaseTimes(lease: number, step: number): LeaseTimes {
  const part = (divisor: number): number => Math.min(4_000, lease / divisor)
  return { lease, renew: part(5), wait: part(2.5), step }
}

/** What holds time for a lease. */
export interface LeaseWorld {
  readonly clock: WallClock
  readonly timers: Pick<Timers, 'sleep'>
}

/** The lease as a look found it. */
export interface Holder {
  /** For messages. */
  readonly name: string
  /** As in `Owner`: a thread of our own session left it. */
  readonly session: string | null
  /** Another one after each renewal, and for each holder. */
  readonly pulse: string
  /** For how long it counts, where its holder said so. */
  readonly lease?: number
}

interface Wanted<Place, Held> {
  readonly world: LeaseWorld
  readonly times: LeaseTimes
  readonly owner: Owner
  readonly context: OpenContext
  /** What stands in the database; no holder where nobody has it. */
  look(): Promise<{ readonly holder: Holder | undefined; readonly place: Place }>
  /** Takes it as it was found; undefined where someone else was faster. */
  take(place: Place): Promise<Held | undefined>
}

const TRIES = 20

/**
 * Takes a lease that is free, of our own session, or that its holder renews no more. Throws DATABASE_LOCKED where the
 * holder lives and doesn't end soon.
 */
export async function takeLease<Place, Held>(wanted: Wanted<Place, Held>): Promise<Held> {
  const { world, times, owner, context } = wanted
  const now = (): number => world.clock.milliseconds()
  const begun = now()
  let watch: { pulse: string; since: number } | undefined
  for (let tries = 0, told = false; ;) {
    context.signal?.throwIfAborted()
    const asked = now()
    const { holder, place } = await wanted.look()
    const moved = watch !== undefined && holder !== undefined && watch.pulse !== holder.pulse
    if (holder !== undefined && watch?.pulse !== holder.pulse) watch = { pulse: holder.pulse, since: now() }
    const ours = owner.session !== undefined && holder?.session === owner.session
    // From behind the first look that saw it so to before the last one.
    const dead = watch !== undefined && asked - watch.since >= Math.max(times.lease, holder?.lease ?? 0)
    if (holder === undefined || ours || dead) {
      const held = await wanted.take(place)
      if (held !== undefined) return held
      watch = undefined
      if (++tries === TRIES) throw lockedBy(context.replica, 'other processes that open it')
      continue
    }
    if (moved && now() - begun >= times.wait) throw lockedBy(context.replica, holder.name)
    if (!told)
      context.progress?.(`waiting for ${holder.name}, which has the database open, or for its lease to run out`)
    told = true
    await world.timers.sleep(times.step, context.signal)
  }
}

/** Slow renewals in a row, after which a lease can't be held. */
const SLOW = 3

/** Renews a lease that was taken, and knows whether it can still be ours. */
export class LeaseKeeper {
  readonly #world: LeaseWorld
  readonly #times: LeaseTimes
  readonly #replica: string
  readonly #ask: () => Promise<boolean>
  readonly #stopped = new AbortController()
  #renewed: Moment
  #renewing: Promise<void> | undefined
  #lost: MerganserError | undefined

  /**
   * @param taken when the lease was begun to be taken
   * @param ask writes a sign of life; false where the lease is somebody else's
   */
  constructor(world: LeaseWorld, times: LeaseTimes, replica: string, taken: Moment, ask: () => Promise<boolean>) {
    this.#world = world
    this.#times = times
    this.#replica = replica
    this.#ask = ask
    this.#renewed = taken
    void this.#keep()
  }

  /**
   * Throws DATABASE_LOCKED where the lease was lost; asks the database where it could have been. Throws what a renewal
   * throws, TIME_LIMIT where renewals take longer than the lease.
   */
  async check(): Promise<void> {
    for (let tries = 0; this.#age() > this.#times.lease / (tries === 0 ? 2 : 1); tries++) {
      if (this.#lost !== undefined) break
      if (tries === SLOW) {
        throw new MerganserError('TIME_LIMIT', `the lease of ${this.#replica} can't be renewed in its time`, {
          place: { replica: this.#replica },
          advice: 'the database answers too slowly; give the replica more leaseSeconds',
        })
      }
      await this.#renew()
    }
    if (this.#lost !== undefined) throw this.#lost
  }

  /** The lease is known to be somebody else's. */
  lose(): MerganserError {
    return (this.#lost ??= lockedBy(this.#replica, 'another process, which took over the lease'))
  }

  get isLost(): boolean {
    return this.#lost !== undefined
  }

  /** Renews it no more; resolves when a renewal that runs has ended. */
  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the lease is given back'))
    await this.#renewing?.catch(() => undefined)
  }

  /** Milliseconds since the last renewal was begun: so long it has surely been ours, and for the rest of its time it is. */
  #age(): number {
    return elapsed(this.#renewed, momentOf(this.#world))
  }

  async #keep(): Promise<void> {
    const { signal } = this.#stopped
    while (!signal.aborted && this.#lost === undefined) {
      try {
        await this.#world.timers.sleep(this.#times.renew, signal)
        await this.#renew()
      } catch {
        // Tried again; `check` tells when it is too late.
      }
    }
  }

  async #renew(): Promise<void> {
    this.#renewing ??= this.#renewOnce().finally(() => {
      this.#renewing = undefined
    })
    await this.#renewing
  }

  async #renewOnce(): Promise<void> {
    const begun = momentOf(this.#world)
    if (await this.#ask()) this.#renewed = begun
    else this.lose()
  }
}

/** A time by two clocks: one of them may have stood still while the machine was suspended. */
export interface Moment {
  readonly milliseconds: number
  readonly wall: bigint
}

export function momentOf({ clock }: LeaseWorld): Moment {
  return { milliseconds: clock.milliseconds(), wall: clock.nanoseconds() }
}

/** Milliseconds, by the clock that says more. */
function elapsed(from: Moment, to: Moment): number {
  return Math.max(to.milliseconds - from.milliseconds, Number(to.wall - from.wall) / 1e6)
}

function lockedBy(replica: string, holder: string): MerganserError {
  return new MerganserError('DATABASE_LOCKED', `the database of ${replica} is in use by ${holder}`, {
    place: { replica },
    advice: 'wait for it to end, or stop it',
  })
}

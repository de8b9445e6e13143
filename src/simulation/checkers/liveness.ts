import { violated, type Checker, type Lanes } from './checker.ts'

/**
 * Microseconds of virtual time that a lane may take for its first step, however busy the others are. A merge that has to
 * ask another database holds it up for as long as that one is away: a minute, and the retries that follow.
 */
const LONGEST = 150_000_000
/** Microseconds after which a result that isn't there holds others up: no record after it is durable, and none is flushed. */
const HELD_UP = 1_000_000

/**
 * No lane starves while another works: what a replica's database is wanted for gets there within a bounded time, as long
 * as that database is well. Looked at whenever a database has done something: another one's lane works then.
 */
export function lanesLive(): Checker {
  const waiting = new Waiting()
  return {
    invariant: 'I12',
    says: 'no lane starves while another works',
    ran(operations, begun, lanes) {
      waiting.ran(operations, begun, lanes)
    },
    served(replica, wrote, lanes) {
      if (wrote) waiting.wrote(replica, lanes.now)
      waiting.meet(lanes)
      for (const { replica: starved, what, since } of waiting.all(lanes)) {
        if (starved === replica || lanes.failed(starved)) continue
        const waits = lanes.now - Math.max(since, lanes.troubled(starved))
        if (waits <= LONGEST) continue
        const seconds = String(Math.round(waits / 1_000_000))
        violated('I12', `${what} of replica ${String(starved)} waits for ${seconds} s, while others are served`)
      }
    },
    ended() {
      waiting.clear()
    },
  }
}

type Ran = Parameters<NonNullable<Checker['ran']>>

/** What each lane surely has to do, and since when: rather too little or too late than too much. */
class Waiting {
  /** Replicas of which a row was changed that no write since can have held. */
  readonly #changed = new Set<number>()
  readonly #wrote = new Map<number, number>()
  /** Since when a flush is wanted of a changed row. */
  readonly #flushes = new Map<number, number>()
  /** Statements that have been executed. */
  #executed = 0
  /** When a result that others wait for was last seen to be missing. */
  #heldUp = 0
  /** The oldest result that wasn't shown, since it was seen to be the oldest. */
  #result: { readonly statement: number; readonly replica: number; readonly since: number } | undefined

  ran(...[operations, begun, lanes]: Ran): void {
    const before = this.#executed
    this.#executed = lanes.statements
    const wanted = new Set<number>()
    for (const { op, replica, stamp } of operations) {
      // A line with a stamp of its own may be older than what is there.
      if ((op === 'set' || op === 'delete') && stamp === undefined) this.#changed.add(replica)
      else if (op === 'merge' && this.#changed.has(replica)) wanted.add(replica)
      else if (op === 'fullSync') for (const one of this.#changed) wanted.add(one)
    }
    for (const [replica, at] of this.#wrote) {
      // It may have been these changes.
      if (at >= begun && this.#changed.delete(replica)) wanted.delete(replica)
    }
    for (const replica of wanted) if (!this.#flushes.has(replica)) this.#flushes.set(replica, lanes.now)
    this.meet(lanes)
    const result = this.#result
    if (result !== undefined && result.statement > before) this.#result = { ...result, since: lanes.now }
  }

  wrote(replica: number, now: number): void {
    this.#wrote.set(replica, now)
    this.#changed.delete(replica)
    this.#flushes.delete(replica)
  }

  /** Sees which result is the oldest now. */
  meet({ awaited, now }: Lanes): void {
    const known = this.#result
    if (awaited === undefined) this.#result = undefined
    else if (known?.statement === awaited.statement && known.replica === awaited.replica) {
      if (now - known.since > HELD_UP) this.#heldUp = now
    } else {
      const { statement, replica } = awaited
      this.#result = { statement, replica, since: now }
    }
  }

  /** What each replica waits for, since when. */
  *all(lanes: Lanes): Iterable<{ readonly replica: number; readonly what: string; readonly since: number }> {
    for (const [replica, since] of this.#flushes) {
      yield { replica, what: 'a change', since: Math.max(since, this.#heldUp) }
    }
    // Where a read has failed, nothing is answered any more until the script's end.
    const result = this.#result
    if (result === undefined || result.statement > this.#executed || lanes.unanswered) return
    yield { ...result, what: 'a result' }
  }

  clear(): void {
    this.#changed.clear()
    this.#wrote.clear()
    this.#flushes.clear()
    this.#executed = 0
    this.#heldUp = 0
    this.#result = undefined
  }
}

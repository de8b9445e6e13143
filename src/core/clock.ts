import { MerganserError } from './errors.ts'
import { MAX_TIME, timeText } from './stamp.ts'

/** 24 hours in nanoseconds: how far in the future a stamp from others may be, by default. */
export const FUTURE_BOUND = 86_400_000_000_000n

/**
 * The session's one hybrid logical clock: `next = max(now, last + 1)`, so stamps strictly rise whichever replica a
 * statement names, across backward steps of the wall clock, and above every stamp seen (I3).
 */
export class HybridClock {
  readonly #now: () => bigint
  readonly #futureBound: bigint
  #last: bigint
  #wall = 0n

  /**
   * @param now wall clock in nanoseconds since 1970, may step backwards
   * @param above the greatest time of all logs and databases of the session
   */
  constructor(now: () => bigint, above = 0n, futureBound: bigint = FUTURE_BOUND) {
    this.#now = now
    this.#futureBound = futureBound
    this.#last = above
    this.refresh()
  }

  /** Reads the wall clock; `next` uses this reading until the next one, so that a block of statements costs one. */
  refresh(): void {
    this.#wall = this.#now()
  }

  /** The next time, greater than all before. */
  next(): bigint {
    const after = this.#last + 1n
    const time = this.#wall > after ? this.#wall : after
    if (time > MAX_TIME) throw new MerganserError('BAD_STAMP', 'the clock is past the last stamp, 2262-04-11')
    this.#last = time
    return time
  }

  /** The greatest time given or observed so far. */
  get last(): bigint {
    return this.#last
  }

  /** The reading of the wall clock that `next` uses. */
  get wall(): bigint {
    return this.#wall
  }

  /** The greatest time that `observe` surely takes. */
  get bound(): bigint {
    return this.#wall + this.#futureBound
  }

  /** Rises above a time that came from elsewhere. Throws FUTURE_STAMP, and stays, where it is too far ahead. */
  observe(time: bigint): void {
    if (time <= this.#last) return
    this.check(time)
    this.#last = time
  }

  /** Rises above a time of the session's own logs or databases, however far ahead it is. */
  rise(time: bigint): void {
    if (time > this.#last) this.#last = time
  }

  /** Throws FUTURE_STAMP where a time is further in the future than the bound. */
  check(time: bigint): void {
    if (time <= this.#wall + this.#futureBound) return
    this.refresh()
    if (time <= this.#wall + this.#futureBound) return
    throw new MerganserError(
      'FUTURE_STAMP',
      `the stamp ${timeText(time)} is more than ${String(this.#futureBound / 1_000_000_000n)} s in the future (now ${timeText(this.#wall)})`,
      { advice: 'check the clock of the machine that wrote it, or raise limits.futureSeconds' },
    )
  }
}

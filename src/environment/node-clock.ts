import type { WallClock } from './environment.ts'

const MILLISECOND = 1_000_000n

/**
 * The system's clocks. The wall clock gives milliseconds only; the nanoseconds within one come from the monotonic
 * clock, anchored to it and corrected at each reading, so that the result always lies in the wall clock's millisecond:
 * it follows every step at once, backward ones too.
 */
export class NodeClock implements WallClock {
  readonly #wall: () => number
  readonly #monotonic: () => bigint
  /** Wall time less monotonic time. */
  #offset: bigint

  /** @param wall milliseconds since 1970; @param monotonic nanoseconds; both for tests */
  constructor(wall: () => number = Date.now, monotonic: () => bigint = () => process.hrtime.bigint()) {
    this.#wall = wall
    this.#monotonic = monotonic
    this.#offset = BigInt(wall()) * MILLISECOND - monotonic()
  }

  nanoseconds(): bigint {
    const monotonic = this.#monotonic()
    const first = BigInt(this.#wall()) * MILLISECOND
    const last = first + MILLISECOND - 1n
    const time = monotonic + this.#offset
    if (time >= first && time <= last) return time
    const corrected = time < first ? first : last
    this.#offset = corrected - monotonic
    return corrected
  }

  milliseconds(): number {
    return performance.now()
  }
}

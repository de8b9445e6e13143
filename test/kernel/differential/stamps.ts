import type { Stamp } from '../../../src/core/stamp.ts'

/** Names of replicas: some begin as others do. */
export const NAMES = ['A', 'B', 'AB', 'HIVE', 'A_', 'Z9', 'B0'] as const
/** Replicas and what writes beside them. */
export const ORIGINS = [...NAMES, 'Q', 'POSTGRESQL_APP', 'ORIGIN_WITH_A_LONG_NAME_'.repeat(3)] as const

/** Where a session's times begin: around the borders of what numbers hold, and today. */
export const BASES = [0n, 2n ** 32n - 50n, 2n ** 53n - 50n, 2n ** 62n, 1_795_000_000_000_000_000n] as const

/** After its base: few, so that stamps meet again; some beside the floors. */
const TIMES = [0n, 1n, 2n, 3n, 4n, 5n, 50n, 51n, 99n, 100n, 101n, 999n] as const
export const FLOORS = [0n, 2n, 50n, 100n, 999n] as const

/** Stamps by number: `time + 16 * origin`. Time 0 is the clock's next one, origin 0 the replica's own. */
export const STAMP_TIMES = TIMES.length + 1
export const STAMP_ORIGINS = ORIGINS.length + 1

/** A session's times. */
export class Times {
  readonly base: bigint
  #now: bigint
  #steps = 0

  constructor(base: bigint) {
    this.base = base
    this.#now = base + 1000n
  }

  /** Greater than all before and than all pooled ones; from time to time a second or more goes by. */
  next(): bigint {
    this.#steps++
    return (this.#now += this.#steps % 64 === 0 ? 1_234_567_891n : 1n)
  }

  get now(): bigint {
    return this.#now
  }

  stamp(number: number, own: string): Stamp {
    const origin = number >> 4
    return { time: this.time(number & 15), origin: origin === 0 ? own : ORIGINS[(origin - 1) % ORIGINS.length]! }
  }

  time(number: number): bigint {
    return number === 0 ? this.next() : this.base + TIMES[(number - 1) % TIMES.length]!
  }
}

import fc from 'fast-check'

/** Random draws from a seed, cheaper than one arbitrary per value. */
export class Draws {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  /** A whole number from 0 up to, not including, `bound`. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % bound
  }

  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }

  digits(length: number): string {
    return Array.from({ length }, () => this.below(10)).join('')
  }

  /** A whole number of up to `bits` bits, small ones as likely as large ones. */
  big(bits: number): bigint {
    let value = 0n
    for (let left = this.below(bits + 1); left > 0; left -= 30) {
      value = (value << BigInt(Math.min(30, left))) | BigInt(this.below(2 ** Math.min(30, left)))
    }
    return value
  }
}

const CASES_PER_SEED = 200

/** Runs `check` on at least `cases` draws; fast-check prints the seed of those that fail. */
export function forAll(cases: number, check: (draws: Draws) => void): void {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const draws = new Draws(seed)
      for (let i = 0; i < CASES_PER_SEED; i++) check(draws)
    }),
    { seed: 20261122, numRuns: Math.ceil(cases / CASES_PER_SEED), endOnFailure: true },
  )
}

/** For checks too hot for `expect`: throws with what was seen. */
export function ensure(condition: boolean, ...seen: readonly unknown[]): void {
  if (condition) return
  const texts = seen.map((one) =>
    JSON.stringify(one, (_, value: unknown) => (typeof value === 'bigint' ? `${String(value)}n` : value)),
  )
  throw new Error(`not so for ${texts.join(' | ')}`)
}

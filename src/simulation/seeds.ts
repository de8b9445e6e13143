import { SeededRandom } from '../core/seeded-random.ts'

/**
 * Independent sources of randomness of one seed, by name. What draws from one doesn't move the others, so that a script
 * that was shortened still meets much of the same faults.
 */
export class Seeds {
  readonly #seed: number

  constructor(seed: number) {
    this.#seed = seed
  }

  stream(name: string): Chance {
    let hash = Math.imul(this.#seed ^ 0x9e3779b9, 0x85ebca6b)
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
    return new Chance(hash ^ (hash >>> 15))
  }
}

export class Chance extends SeededRandom {
  /** True with a probability. Draws nothing where it is 0, so that a fault that is switched off moves nothing. */
  happens(probability: number): boolean {
    return probability > 0 && this.fraction() < probability
  }

  /** From `least` inclusive to `most` inclusive. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  /** Mostly near `usual`, now and then many times as long: as delays are. */
  delay(usual: number): number {
    const fraction = this.fraction()
    return Math.ceil(usual * (fraction < 0.98 ? 0.5 + fraction : 1 + (fraction - 0.98) * 1_000))
  }

  hex(digits: number): string {
    return Array.from({ length: digits }, () => this.below(16).toString(16)).join('')
  }
}

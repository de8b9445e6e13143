import { setTimeout as sleep } from 'node:timers/promises'
import type { SeededRandom } from '../../../src/core/seeded-random.ts'
import type { FaultProxy } from './fault-proxy.ts'

const KINDS = [
  'delay',
  'reset',
  'cut reply at commit',
  'cut within a reply',
  'black hole',
  'forgotten',
  'drip',
] as const
export type FaultKind = (typeof KINDS)[number] | 'restart'

/** Milliseconds, each from the least to the most. */
export interface FaultTimes {
  /** Between two faults, where the program goes on meanwhile; waiting for that, no longer than so many of these. */
  readonly pause: readonly [number, number]
  readonly slow: readonly [number, number]
  readonly hole: readonly [number, number]
  /** After which a server notices a connection that was forgotten. */
  readonly probes: number
  /** How long a cut waits for its moment. */
  readonly armed: number
}

const PATIENCE = 5

/** So many kinds, each about as often as the others; the one that is asked for among them, not first and not last. */
export function drawFaults(random: SeededRandom, count: number, wanted?: FaultKind): FaultKind[] {
  const drawn: FaultKind[] = []
  while (drawn.length < count) drawn.push(...random.shuffled(KINDS))
  drawn.length = count
  if (wanted !== undefined) drawn[1 + random.below(Math.max(1, count - 2))] = wanted
  return drawn
}

/** Brings one fault after the other over what passes a proxy. */
export class Shaker {
  readonly #proxy: FaultProxy
  readonly #random: SeededRandom
  readonly #times: FaultTimes
  readonly #restart: () => Promise<void>

  constructor(proxy: FaultProxy, random: SeededRandom, times: FaultTimes, restart: () => Promise<void>) {
    this.#proxy = proxy
    this.#random = random
    this.#times = times
    this.#restart = restart
  }

  /** Resolves when all are over, and the proxy is healed. `steps` counts what the program has done. */
  async shake(kinds: readonly FaultKind[], steps: () => number): Promise<void> {
    for (const kind of kinds) {
      const pause = this.#between(this.#times.pause)
      const before = steps()
      await sleep(pause)
      for (let waited = 0; steps() < before + 2 && waited < PATIENCE * pause; waited += 10) await sleep(10)
      await this.#inject(kind)
      this.#proxy.heal()
    }
  }

  async #inject(kind: FaultKind): Promise<void> {
    const [proxy, random] = [this.#proxy, this.#random]
    switch (kind) {
      case 'delay':
        proxy.slow({ kind: 'delay', milliseconds: 5 + random.below(60) })
        await sleep(this.#between(this.#times.slow))
        break
      case 'drip':
        proxy.slow({ kind: 'slow drip', bytes: 1 + random.below(8), milliseconds: 1 + random.below(20) })
        await sleep(this.#between(this.#times.slow))
        break
      case 'black hole':
        proxy.blackHole()
        await sleep(this.#between(this.#times.hole))
        break
      case 'forgotten':
        proxy.forget(this.#times.probes)
        break
      case 'reset':
        proxy.reset()
        break
      case 'cut reply at commit':
        proxy.cutAtCommit(random.below(2))
        await this.#met()
        break
      case 'cut within a reply':
        proxy.cutAnswer(random.below(2_000))
        await this.#met()
        break
      case 'restart': {
        let restarted: Promise<void> | undefined
        proxy.beforeCommit('restart in a transaction', () => (restarted = this.#restart()))
        // There is one in a run at the most: it is waited for.
        for (let time = 0; time < PATIENCE; time++) await this.#met()
        await restarted
        break
      }
    }
  }

  /** Resolves when the cut has come, or its time is up. */
  async #met(): Promise<void> {
    for (let waited = 0; this.#proxy.armed && waited < this.#times.armed; waited += 10) await sleep(10)
  }

  #between([least, most]: readonly [number, number]): number {
    return least + this.#random.below(most - least + 1)
  }
}

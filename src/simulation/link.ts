import { MerganserError } from '../core/errors.ts'
import type { Life, Schedule } from './schedule.ts'
import type { Chance } from './seeds.ts'

/** What may happen to a message, as probabilities, and how long one takes, in microseconds. */
export interface LinkFaults {
  readonly loss: number
  readonly duplicates: number
  readonly reset: number
  readonly latency: number
  /** Longest time that a late message takes beyond the usual. */
  readonly lateness: number
}

export const NO_FAULTS: LinkFaults = { loss: 0, duplicates: 0, reset: 0, latency: 300, lateness: 0 }

/** What a client waits for an answer before it gives its connection up. */
const TIME_LIMIT = 10_000_000

/** Counts what was injected. */
export type Injected = (fault: string) => void

/**
 * The way between our process and one database: it delays, loses, repeats and reorders messages, and is cut in one
 * direction or both. What a client has given up may still arrive.
 */
export class Link {
  readonly #schedule: Schedule
  /** The world's: what is on its way arrives whether or not its sender still lives. */
  readonly #world: Life
  readonly #chance: Chance
  readonly #injected: Injected
  faults: LinkFaults = NO_FAULTS
  /** Until when requests, and answers, are lost. */
  requestsCut = 0
  answersCut = 0
  /** Until when the server is down: connections are refused, what runs is done or isn't. */
  down = 0
  /** Until when it was in trouble, at the latest. */
  #trouble = 0

  constructor(schedule: Schedule, world: Life, chance: Chance, injected: Injected) {
    this.#schedule = schedule
    this.#world = world
    this.#chance = chance
    this.#injected = (fault) => {
      this.troubled(0)
      injected(fault)
    }
  }

  /** It is in trouble for so long from now. */
  troubled(time: number): void {
    this.#trouble = Math.max(this.#trouble, this.#schedule.now + time)
  }

  /** When it was in trouble last, as far as can be told now. */
  get trouble(): number {
    return Math.max(this.#trouble, this.down, this.requestsCut, this.answersCut)
  }

  /**
   * Asks the server to do `work`, which it does once, several times, or never; gives what it answered.
   * Rejects with CONNECTION_LOST where no answer came: whether it was done isn't known then.
   */
  ask<T>(life: Life, replica: string, work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const waiting: Life = { ended: false }
      const settle = (then: () => void) => {
        if (waiting.ended || life.ended) return
        waiting.ended = true
        then()
      }
      const lost = (why: string) => {
        settle(() => {
          reject(new MerganserError('CONNECTION_LOST', `the connection was lost: ${why}`, { place: { replica } }))
        })
      }
      this.#send(
        work,
        (outcome) => {
          settle(() => {
            if ('error' in outcome) reject(outcome.error)
            else resolve(outcome.value)
          })
        },
        lost,
      )
      this.#schedule.at(TIME_LIMIT, waiting, () => {
        lost('no answer in time')
      })
    })
  }

  #send<T>(work: () => T, answer: (outcome: Outcome<T>) => void, lost: (why: string) => void): void {
    const chance = this.#chance
    const { loss, duplicates, reset } = this.faults
    if (this.#schedule.now < this.down) {
      this.#schedule.at(100, this.#world, () => {
        lost('refused')
      })
      return
    }
    if (chance.happens(reset)) {
      this.#injected('reset')
      this.#schedule.at(this.#delay(), this.#world, () => {
        lost('reset by the other side')
      })
      // What was on its way may have arrived before, or arrive later.
      if (chance.happens(0.5)) this.#arrive(work, () => undefined)
      return
    }
    if (chance.happens(loss) || this.#schedule.now < this.requestsCut) {
      this.#injected('lost request')
      // Some are only late: they arrive when nobody waits for an answer any more.
      if (chance.happens(0.3)) {
        this.#schedule.at(TIME_LIMIT + chance.below(TIME_LIMIT), this.#world, () => {
          this.#arrive(work, () => undefined)
        })
      }
      return
    }
    if (chance.happens(duplicates)) {
      this.#injected('repeated request')
      this.#arrive(work, () => undefined)
    }
    this.#arrive(work, (outcome) => {
      if (chance.happens(loss) || this.#schedule.now < this.answersCut) {
        this.#injected('lost answer')
        return
      }
      this.#schedule.at(this.#delay(), this.#world, () => {
        answer(outcome)
      })
    })
  }

  #arrive<T>(work: () => T, then: (outcome: Outcome<T>) => void): void {
    this.#schedule.at(this.#delay(), this.#world, () => {
      if (this.#schedule.now < this.down) return
      try {
        then({ value: work() })
      } catch (error) {
        then({ error: error as Error })
      }
    })
  }

  #delay(): number {
    const { latency, lateness } = this.faults
    const usual = this.#chance.delay(latency)
    return this.#chance.happens(0.1) ? usual + this.#chance.below(lateness + 1) : usual
  }
}

type Outcome<T> = { readonly value: T } | { readonly error: Error }

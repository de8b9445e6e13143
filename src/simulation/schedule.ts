import { inTurns } from '../environment/turns.ts'

/** Whose events these are: when it ends, what it had going on never happens. */
export interface Life {
  ended: boolean
}

interface Event {
  /** Microseconds of virtual time. */
  readonly at: number
  /** Events of the same time happen in an order that the seed decides. */
  readonly order: number
  readonly life: Life
  readonly run: () => void
}

/**
 * Virtual time, in microseconds. Nothing in the simulated world waits for anything else: what is to happen later stands
 * here, and happens when everything before it has.
 */
export class Schedule {
  readonly #events: Event[] = []
  readonly #order: () => number
  #now = 0
  /** Events that happened. */
  happened = 0

  /** @param order draws the order among events of the same time */
  constructor(order: () => number) {
    this.#order = order
  }

  get now(): number {
    return this.#now
  }

  at(delay: number, life: Life, run: () => void): void {
    const event = { at: this.#now + Math.max(0, delay), order: this.#order(), life, run }
    const events = this.#events
    let i = events.push(event) - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!before(event, events[parent]!)) break
      events[i] = events[parent]!
      i = parent
    }
    events[i] = event
  }

  after(delay: number, life: Life): Promise<void> {
    return new Promise((resolve) => {
      this.at(delay, life, resolve)
    })
  }

  /**
   * Lets happen what stands here until `done`. Rejects where nothing is left to happen before that, or more than
   * `limit` events: something waits for ever, or runs in circles.
   */
  async run(done: () => boolean, limit: number): Promise<void> {
    const last = this.happened + limit
    await inTurns(() => {
      if (done()) return false
      for (;;) {
        const event = this.#next()
        if (event === undefined) throw new Stuck('nothing is left to happen, and something still waits')
        if (event.life.ended) continue
        this.#now = event.at
        if (++this.happened > last) throw new Stuck(`it isn't done after ${String(limit)} events`)
        event.run()
        return true
      }
    })
  }

  #next(): Event | undefined {
    const events = this.#events
    const first = events[0]
    const last = events.pop()
    if (first === undefined || last === undefined || events.length === 0) return first
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= events.length) break
      if (child + 1 < events.length && before(events[child + 1]!, events[child]!)) child++
      if (!before(events[child]!, last)) break
      events[i] = events[child]!
      i = child
    }
    events[i] = last
    return first
  }
}

/** Something waits for ever (I12). */
export class Stuck extends Error {}

function before(a: Event, b: Event): boolean {
  return a.at === b.at ? a.order < b.order : a.at < b.at
}

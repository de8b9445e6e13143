import { keysOf, type StampedRow } from '../core/batch.ts'
import type { TableSchema } from '../core/table.ts'
import { classify, newestStamp, normalRow, rowOfSide, sameRow, type Compared, type Pair } from './classify.ts'
import type { Difference, DifferencesOptions, Side, Tally } from './difference.ts'

/** Rows written within this time, in milliseconds, may still be on their way to the other replica. */
const LATELY = 60_000
/** The share of the time to settle after which each further look is taken. */
const LOOKS = [0.05, 0.2, 1] as const
/** All waits of one comparison together last no longer than this many times the time to settle. */
const MOST_WAITS = 5

interface Candidate {
  pair: Pair
  difference: Omit<Difference, 'moving'>
  moving: boolean
}

/**
 * Tells writes that go on from real differences: reads rows that differ again, in bulk, until they have become equal,
 * stand still and are old, or time is up.
 */
export class SecondLooks {
  readonly #sides: readonly [Side, Side]
  readonly #table: TableSchema
  readonly #compared: Compared
  readonly #options: DifferencesOptions
  readonly #tally: Tally
  readonly #settle: number
  #left: number

  constructor(
    sides: readonly [Side, Side],
    table: TableSchema,
    compared: Compared,
    options: DifferencesOptions,
    tally: Tally,
  ) {
    this.#sides = sides
    this.#table = table
    this.#compared = compared
    this.#options = options
    this.#tally = tally
    this.#settle = options.settle ?? 2000
    this.#left = this.#settle * MOST_WAITS
  }

  /** What is left of them, in their order, as it was read last. */
  async confirmed(pairs: readonly Pair[]): Promise<Difference[]> {
    const candidates = pairs.flatMap((pair): Candidate[] => {
      const difference = classify(pair, this.#compared)
      return difference === undefined ? [] : [{ pair, difference, moving: false }]
    })
    const settled = new Set<Candidate>()
    // Even without a wait: digests and scans of the two sides weren't made at one moment.
    let open = candidates
    let waited = 0
    for (let look = 0; look < LOOKS.length && open.length > 0; look++) {
      const until = this.#settle * LOOKS[look]!
      // Old rows can't be on their way: that they stand still is seen at once.
      const lately = open.some(({ pair }) => this.#isLate(pair))
      const wait = lately ? Math.min(until - waited, this.#left) : 0
      if (look > 0 && wait <= 0) break
      waited += wait
      this.#left -= wait
      if (wait > 0) await this.#options.environment.timers.sleep(wait, this.#options.signal)
      open = await this.#look(open, settled)
    }
    this.#tally.settled += settled.size
    return candidates.filter((each) => !settled.has(each)).map(({ difference, moving }) => ({ ...difference, moving }))
  }

  /** Reads them again; gives those that are worth another look. */
  async #look(open: readonly Candidate[], settled: Set<Candidate>): Promise<Candidate[]> {
    this.#options.signal?.throwIfAborted()
    const keys = keysOf(
      this.#table,
      open.map(({ difference }) => difference.key),
    )
    const [left, right] = await Promise.all(
      this.#sides.map(async ({ name, store }) => {
        const batch = await store.readRows(this.#table, keys)
        const rows = new Map<string, StampedRow>()
        for (let i = 0; i < batch.rows; i++) {
          const row = rowOfSide(batch, i, name)
          rows.set(JSON.stringify(row.key), row)
        }
        batch.release?.()
        return rows
      }),
    )
    return open.filter((candidate) => {
      const identity = JSON.stringify(candidate.difference.key)
      const pair = { left: normalRow(left!.get(identity)), right: normalRow(right!.get(identity)) }
      const { pair: before } = candidate
      const difference = classify(pair, this.#compared)
      if (difference === undefined) {
        settled.add(candidate)
        return false
      }
      candidate.moving = !sameRow(before.left, pair.left) || !sameRow(before.right, pair.right)
      candidate.pair = pair
      candidate.difference = difference
      return candidate.moving || this.#isLate(pair)
    })
  }

  /** Whether the newest stamp of a row is so near to now that it may be on its way. */
  #isLate({ left, right }: Pair): boolean {
    const newest = [newestStamp(left), newestStamp(right)].sort().at(-1)!
    const written = Date.parse(`${newest.slice(0, 10)}T${newest.slice(11, 23)}Z`)
    const now = Number(this.#options.environment.clock.nanoseconds() / 1_000_000n)
    return written > now - LATELY
  }
}

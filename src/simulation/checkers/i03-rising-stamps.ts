import type { LogRecord } from '../logs.ts'
import { EARLIEST } from '../world.ts'
import { violated, type Checker } from './checker.ts'
import { NewRecords } from './new-records.ts'

const timeOf = (stamp: string) => stamp.slice(0, 30)

/** The stamps that sessions gave, in the order of their statements, over all replicas, crashes and steps of the clock. */
export function risingStamps(): Checker {
  let greatest = ''
  const met = new Met()
  return {
    invariant: 'I3',
    says: 'stamps strictly rise, over restarts and steps of the clock',
    between({ plan, matchings, logs }) {
      for (const [replica, records] of logs.entries()) {
        const fallen = met.news(replica, records).find(({ stamp }) => {
          return stamp.endsWith(`@${plan.replicas[replica]!}`) && stamp > EARLIEST && timeOf(stamp) <= greatest
        })
        if (fallen !== undefined) violated('I3', `the stamp ${fallen.stamp} was given after ${greatest}`)
      }
      met.add(logs)
      const given = matchings.flatMap(({ stamps }) => stamps)
      // An UNDO or ROLLBACK gives several: among themselves they have no order in the logs.
      given.sort((a, b) => a.statement - b.statement || (a.stamp < b.stamp ? -1 : 1))
      for (const { stamp } of given) {
        const time = timeOf(stamp)
        if (time <= greatest) violated('I3', `the stamp ${stamp} follows ${greatest}`)
        greatest = time
      }
      for (const records of logs) {
        const last = timeOf(records.at(-1)?.stamp ?? '')
        if (last > greatest) greatest = last
      }
    },
  }
}

/** Stamps that stood in any log when a session opened: a merge may bring a replica's own back to it. */
class Met {
  readonly #stamps = new Set<string>()
  readonly #fresh = new NewRecords()

  /** Records of a log since then, under stamps that no log had. */
  news(replica: number, records: readonly LogRecord[]): LogRecord[] {
    return this.#fresh.of(replica, records).filter(({ stamp }) => !this.#stamps.has(stamp))
  }

  add(logs: readonly (readonly LogRecord[])[]): void {
    for (const [replica, records] of logs.entries()) {
      for (const { stamp } of this.#fresh.of(replica, records)) this.#stamps.add(stamp)
      this.#fresh.read(replica, records)
    }
  }
}

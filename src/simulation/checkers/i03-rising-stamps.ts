import { violated, type Checker } from './checker.ts'

/** The stamps that sessions gave, in the order of their statements, over all replicas, crashes and steps of the clock. */
export function risingStamps(): Checker {
  let greatest = ''
  return {
    invariant: 'I3',
    says: 'stamps strictly rise, over restarts and steps of the clock',
    between({ matchings, logs }) {
      const given = matchings.flatMap(({ stamps }) => stamps)
      // An UNDO or ROLLBACK gives several: among themselves they have no order in the logs.
      given.sort((a, b) => a.statement - b.statement || (a.stamp < b.stamp ? -1 : 1))
      for (const { stamp } of given) {
        const time = stamp.slice(0, 30)
        if (time <= greatest) violated('I3', `the stamp ${stamp} follows ${greatest}`)
        greatest = time
      }
      for (const records of logs) {
        const last = records.at(-1)?.stamp.slice(0, 30) ?? ''
        if (last > greatest) greatest = last
      }
    },
  }
}

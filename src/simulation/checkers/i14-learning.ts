import { BEFORE } from '../world.ts'
import { rowName, violated, type Checker } from './checker.ts'

/** What a replica only learned from its database is no operation: no log holds it. */
export function learningIsSilent(): Checker {
  return {
    invariant: 'I14',
    says: 'what is learned from a database gets no record',
    between({ plan, matchings }) {
      for (const [replica, { taken }] of matchings.entries()) {
        const learned = taken.find(({ stamp }) => stamp.endsWith(`@${BEFORE}`))
        if (learned === undefined) continue
        violated(
          'I14',
          `${plan.replicas[replica]!} has logged what it learned of ${rowName(plan, learned.table, learned.key)}`,
        )
      }
    },
  }
}

import { violated, rowName, type Checker } from './checker.ts'

/** What was acknowledged, or shown, stands in the log of its replica whatever happened since. */
export function acknowledgedIsThere(): Checker {
  let before: readonly number[] = []
  return {
    invariant: 'I4',
    says: 'acknowledged means on disk',
    between({ plan, matchings, logs, history }) {
      for (const [replica, { missing }] of matchings.entries()) {
        const [first] = missing
        if (first === undefined) continue
        const what = `${first.op} of ${rowName(plan, first.table, first.key)} ${JSON.stringify(first.cells)}`
        violated('I4', `${plan.replicas[replica]!} has lost ${String(missing.length)} acknowledged records: ${what}`)
      }
      for (const [replica, records] of logs.entries()) {
        // What nobody was told anything of may go: a session that acknowledged nothing leaves no trace.
        if (!history.used || records.length >= (before[replica] ?? 0)) continue
        const count = (before[replica] ?? 0) - records.length
        violated('I4', `${plan.replicas[replica]!} has lost ${String(count)} records that an earlier session had read`)
      }
      before = logs.map((records) => records.length)
    },
  }
}

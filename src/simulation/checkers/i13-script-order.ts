import { sameShown } from '../history.ts'
import { rowName, violated, type Checker } from './checker.ts'

/** Results come in the order of the script, each as its replica was when the GET was issued. */
export function scriptOrder(): Checker {
  return {
    invariant: 'I13',
    says: 'results are those of the script in its order, however late the databases answer',
    between({ plan, matchings }) {
      for (const [replica, { other }] of matchings.entries()) {
        if (other === undefined) continue
        const [found, wanted] = [other.record, other.expected].map((record) => {
          if (record === undefined) return 'nothing more'
          const { op, table, key, cells, shows } = record
          return `${op} of ${rowName(plan, table, key)} ${JSON.stringify(op === 'get' ? shows : cells)}`
        })
        violated('I13', `the log of ${plan.replicas[replica]!} has ${found!} (${other.record.stamp}), not ${wanted!}`)
      }
    },
    showed(shown, expected, history) {
      const { replica, table, key } = shown
      const what = `GET of ${key} on replica ${String(replica)} shows ${JSON.stringify(shown.shows)}`
      if (expected === undefined) violated('I13', `${what}; nobody asked for it`)
      const same = expected.replica === replica && expected.table === table && expected.key === key
      if (!same) violated('I13', `${what}; the next result is that of ${expected.key} on ${String(expected.replica)}`)
      if (sameShown(shown.shows, expected.shows) || history.isTainted(table, key)) return
      violated('I13', `${what}, not ${JSON.stringify(expected.shows)}`)
    },
  }
}

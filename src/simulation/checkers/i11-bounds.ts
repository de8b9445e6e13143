import { violated, type Checker } from './checker.ts'

/** No more keys are looked up at a time than the limit says, however slow a database is. */
export function boundedReads(): Checker {
  return {
    invariant: 'I11',
    says: 'what waits for a database is bounded',
    reading(replica, keys, most) {
      if (keys > most)
        violated('I11', `${String(keys)} keys of replica ${String(replica)} are looked up, not ${String(most)}`)
    },
  }
}

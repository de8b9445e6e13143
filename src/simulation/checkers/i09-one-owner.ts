import { violated, type Checker } from './checker.ts'

/** A second process is refused while the first one has the state directory open. */
export function oneOwner(): Checker {
  return {
    invariant: 'I9',
    says: 'one owner of a state directory at a time',
    intruded(error) {
      if (error?.code === 'STATE_LOCKED') return
      violated('I9', `another process used the state directory: ${error?.code ?? 'it was let in'}`)
    },
  }
}

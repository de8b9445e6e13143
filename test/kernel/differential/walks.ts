import type { ChangeResult, ReplicaState } from '../../../src/core/state.ts'
import type { Both } from './both.ts'
import { keyOfText, keyTexts, Mismatch, RowList, same, sameRows, sameSet } from './compare.ts'
import { rowsOf } from './merges.ts'

const MOST_STEPS = 100_000

/** One of the two on its way over a replica's changes. */
class Walk {
  readonly #state: ReplicaState
  readonly #replica: number
  readonly lookups: string[] = []
  readonly rows = new RowList()
  position: number
  records = 0
  done = false
  #steps = 0

  constructor(state: ReplicaState, replica: number, position: number) {
    this.#state = state
    this.#replica = replica
    this.position = position
  }

  step(rows: number): void {
    if (this.#steps++ > MOST_STEPS) throw new Mismatch('a walk comes to no end')
    const result: ChangeResult = this.#state.changes(this.#replica, this.position, rowsOf(rows))
    const before = this.rows.rows
    this.rows.add(result.changed)
    same('rows counted and given', result.rows, this.rows.rows - before)
    if (!result.done && result.rows === 0) throw new Mismatch('a step that neither gives a row nor ends')
    for (const text of keyTexts(result.lookups)) this.lookups.push(text)
    this.position = result.upTo
    this.records = result.records
    this.done = result.done
  }

  toEnd(rows: number): void {
    while (!this.done) this.step(rows)
  }
}

/** Walks over what changed in a replica, to the end. */
export function walkBoth(both: Both, replica: number, from: number, rows: number): void {
  const mine = new Walk(both.model, replica, from)
  const theirs = new Walk(both.subject, replica, from)
  mine.toEnd(rows)
  theirs.toEnd(rows)
  sameEnd(both, replica, mine, theirs)
  sameRows('changes', mine.rows, theirs.rows)
  theirs.rows.giveBack()
  sameSet('keys to look up before they are flushed', mine.lookups, theirs.lookups)
}

function sameEnd(both: Both, replica: number, mine: Walk, theirs: Walk): void {
  same('how far all changes were given', mine.position, theirs.position)
  same('records at the end of the changes', mine.records, theirs.records)
  both.handOut(replica, mine.records)
}

/** A walk that other operations interrupt: both give each row that changed since it began, in the end as it is then. */
export class Walker {
  readonly replica: number
  readonly #both: Both
  readonly #mine: Walk
  readonly #theirs: Walk
  readonly #learned: number

  constructor(both: Both, replica: number, from: number) {
    this.replica = replica
    this.#both = both
    this.#mine = new Walk(both.model, replica, from)
    this.#theirs = new Walk(both.subject, replica, from)
    this.#learned = both.learned[replica]!
  }

  /** Nothing before this position is asked for any more. */
  get position(): number {
    return Math.min(this.#mine.position, this.#theirs.position)
  }

  /** A step of each; true where the walk has ended. */
  step(rows: number): boolean {
    const mine = this.#mine
    const theirs = this.#theirs
    mine.step(rows)
    theirs.step(rows)
    if (!mine.done && !theirs.done) return false
    mine.toEnd(rows)
    theirs.toEnd(rows)
    sameEnd(this.#both, this.replica, mine, theirs)
    const expected = this.#last(mine)
    const got = this.#last(theirs)
    theirs.rows.giveBack()
    sameSet('keys of an interrupted walk', [...expected.keys()], [...got.keys()])
    // A row that was learned meanwhile is no change: one may have given it before, the other after that.
    if (this.#learned === this.#both.learned[this.replica]) {
      sameSet('rows of an interrupted walk', [...expected.values()], [...got.values()])
    }
    return true
  }

  /** By key, the row as it was given last. */
  #last({ rows }: Walk): Map<string, string> {
    const columns = this.#both.tables.map((_, table) => this.#both.schema(table).key.length)
    return new Map(rows.texts().map((text) => [keyOfText(text, columns), text]))
  }
}

import type { Stamp } from '../../../src/core/stamp.ts'
import type { ReplicaState, UndoResult } from '../../../src/core/state.ts'
import type { Both } from './both.ts'
import { Mismatch, RowList, same, sameList, sameRows } from './compare.ts'

const MOST_LOOKUPS = 1000

type Undo = (state: ReplicaState, next: (replica: number) => Stamp) => UndoResult

/**
 * An UNDO or ROLLBACK of both under the same stamps, rows looked up where they ask for it.
 * @param free whether the order of its rows is free: then they all get one stamp
 */
export function undoBoth(both: Both, undo: Undo, free: boolean, seed: number): void {
  for (let tries = 0; tries < MOST_LOOKUPS; tries++) {
    const stamps = new SameStamps(both, free)
    const got = both.attempt(() => undo(both.subject, stamps.subject))
    const expected = undo(both.model, stamps.model)
    if (expected.incomplete === undefined && got.incomplete === undefined) {
      stamps.check()
      sameWrites(expected, got, free)
      return
    }
    same('stamps that an incomplete UNDO asked for', 0, stamps.given)
    same('what an incomplete UNDO wrote', 0, expected.writes.length + got.writes.length)
    same('the replica to look up', expected.incomplete?.replica, got.incomplete?.replica)
    both.learnAsked(expected.incomplete!.replica, expected.incomplete!.keys, got.incomplete!.keys, seed)
  }
  throw new Mismatch('an UNDO asks for look-ups without end')
}

/** Stamps for the subject, and the same again for the model. */
class SameStamps {
  readonly #both: Both
  readonly #one: bigint | undefined
  readonly #stamps: Stamp[] = []
  #taken = 0

  constructor(both: Both, free: boolean) {
    this.#both = both
    this.#one = free ? both.times.next() : undefined
  }

  get given(): number {
    return this.#stamps.length
  }

  readonly subject = (replica: number): Stamp => {
    const stamp = { time: this.#one ?? this.#both.times.next(), origin: this.#both.names[replica]! }
    this.#stamps.push(stamp)
    return stamp
  }

  readonly model = (replica: number): Stamp => {
    const stamp = this.#stamps[this.#taken++]
    same('the origin of the next stamp', this.#both.names[replica], stamp?.origin)
    return stamp!
  }

  check(): void {
    same('stamps asked for', this.#taken, this.#stamps.length)
  }
}

function sameWrites(expected: UndoResult, got: UndoResult, free: boolean): void {
  sameList('replicas written', replicasOf(expected), replicasOf(got))
  expected.writes.forEach(({ rows }, i) => {
    const [mine, theirs] = [new RowList(), new RowList()]
    mine.add(rows)
    theirs.add(got.writes[i]!.rows)
    sameRows('rows written', mine, theirs, !free)
  })
}

const replicasOf = ({ writes }: UndoResult): string[] => writes.map(({ replica }) => String(replica))

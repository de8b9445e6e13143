import type { Bounds, Conflict, MergeResult, ReplicaState } from '../../../src/core/state.ts'
import { OutOfMemory, Unaligned, type Both } from './both.ts'
import { keyTexts, Mismatch, RowList, rowTexts, same, sameRows } from './compare.ts'

export const ALL: Bounds = { rows: Infinity, bytes: Infinity }
export const rowsOf = (rows: number): Bounds => (rows === 0 ? ALL : { rows, bytes: Infinity })

const MOST_STEPS = 100_000

/** How far one of the two has come in a merge. */
class Progress {
  readonly state: ReplicaState
  position: number
  done = false
  rows = 0
  conflicts = 0
  readonly took = new RowList()
  readonly listed: string[] = []
  /** Looked other rows up than the other one did: the two may only be compared at the end. */
  apart = false
  #steps = 0

  constructor(state: ReplicaState, position: number) {
    this.state = state
    this.position = position
  }

  step(into: number, from: number, bounds: Bounds, list: number): MergeResult {
    if (this.#steps++ > MOST_STEPS) throw new Mismatch('a merge comes to no end')
    const result = this.state.merge(into, from, this.position, bounds, Math.max(0, list - this.listed.length))
    if (result.incomplete !== undefined) {
      const { position, done, rows, conflicts, listed, took } = result
      same('what an incomplete step did', 0, rows + conflicts + listed.length + rowTexts(took).length + Number(done))
      same('the position of an incomplete step', this.position, position)
      return result
    }
    this.position = result.position
    this.done = result.done
    this.rows += result.rows
    this.conflicts += result.conflicts
    this.took.add(result.took)
    for (const conflict of result.listed) this.listed.push(conflictText(conflict))
    return result
  }
}

function conflictText({ table, key, column, won, lost, sameStamp }: Conflict): string {
  const stamps = [won, lost].map(({ time, origin }) => `${String(time)}@${origin}`)
  return JSON.stringify([table, key, column, ...stamps, sameStamp])
}

export interface MergeOperation {
  readonly into: number
  readonly from: number
  readonly position: number
  readonly rows: number
  readonly list: number
  readonly leave: number
  readonly seed: number
}

/**
 * Merges in both, each in its own steps, to the end or as far as `leave` says; gives where to go on. `reached` is told
 * before anything is thrown for want of memory.
 */
export function mergeBoth(both: Both, operation: MergeOperation, reached: (position: number) => void): number {
  const { into, from, leave } = operation
  const mine = new Progress(both.model, operation.position)
  const theirs = new Progress(both.subject, operation.position)
  for (let step = 1; !mine.done || !theirs.done; step++) {
    try {
      stepBoth(both, operation, mine, theirs)
    } catch (error) {
      if (!(error instanceof OutOfMemory)) throw error
      if (!alike(both, from, mine, theirs)) throw new Unaligned()
      noteOrder(both, into, mine)
      reached(mine.position)
      throw error
    }
    if (step === 1 && operation.seed % 8 === 0) lookBetween(both, from)
    if (step === leave && !mine.done && !theirs.done && alike(both, from, mine, theirs)) break
  }
  noteOrder(both, into, mine)
  same('the position after a merge', mine.position, theirs.position)
  sameRows('rows taken', mine.took, theirs.took)
  same('rows changed by a merge', mine.rows, theirs.rows)
  same('conflicts', mine.conflicts, theirs.conflicts)
  sameListed(operation.list, mine, theirs)
  return mine.position
}

function stepBoth(both: Both, operation: MergeOperation, mine: Progress, theirs: Progress): void {
  const { into, from, list, seed } = operation
  const bounds = rowsOf(operation.rows)
  const got = theirs.done ? undefined : both.attempt(() => theirs.step(into, from, bounds, list))
  same('whether the state wrote the lines itself', false, got?.logged ?? false)
  const expected = mine.done ? undefined : mine.step(into, from, bounds, list === 0 ? 0 : Infinity)
  const asked = expected?.incomplete
  const askedBy = got?.incomplete
  if (asked === undefined && askedBy === undefined) return
  if (asked !== undefined && askedBy !== undefined && sameTexts(keyTexts(asked), keyTexts(askedBy))) {
    both.learnAsked(into, asked, askedBy, seed)
    return
  }
  // Their steps hold different rows; in the end both will have asked for the same.
  mine.apart = true
  try {
    if (askedBy !== undefined) both.attempt(() => both.learn(both.subject, into, askedBy, seed))
  } catch (error) {
    throw error instanceof OutOfMemory ? new Unaligned() : error
  }
  if (asked !== undefined) both.learn(both.model, into, asked, seed)
}

function sameTexts(expected: readonly string[], got: readonly string[]): boolean {
  if (expected.length !== got.length) return false
  const others = [...got].sort()
  return [...expected].sort().every((text, i) => text === others[i])
}

/** Whether both have done the same so far, and have the same to do. */
function alike(both: Both, from: number, mine: Progress, theirs: Progress): boolean {
  if (mine.apart) return false
  const told = ({ position, rows, conflicts }: Progress) => [position, rows, conflicts].join()
  if (told(mine) !== told(theirs) || !sameTexts(mine.took.texts(), theirs.took.texts())) return false
  const left = ({ state, position }: Progress) => {
    const rows = changesOf(state, from, position)
    const texts = rows.texts()
    rows.giveBack()
    return texts
  }
  return sameTexts(left(mine), left(theirs))
}

/** Reading doesn't disturb a merge. */
function lookBetween(both: Both, from: number): void {
  const first = both.forgotten[from]!
  const [expected, got] = [both.model, both.subject].map((state) => changesOf(state, from, first))
  sameRows('changes', expected!, got!)
  got!.giveBack()
}

function changesOf(state: ReplicaState, of: number, from: number): RowList {
  const rows = new RowList()
  rows.add(state.changes(of, from, ALL).changed)
  return rows
}

/** Any of the conflicts, as many as asked for. */
function sameListed(list: number, mine: Progress, theirs: Progress): void {
  same('conflicts listed', Math.min(list, mine.conflicts), theirs.listed.length)
  if (list === 0) return
  const left = [...mine.listed]
  for (const text of theirs.listed) {
    const at = left.indexOf(text)
    if (at === -1) throw new Mismatch(`listed a conflict that there isn't: ${text}`)
    left.splice(at, 1)
  }
}

/** Where a merge changed several rows, it is free which of them was first. */
function noteOrder(both: Both, into: number, { rows }: Progress): void {
  if (rows > 1) both.freeOrder[into] = true
}

import { changeSemantics } from './state/changes.ts'
import { digestSemantics } from './state/digests.ts'
import { floorSemantics } from './state/floor.ts'
import { mergeSemantics } from './state/merges.ts'
import { randomSemantics } from './state/random.ts'
import { rowSemantics } from './state/rows.ts'
import { undoSemantics } from './state/undo.ts'
import type { MakeState } from './state/world.ts'

/** What every implementation of `ReplicaState` must do; the model and the kernel are held to it alike. */
export function stateSemantics(name: string, makeState: MakeState): void {
  rowSemantics(name, makeState)
  mergeSemantics(name, makeState)
  floorSemantics(name, makeState)
  undoSemantics(name, makeState)
  changeSemantics(name, makeState)
  digestSemantics(name, makeState)
  randomSemantics(name, makeState)
}

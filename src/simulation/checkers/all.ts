import type { Checker } from './checker.ts'
import { totalOrder } from './i01-total-order.ts'
import { keepsStamps } from './i02-join.ts'
import { risingStamps } from './i03-rising-stamps.ts'
import { acknowledgedIsThere } from './i04-acknowledged.ts'
import { noWayBack } from './i05-no-way-back.ts'
import { truePositions } from './i06-positions.ts'
import { damageIsTold } from './i07-damage.ts'
import { writtenValues } from './i08-written-values.ts'
import { oneOwner } from './i09-one-owner.ts'
import { tombstonesStay } from './i10-tombstones.ts'
import { lanesLive } from './liveness.ts'
import { boundedReads } from './i11-bounds.ts'
import { converges } from './i12-converges.ts'
import { scriptOrder } from './i13-script-order.ts'
import { learningIsSilent } from './i14-learning.ts'
import { foreignStays } from './i15-foreign.ts'

/** One for each invariant, new for each run: some remember what they saw. */
export function allCheckers(): Checker[] {
  return [
    totalOrder(),
    keepsStamps(),
    risingStamps(),
    acknowledgedIsThere(),
    noWayBack(),
    truePositions(),
    damageIsTold(),
    writtenValues(),
    oneOwner(),
    tombstonesStay(),
    boundedReads(),
    converges(),
    lanesLive(),
    scriptOrder(),
    learningIsSilent(),
    foreignStays(),
  ]
}

import { nextRow, NO_ROW, walkRows } from './keys'
import { clearFlag, COMPLETE, recordAt } from './records'
import { floorOf, hasFloor, setFloor } from './replicas'

/** Raises the time that the replica's database may have held (I14): rows that weren't looked up since are incomplete. */
export function raiseFloor(replica: u32, time: i64): void {
  if (hasFloor(replica) && floorOf(replica) >= time) return
  setFloor(replica, time)
  walkRows()
  for (let row = nextRow(); row != NO_ROW; row = nextRow()) {
    const record = recordAt(replica, row)
    if (record != 0) clearFlag(record, COMPLETE)
  }
}

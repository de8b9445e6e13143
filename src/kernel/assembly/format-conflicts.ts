import { copyBytes, copyShort, setU64, setU8 } from './memory'
import { AT, CLOSE, LF, SPACE } from './characters'
import { roomForKey } from './format'
import { putKey } from './format-keys'
import { keyLength, keyStart, tableOf } from './keys'
import { logAt, logTo } from './logs'
import { longestOriginName, originName, originNameLength } from './origins'
import { columnName, columnNameLength, columnsOf } from './tables'
import { putTime, TIME_BYTES } from './times'

/* Remarks of conflicts in logs: `# conflict KEY COLUMN won STAMP lost STAMP`, as `src/engine/merges.ts` spells them. */

/** `# confli`, `ct (`, ` won `, ` lost `. */
const CONFLICT: u64 = 0x696c666e6f632023
const CONFLICT_REST: u64 = 0x28207463
const WON: u64 = 0x206e6f7720
const LOST: u64 = 0x2074736f6c20

/** All of a remark but key, column and origins. */
const FRAME: u32 = 2 * (TIME_BYTES + 1) + 48

/** Bytes that the remarks of a row's conflicts take at the most. */
export function conflictBytes(row: u32): u32 {
  const table = tableOf(row)
  const each = FRAME + roomForKey(table, keyLength(row)) + 2 * longestOriginName()
  let bytes: u32 = 0
  for (let column: u32 = 0; column < columnsOf(table); column++) bytes += each + columnNameLength(table, column)
  return bytes
}

/** Writes a remark into a replica's log. There must be room for it. */
export function logConflict(replica: u32, row: u32, column: u32, won: i64, wonBy: u32, lost: i64, lostBy: u32): void {
  const table = tableOf(row)
  let to = logAt(replica)
  setU64(to, CONFLICT)
  setU64(to + 8, CONFLICT_REST)
  to = putKey(to + 12, table, keyStart(row), keyLength(row))
  setU8(to, CLOSE)
  setU8(to + 1, SPACE)
  const named = columnNameLength(table, column)
  copyBytes(to + 2, columnName(table, column), named)
  to += 2 + named
  setU64(to, WON)
  to = putFullStamp(to + 5, won, wonBy)
  setU64(to, LOST)
  to = putFullStamp(to + 6, lost, lostBy)
  setU8(to, LF)
  logTo(replica, to + 1)
}

/** A stamp with its origin, whatever log it stands in. */
function putFullStamp(to: usize, time: i64, origin: u32): usize {
  const end = putTime(to, time)
  const bytes = originNameLength(origin)
  setU8(end, AT)
  copyShort(end + 1, originName(origin), bytes)
  return end + 1 + bytes
}

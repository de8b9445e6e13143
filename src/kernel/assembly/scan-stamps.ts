import { equalBytes, getI64, getU32, getU8, setU8, takeStatic } from './memory'
import { findOrigin, NO_ORIGIN, originName, originNameLength } from './origins'
import { originOfReplica } from './replicas'
import { FLAGS, ORIGIN, ORIGIN_BYTES, STAMPED, TIME } from './scan-batch'
import { operationReplica } from './scan-heads'

/* The stamps of scanned operations, and the session's clock while a block runs (`src/core/clock.ts`). */

const MOST_TIME: i64 = 0x7fffffffffffffff

/** The name that was looked for last. */
let name: usize = 0
let nameOrigin: u32 = NO_ORIGIN

let wall: i64 = 0
/** The greatest time that a stamp of others may have. */
let bound: i64 = 0

/** The greatest time given or observed so far. */
export let lastTime: i64 = 0
/** What `findStamp` found. */
export let stampTime: i64 = 0
export let stampOrigin: u32 = 0

export function initStamps(): void {
  name = takeStatic(256)
}

export function setClock(wallTime: i64, last: i64, boundTime: i64): void {
  wall = wallTime
  lastTime = last
  bound = boundTime
}

/** The operation took its stamp: the clock is above it now. */
export function tookStamp(): void {
  if (stampTime > lastTime) lastTime = stampTime
}

/** The stamp of an operation: its own, or the next of the clock. False where that is for the parser. */
export function findStamp(op: usize): bool {
  if ((getU32(op + FLAGS) & STAMPED) != 0) {
    const time = getI64(op + TIME)
    return (time <= lastTime || time <= bound) && readStamp(op)
  }
  if (lastTime == MOST_TIME) return false
  stampTime = wall > lastTime + 1 ? wall : lastTime + 1
  stampOrigin = originOfReplica(operationReplica(op))
  return true
}

/** The stamp that a line has; false where there are too many origins. */
export function readStamp(op: usize): bool {
  stampTime = getI64(op + TIME)
  const bytes = getU32(op + FLAGS) & ORIGIN_BYTES
  if (bytes == 0) stampOrigin = originOfReplica(operationReplica(op))
  else stampOrigin = originNamed(getU32(op + ORIGIN), bytes)
  return stampOrigin != NO_ORIGIN
}

/** The origin of a name in any case. */
function originNamed(p: usize, bytes: u32): u32 {
  for (let i: u32 = 0; i < bytes; i++) {
    const byte = getU8(p + i)
    setU8(name + i, byte - 97 < 26 ? byte - 32 : byte)
  }
  const isLast = nameOrigin != NO_ORIGIN && originNameLength(nameOrigin) == bytes
  if (!isLast || !equalBytes(originName(nameOrigin), name, bytes)) nameOrigin = findOrigin(name, bytes)
  return nameOrigin
}

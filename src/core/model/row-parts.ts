import { sameStamp, type Register, type Row } from '../row.ts'
import type { Stamp } from '../stamp.ts'

export function sameRegister(a: Register | undefined, b: Register | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && a.value === b.value && sameStamp(a.stamp, b.stamp))
}

/** Whether a write left a row as it was: only a replayed one can. */
export function sameAfterWrite(mine: Row, next: Row): boolean {
  return (
    sameStamp(mine.tombstone, next.tombstone) && mine.registers.every((register, c) => register === next.registers[c])
  )
}

/** What of a joined row is new against what was there before. */
export function takenPart(mine: Row | undefined, joined: Row): Row {
  if (mine === undefined) return joined
  return {
    registers: joined.registers.map((register, c) =>
      sameRegister(register, mine.registers[c]) ? undefined : register,
    ),
    tombstone: sameStamp(joined.tombstone, mine.tombstone) ? undefined : joined.tombstone,
  }
}

/** How many oplog records a row takes: one for each distinct stamp. */
export function distinctStamps({ registers, tombstone }: Row): number {
  if (registers.length === 1 && tombstone === undefined) return registers[0] === undefined ? 0 : 1
  const seen: Stamp[] = tombstone === undefined ? [] : [tombstone]
  for (const register of registers) {
    if (register !== undefined && !seen.some((stamp) => sameStamp(stamp, register.stamp))) seen.push(register.stamp)
  }
  return seen.length
}

/** About the bytes of a row's values and stamps, for bounds. */
export function rowBytes({ registers, tombstone }: Row): number {
  let bytes = tombstone === undefined ? 0 : 40
  for (const register of registers) if (register !== undefined) bytes += 40 + (register.value?.length ?? 0)
  return bytes
}

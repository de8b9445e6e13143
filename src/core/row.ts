import { compareStamps, laterStamp, type Stamp } from './stamp.ts'

/** A value with its stamp; the last writer wins, per column. Never changed once made. */
export interface Register {
  /** Canonical text, or null. */
  readonly value: string | null
  readonly stamp: Stamp
}

/** A row in normal form. Never changed once made: a write makes a new one. It exists if it has a register. */
export interface Row {
  /** One per value column; undefined where there is no register, which reads as null. */
  readonly registers: readonly (Register | undefined)[]
  readonly tombstone: Stamp | undefined
}

/** Whether the row exists. */
export function exists(row: Row | undefined): row is Row {
  if (row === undefined) return false
  for (const register of row.registers) if (register !== undefined) return true
  return false
}

/** The normal form: no register that isn't newer than the tombstone, no tombstone that every column outlived. */
export function normalRow(registers: readonly (Register | undefined)[], tombstone: Stamp | undefined): Row {
  if (tombstone === undefined) return { registers, tombstone }
  const alive = registers.map((register) =>
    register !== undefined && compareStamps(register.stamp, tombstone) > 0 ? register : undefined,
  )
  return { registers: alive, tombstone: alive.includes(undefined) ? tombstone : undefined }
}

/**
 * The greater of two registers of one column: by stamp, and between equal stamps, which only edited or lost logs can
 * bring, by the bytes of the value (I1), null being the least.
 */
export function laterRegister(a: Register | undefined, b: Register | undefined): Register | undefined {
  if (a === undefined) return b
  if (b === undefined) return a
  const order = compareStamps(a.stamp, b.stamp)
  if (order !== 0) return order > 0 ? a : b
  return compareValues(a.value, b.value) >= 0 ? a : b
}

/** Values by the bytes of their canonical text; null is the least. */
export function compareValues(a: string | null, b: string | null): number {
  if (a === b) return 0
  if (a === null || b === null) return a === null ? -1 : 1
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/**
 * The join of two rows: commutative, associative, idempotent (I2). Gives `a` itself where `b` adds nothing, else `b`
 * itself where nothing of `a` is left: rows that agree are mostly one.
 */
export function joinRows(a: Row | undefined, b: Row): Row {
  if (a === undefined || a === b) return b
  if (a.registers.length === 1 && a.tombstone === undefined && b.tombstone === undefined) return joinSingle(a, b)
  const tombstone = laterStamp(a.tombstone, b.tombstone)
  const joined = normalRow(
    a.registers.map((register, c) => laterRegister(register, b.registers[c])),
    tombstone,
  )
  return sameRow(a, joined) ? a : sameRow(b, joined) ? b : joined
}

/** The same for rows of one column that were never deleted. */
function joinSingle(a: Row, b: Row): Row {
  const theirs = b.registers[0]
  return laterRegister(a.registers[0], theirs) === theirs && !sameRow(a, b) ? b : a
}

/** Whether two rows have the same registers (value and stamp) and tombstone. */
export function sameRow(a: Row, b: Row): boolean {
  if (a === b) return true
  if (!sameStamp(a.tombstone, b.tombstone)) return false
  return a.registers.every((register, c) => {
    const other = b.registers[c]
    if (register === other) return true
    return (
      register !== undefined &&
      other !== undefined &&
      register.value === other.value &&
      sameStamp(register.stamp, other.stamp)
    )
  })
}

export function sameStamp(a: Stamp | undefined, b: Stamp | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && a.time === b.time && a.origin === b.origin)
}

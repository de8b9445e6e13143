/*
 * The only file that touches the linear memory. Addresses are byte offsets; 0 is "none". In the debug build each access
 * is checked against the memory that there is.
 */

/** Bytes that a read or write of eight at a time may go beyond a text's end: every area has as many behind it. */
export const SLACK: u32 = 8

let end: usize = 0
let staticEnd: usize = 0

/** Where the memory ends; anew after growth. */
export function memoryEnd(): usize {
  return (memory.size() as usize) << 16
}

export function memoryPages(): u32 {
  return memory.size() as u32
}

/** Grows the memory by pages of 64 KiB; false where the limit or the system refuses. */
export function growMemory(pages: u32): bool {
  const grown = memory.grow(pages as i32) >= 0
  end = memoryEnd()
  return grown
}

/** Begins the static area behind the program's own data. */
export function initMemory(): void {
  end = memoryEnd()
  staticEnd = (__heap_base + 15) & ~15
}

/** Zeroed bytes that stay for ever; called before the first page is taken. */
export function takeStatic(bytes: u32): usize {
  const at = staticEnd
  staticEnd = (staticEnd + bytes + SLACK + 15) & ~15
  assert(staticEnd <= end, 'the static area fits')
  return at
}

/** Where the static area ends now. */
export function staticsEnd(): usize {
  return staticEnd
}

/** For asserts: `bytes` at `p` lie within the memory, and not at its very beginning, where nothing is kept. */
function within(p: usize, bytes: u32): bool {
  return p >= 16 && p + bytes <= (end == 0 ? memoryEnd() : end)
}

export function getU8(p: usize): u32 {
  assert(within(p, 1), 'read in bounds')
  return load<u8>(p) as u32
}

export function getU16(p: usize): u32 {
  assert(within(p, 2), 'read in bounds')
  return load<u16>(p) as u32
}

export function getU32(p: usize): u32 {
  assert(within(p, 4), 'read in bounds')
  return load<u32>(p)
}

export function getU64(p: usize): u64 {
  assert(within(p, 8), 'read in bounds')
  return load<u64>(p)
}

export function getI64(p: usize): i64 {
  assert(within(p, 8), 'read in bounds')
  return load<i64>(p)
}

/** Sixteen bytes at once. */
export function getSixteen(p: usize): v128 {
  assert(within(p, 16), 'read in bounds')
  return v128.load(p)
}

export function setU8(p: usize, value: u32): void {
  assert(within(p, 1), 'write in bounds')
  store<u8>(p, value as u8)
}

export function setU16(p: usize, value: u32): void {
  assert(within(p, 2), 'write in bounds')
  store<u16>(p, value as u16)
}

export function setU32(p: usize, value: u32): void {
  assert(within(p, 4), 'write in bounds')
  store<u32>(p, value)
}

export function setU64(p: usize, value: u64): void {
  assert(within(p, 8), 'write in bounds')
  store<u64>(p, value)
}

export function setI64(p: usize, value: i64): void {
  assert(within(p, 8), 'write in bounds')
  store<i64>(p, value)
}

/** Copies; the areas may overlap. */
export function copyBytes(to: usize, from: usize, bytes: u32): void {
  assert(bytes == 0 || (within(to, bytes) && within(from, bytes)), 'copy in bounds')
  memory.copy(to, from, bytes)
}

/** Copies a short text eight bytes at a time: both sides have SLACK bytes behind them. */
export function copyShort(to: usize, from: usize, bytes: u32): void {
  for (let i: u32 = 0; i < bytes; i += 8) setU64(to + i, getU64(from + i))
}

/** The same sixteen at a time, for texts that mostly have no more: both sides have as many behind them. */
export function copyText(to: usize, from: usize, bytes: u32): void {
  copySixteen(to, from)
  for (let i: u32 = 16; i < bytes; i += 16) copySixteen(to + i, from + i)
}

function copySixteen(to: usize, from: usize): void {
  assert(within(to, 16) && within(from, 16), 'copy in bounds')
  v128.store(to, v128.load(from))
}

export function zeroBytes(p: usize, bytes: u32): void {
  assert(bytes == 0 || within(p, bytes), 'fill in bounds')
  memory.fill(p, 0, bytes)
}

export function equalBytes(a: usize, b: usize, bytes: u32): bool {
  let i: u32 = 0
  for (; i + 8 <= bytes; i += 8) if (getU64(a + i) != getU64(b + i)) return false
  for (; i < bytes; i++) if (getU8(a + i) != getU8(b + i)) return false
  return true
}

/** The same for short texts with SLACK bytes behind them. */
export function equalShort(a: usize, b: usize, bytes: u32): bool {
  let i: u32 = 0
  for (; i + 8 <= bytes; i += 8) if (getU64(a + i) != getU64(b + i)) return false
  return i == bytes || (getU64(a + i) ^ getU64(b + i)) << ((8 - (bytes - i)) * 8) == 0
}

/** Negative, zero or positive as the first bytes are less than, equal to or greater than the second. */
export function compareBytes(a: usize, aBytes: u32, b: usize, bBytes: u32): i32 {
  const shorter = aBytes < bBytes ? aBytes : bBytes
  for (let i: u32 = 0; i < shorter; i++) {
    const x = getU8(a + i)
    const y = getU8(b + i)
    if (x != y) return x < y ? -1 : 1
  }
  return aBytes == bBytes ? 0 : aBytes < bBytes ? -1 : 1
}

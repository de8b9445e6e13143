/** Slots looked at for one key. */
const PROBES = 4
const FIRST_SLOTS = 1 << 12
const MOST_SLOTS = 1 << 22

/**
 * Keys and their row numbers. The truth is a Map from key bytes, held as a string of one unit per byte. Before it stands
 * a table of row numbers by a hash of the bytes, so that a key that was met before is mostly found without making a
 * string of it; the table may forget, and is never wrong.
 */
export class KeyIndex {
  readonly #rows = new Map<string, number>()
  /** By row number: the keys of all tables. */
  readonly #keyOf: readonly string[]
  /** Row number plus one, 0 for none. */
  #slots = new Int32Array(FIRST_SLOTS)

  /** @param keyOf the key of each row number, kept by whoever numbers the rows */
  constructor(keyOf: readonly string[]) {
    this.#keyOf = keyOf
  }

  /** The row of the key in the first `length` bytes; undefined where there is none. */
  find(bytes: Buffer, length: number): number | undefined {
    const slots = this.#slots
    const first = hash(bytes, length)
    let free = first & (slots.length - 1)
    for (let probe = 0; probe < PROBES; probe++) {
      const slot = (first + probe) & (slots.length - 1)
      const row = slots[slot]! - 1
      if (row === -1) {
        free = slot
        break
      }
      if (sameBytes(this.#keyOf[row]!, bytes, length)) return row
    }
    const row = this.#rows.get(bytes.toString('latin1', 0, length))
    if (row !== undefined) slots[free] = row + 1
    return row
  }

  findText(key: string): number | undefined {
    return this.#rows.get(key)
  }

  add(key: string, row: number): void {
    this.#rows.set(key, row)
    // The new table fills as keys are met again.
    if (this.#rows.size * 2 > this.#slots.length && this.#slots.length < MOST_SLOTS) {
      this.#slots = new Int32Array(this.#slots.length * 4)
    }
  }
}

function hash(bytes: Uint8Array, length: number): number {
  let sum = length
  for (let i = 0; i < length; i++) sum = Math.imul(sum ^ bytes[i]!, 0x01000193)
  return (sum ^ (sum >>> 15)) >>> 0
}

function sameBytes(key: string, bytes: Uint8Array, length: number): boolean {
  if (key.length !== length) return false
  // From the end, where neighbouring keys differ.
  for (let i = length - 1; i >= 0; i--) if (key.charCodeAt(i) !== bytes[i]) return false
  return true
}

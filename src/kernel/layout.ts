/*
 * Where things are in the kernel's memory, as far as the wrapper reads them itself; `docs/kernel.md` draws all of it.
 */

/** A row: its header, the tombstone's time, then its cells. */
export const ROW_HEADER = 16
export const CELL = 16
export const TOMBSTONE_TIME = 8
/** In the header's lowest byte. */
export const TOMBSTONE_FLAG = 1
/** In a cell: the value's word, and of it what it is and its first inline byte. */
export const WORD = 8
export const TAG = 10
export const INLINE = 11
/** In a cell, the address of a value's block; in a block, its length and its bytes. */
export const BLOCK_ADDRESS = 12
export const BLOCK_LENGTH = 4
export const BLOCK_BYTES = 8

export const TAG_NOTHING = 0
export const TAG_BLOCK = 0xfe
export const TAG_NULL = 0xff

/** A column of a batch. */
export const BATCH_COLUMN = 24

/** A listed conflict: offsets. */
export const CONFLICT = {
  row: 0,
  column: 4,
  won: 8,
  lost: 16,
  wonBy: 24,
  lostBy: 28,
  sameStamp: 32,
} as const

/** Given as a length where a value is null. */
export const NULL_LENGTH = 0xffffffff
/** Answers of statements. */
export const TWIN = 2
export const NO_MEMORY = 3

/** A key column that is text has this width; one that is escaped like text but isn't text, the other. */
export const TEXT_WIDTH = 0
export const ESCAPED_WIDTH = 0xffff

/**
 * What each `--size` measures: lines and keys of the replayed script (ten lines a key), rows of a flush, and pairs.
 * `tiny` only shows that everything works.
 */
export const SIZES = {
  tiny: { lines: 2_000, keys: 200, rows: 500, pairs: 1, starts: 1 },
  small: { lines: 100_000, keys: 10_000, rows: 20_000, pairs: 5, starts: 11 },
  default: { lines: 1_000_000, keys: 100_000, rows: 200_000, pairs: 5, starts: 11 },
  large: { lines: 10_000_000, keys: 1_000_000, rows: 1_000_000, pairs: 5, starts: 21 },
}

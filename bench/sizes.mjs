/**
 * What each `--size` measures.
 * - `lines` of the replayed script over `keys`; `naiveLines` of the naive replay's, over as many keys a line
 * - `merged` keys of the large merge, `few` of the merge `among` so many
 * - `sets` of a program, and of the scripts for tables of one and of five columns
 * - `values` of 1 KB, each overwritten ten times
 * - `rows` of a flush; `gets` that miss; `copied` and `compared` rows
 * - `build`: whether servers are started and tools of databases compiled that aren't there
 *
 * `tiny` only shows that everything works.
 */
export const SIZES = {
  tiny: {
    ...{ lines: 2_000, keys: 200, naiveLines: 1_000, merged: 500, few: 100, among: [100, 200, 500] },
    ...{ sets: 1_000, values: 100, rows: 500, pairs: 1, starts: 1 },
    ...{ gets: 100, copied: 500, compared: 500, build: false },
  },
  small: {
    ...{ lines: 500_000, keys: 50_000, naiveLines: 100_000, merged: 50_000, few: 2_000 },
    ...{ among: [2_000, 20_000, 100_000], sets: 100_000, values: 10_000, rows: 20_000, pairs: 5, starts: 11 },
    ...{ gets: 2_000, copied: 50_000, compared: 50_000, build: true },
  },
  default: {
    ...{ lines: 10_000_000, keys: 1_000_000, naiveLines: 1_000_000, merged: 1_000_000, few: 10_000 },
    ...{ among: [10_000, 1_000_000, 5_000_000], sets: 1_000_000, values: 200_000 },
    ...{ rows: 200_000, pairs: 5, starts: 11, gets: 10_000, copied: 1_000_000, compared: 1_000_000, build: true },
  },
  large: {
    ...{ lines: 20_000_000, keys: 2_000_000, naiveLines: 2_000_000, merged: 2_000_000, few: 10_000 },
    ...{ among: [10_000, 2_000_000, 10_000_000], sets: 4_000_000, values: 400_000 },
    ...{ rows: 1_000_000, pairs: 5, starts: 21, gets: 10_000, copied: 2_000_000, compared: 3_000_000, build: true },
  },
}

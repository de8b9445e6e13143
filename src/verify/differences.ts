import type { TableSchema } from '../core/table.ts'
import type { KeyRange } from '../connectors/connector.ts'
import { unequalPairs } from './align-sides.ts'
import { classify, normalRow, type Compared, type Pair } from './classify.ts'
import { canDigest, unequalRanges } from './digest-ranges.ts'
import { newTally, type Difference, type DifferencesOptions, type Side, type Tally } from './difference.ts'
import { SecondLooks } from './differences-settled.ts'

/** Differences that are looked at again together: whichever comes first. */
const GATHERED = 1000
const GATHERED_CHARACTERS = 8 * 1024 * 1024

/**
 * The differences of a table between two replicas, in key order and bounded memory. Both databases are read at the same
 * time; where both can work out digests, ranges of keys that are equal by their digests aren't read. What differs is
 * read again before it is given out: differences that writes going on bring and take are left out, and counted.
 *
 * Reads only; may be left early. Throws what the stores throw, and the signal's reason.
 */
export async function* differences(
  left: Side,
  right: Side,
  table: TableSchema,
  options: DifferencesOptions,
): AsyncGenerator<Difference, void, undefined> {
  const sides = [left, right] as const
  const { where, signal, tally = newTally() } = options
  const compared = { columns: options.columns ?? [...table.values.keys()], valuesOnly: options.valuesOnly ?? false }
  const looks = new SecondLooks(sides, table, compared, options, tally)
  const whole = options.columns === undefined && where === undefined && !compared.valuesOnly
  const byDigest = whole && options.digests !== false && canDigest(sides, table)
  const ranges: KeyRange[] = byDigest ? await unequalRanges(sides, table, tally, signal) : [{}]
  for await (const pairs of gathered(candidates(sides, table, ranges, compared, options, tally))) {
    for (const difference of await looks.confirmed(pairs)) {
      if (where !== undefined && !isAskedFor(difference, where)) continue
      tally.found[difference.kind]++
      if (difference.moving) tally.moving++
      yield difference
    }
  }
}

/** The pairs of rows that differ when they are first read. */
async function* candidates(
  sides: readonly [Side, Side],
  table: TableSchema,
  ranges: readonly KeyRange[],
  compared: Compared,
  { where, signal }: DifferencesOptions,
  tally: Tally,
): AsyncGenerator<Pair, void, undefined> {
  for (const range of ranges) {
    signal?.throwIfAborted()
    for await (const raw of unequalPairs(sides, table, range, compared, tally, signal)) {
      const pair = { left: normalRow(raw.left), right: normalRow(raw.right) }
      if (classify(pair, compared) === undefined) continue
      if (where === undefined || isAskedFor(pair, where)) yield pair
    }
  }
}

function isAskedFor({ left, right }: Pair, where: NonNullable<DifferencesOptions['where']>): boolean {
  return (left !== undefined && where(left)) || (right !== undefined && where(right))
}

async function* gathered(pairs: AsyncIterable<Pair>): AsyncGenerator<Pair[], void, undefined> {
  let held: Pair[] = []
  let characters = 0
  for await (const pair of pairs) {
    held.push(pair)
    characters += sizeOf(pair)
    if (held.length < GATHERED && characters < GATHERED_CHARACTERS) continue
    yield held
    held = []
    characters = 0
  }
  if (held.length > 0) yield held
}

function sizeOf({ left, right }: Pair): number {
  const cells = [...(left?.cells ?? []), ...(right?.cells ?? [])]
  return cells.reduce((sum, cell) => sum + (cell?.value?.length ?? 0), 0)
}

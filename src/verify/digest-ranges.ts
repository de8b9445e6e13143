import type { TableSchema } from '../core/table.ts'
import type { KeyRange, RangeDigest } from '../connectors/connector.ts'
import { compareKeys } from './align-stream.ts'
import type { Side, Tally } from './difference.ts'

/** A range of about so many rows is read rather than split. */
const SMALL = 10_000
/** Ranges that a table is cut into, and by how many times more where they are still large. */
const PARTS = 256
const FINER = 16
const MOST_PARTS = PARTS * FINER * FINER
/** Ranges of one question. */
const ASKED = 256

type Digesting = Side & { readonly store: Required<Pick<Side['store'], 'digest'>> }

/** Whether both databases can work out the digests of a table. */
export function canDigest(sides: readonly [Side, Side], table: TableSchema): boolean {
  return [...table.key, ...table.values].every(({ type }) =>
    sides.every(({ store, capabilities }) => store.digest !== undefined && capabilities.digests?.includes(type.name)),
  )
}

/**
 * The ranges of a table, in key order, whose digests differ; rows in the others needn't be read. Both databases are
 * asked at the same time: for the whole table first, then for parts, finer where they are large.
 */
export async function unequalRanges(
  sides: readonly [Side, Side],
  table: TableSchema,
  tally: Tally,
  signal: AbortSignal | undefined,
): Promise<KeyRange[]> {
  const digesting = sides as readonly [Digesting, Digesting]
  let ranges = await unequalOf(digesting, table, [{}], tally, signal)
  for (let parts = PARTS; parts <= MOST_PARTS; parts *= FINER) {
    const large = ranges.filter(({ rows }) => rows > SMALL)
    if (large.length === 0) break
    const keys = await splitKeys(sides, table, Math.min(parts, MOST_PARTS))
    const finer = large.flatMap(({ range }) => cut(table, range, keys))
    if (finer.length === large.length) break
    const found = await unequalOf(digesting, table, finer, tally, signal)
    ranges = [...ranges.filter(({ rows }) => rows <= SMALL), ...found].sort((a, b) => order(table, a.range, b.range))
  }
  tally.unequalRanges += ranges.length
  return joined(ranges.map(({ range }) => range))
}

interface Unequal {
  readonly range: KeyRange
  /** Of the side that has more. */
  readonly rows: number
}

async function unequalOf(
  sides: readonly [Digesting, Digesting],
  table: TableSchema,
  ranges: readonly KeyRange[],
  tally: Tally,
  signal: AbortSignal | undefined,
): Promise<Unequal[]> {
  const unequal: Unequal[] = []
  for (let from = 0; from < ranges.length; from += ASKED) {
    signal?.throwIfAborted()
    const asked = ranges.slice(from, from + ASKED)
    const [left, right] = await Promise.all([sides[0].store.digest(table, asked), sides[1].store.digest(table, asked)])
    for (const [i, range] of asked.entries()) {
      const a = left[i]!
      const b = right[i]!
      if (sameDigest(a, b)) {
        tally.equalRanges++
        tally.skipped += a.rows
        tally.compared += a.rows
        tally.leftRows += a.rows
        tally.rightRows += a.rows
      } else unequal.push({ range, rows: Math.max(a.rows, b.rows) })
    }
  }
  return unequal
}

function sameDigest(a: RangeDigest, b: RangeDigest): boolean {
  return a.rows === b.rows && a.sums[0] === b.sums[0] && a.sums[1] === b.sums[1]
}

/** Of the side that can; the other one where the first sees nothing to split. */
async function splitKeys(
  sides: readonly [Side, Side],
  table: TableSchema,
  parts: number,
): Promise<readonly (readonly string[])[]> {
  for (const { store } of sides) {
    const keys = (await store.splitKeys?.(table, parts)) ?? []
    if (keys.length > 0) return keys
  }
  return []
}

/** A range in pieces that end at the keys inside it. */
function cut(table: TableSchema, { after, upTo }: KeyRange, keys: readonly (readonly string[])[]): KeyRange[] {
  const inside = keys.filter(
    (key) =>
      (after === undefined || compareKeys(table, key, after) > 0) &&
      (upTo === undefined || compareKeys(table, key, upTo) < 0),
  )
  const ends = [...inside, upTo]
  return ends.map((end, i) => {
    const start = i === 0 ? after : inside[i - 1]
    return { ...(start === undefined ? {} : { after: start }), ...(end === undefined ? {} : { upTo: end }) }
  })
}

function order(table: TableSchema, a: KeyRange, b: KeyRange): number {
  if (a.after === undefined || b.after === undefined)
    return Number(b.after === undefined) - Number(a.after === undefined)
  return compareKeys(table, a.after, b.after)
}

/** Neighbours become one range. */
function joined(ranges: readonly KeyRange[]): KeyRange[] {
  const out: KeyRange[] = []
  for (const range of ranges) {
    const last = out.at(-1)
    if (last?.upTo !== undefined && last.upTo === range.after) {
      out[out.length - 1] = {
        ...(last.after === undefined ? {} : { after: last.after }),
        ...(range.upTo === undefined ? {} : { upTo: range.upTo }),
      }
    } else out.push(range)
  }
  return out
}

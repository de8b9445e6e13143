import { sqlState } from './faults.ts'
import { quoted, tableSql, type StoredColumn, type TableLayout } from './layout.ts'
import { boundOf } from './read.ts'
import { compareKey, of, toText } from './statements.ts'
import type { KeyRange, RangeDigest } from '../connector.ts'
import type { Session } from './session.ts'

/** Ranges of one statement: the decision which of them a row is in is a tree as deep as their number has bits. */
const RANGES = 256
/** A table of fewer pages isn't cut. */
const FEW_PAGES = 32
const PAGE_BYTES = 8192
/** Keys looked at for each part. */
const KEYS_PER_PART = 100

/** The canonical text of a value, in SQL; for the types in `postgresCapabilities.digests`. */
function canonicalSql(column: StoredColumn): string {
  const stored = of('stored', column.name)
  const text = toText(column, stored)
  switch (column.type.name) {
    case 'decimal':
      // Declared with digits after the point, it is always written with all of them.
      return (column.type.scale ?? 18) === 0 ? text : `rtrim(rtrim(${text}, '0'), '.')`
    case 'timestamp':
      return `CASE WHEN right(${text}, 3) = '+00' THEN left(${text}, -3) || 'Z' ELSE ${text} END`
    default:
      return text
  }
}

const part = (text: string): string => `octet_length(${text}) || ':' || ${text}`
const nullable = (text: string): string => `coalesce(${part(text)}, '-')`

/** The text of a row of which the digest is taken, as `core/row-digest.ts` defines it. */
function rowText(layout: TableLayout): string {
  const key = layout.keys.map((column) => part(canonicalSql(column)))
  const values = layout.values.flatMap((column, c) => [
    nullable(canonicalSql(column)),
    nullable(of('stored', layout.stamps[c]!)),
  ])
  return [...key, ...values, nullable(of('stored', layout.deleted))].join(' || ')
}

interface Bounds {
  readonly after: readonly string[]
  readonly upTo: readonly string[]
}

/** The digest of each range; a run of neighbours is read once. A missing table is empty. */
export async function digestRanges(
  session: Session,
  layout: TableLayout,
  ranges: readonly KeyRange[],
): Promise<RangeDigest[]> {
  const bounds = ranges.map(({ after, upTo }): Bounds => {
    const bound = (key: readonly string[] | undefined) => (key === undefined ? [] : boundOf(layout.schema, key))
    return { after: bound(after), upTo: bound(upTo) }
  })
  const digests: RangeDigest[] = []
  for (let start = 0; start < bounds.length;) {
    let end = start + 1
    while (end < bounds.length && end - start < RANGES && follows(bounds[end - 1]!, bounds[end]!)) end++
    digests.push(...(await digestRun(session, layout, bounds.slice(start, end))))
    start = end
  }
  return digests
}

function follows(one: Bounds, next: Bounds): boolean {
  return next.after.length > 0 && JSON.stringify(one.upTo) === JSON.stringify(next.after)
}

async function digestRun(session: Session, layout: TableLayout, run: readonly Bounds[]): Promise<RangeDigest[]> {
  const parameters: string[] = []
  const bind = (key: readonly string[]): string[] => key.map((text) => `$${String(parameters.push(text))}::text`)
  const ends = run.map(({ upTo }) => bind(upTo))
  const first = bind(run[0]!.after)
  const where = [
    ...(first.length === 0 ? [] : [compareKey(layout, '>', first)]),
    ...(ends.at(-1)!.length === 0 ? [] : [compareKey(layout, '<=', ends.at(-1)!)]),
  ]
  const word = (from: number): string => `sum(('x' || substr(digest, ${String(from)}, 8))::bit(32)::bigint)::text`
  // The clock is there for a column that may not be merged into the query around it: each digest is worked out once.
  const sql = `SELECT part::text, count(*)::text, ${word(1)}, ${word(9)} FROM (
      SELECT ${choose(layout, ends, 0, run.length - 1)} AS part, md5(${rowText(layout)}) AS digest, clock_timestamp()
      FROM ${tableSql(layout)} AS stored${where.length === 0 ? '' : ` WHERE ${where.join(' AND ')}`}
    ) AS digests GROUP BY part`
  const digests = run.map((): RangeDigest => ({ rows: 0, sums: [0n, 0n] }))
  try {
    for (const [index, rows, high, low] of (await session.query(sql, parameters)).rows) {
      digests[Number(index)] = { rows: Number(rows), sums: [BigInt(high!), BigInt(low!)] }
    }
  } catch (error) {
    if (sqlState(error) !== '42P01') throw error
  }
  return digests
}

/** Which of the ranges a row is in that is in one of those from `low` to `high`. */
function choose(layout: TableLayout, ends: readonly (readonly string[])[], low: number, high: number): string {
  if (low === high) return String(low)
  const middle = (low + high) >> 1
  const lower = choose(layout, ends, low, middle)
  const upper = choose(layout, ends, middle + 1, high)
  return `CASE WHEN ${compareKey(layout, '<=', ends[middle]!)} THEN ${lower} ELSE ${upper} END`
}

/** Keys that cut a table into about equal parts, from a sample of its pages; none for a small one. */
export async function splitTable(session: Session, layout: TableLayout, parts: number): Promise<string[][]> {
  const pages = await pagesOf(session, layout)
  if (parts < 2 || pages < FEW_PAGES) return []
  const share = Math.min(1, (parts * 30) / pages)
  const keep = Math.min(1, (parts * KEYS_PER_PART) / (pages * 20 * share))
  const keys = layout.keys.map((column) => canonicalSql(column)).join(', ')
  const order = layout.keys.map(({ name }) => of('stored', name)).join(', ')
  const sql = `SELECT ${keys} FROM ${tableSql(layout)} AS stored TABLESAMPLE SYSTEM (${String(share * 100)})
    WHERE random() < ${String(keep)} ORDER BY ${order}`
  const { rows } = await session.query(sql)
  const cuts: string[][] = []
  for (let p = 1; p < parts; p++) {
    const at = Math.floor((p * rows.length) / parts)
    // A part that the sample says nothing about isn't cut off.
    if (at <= Math.floor(((p - 1) * rows.length) / parts)) continue
    cuts.push(rows[at - 1]!.map((text) => text!))
  }
  return cuts
}

async function pagesOf(session: Session, layout: TableLayout): Promise<number> {
  const { rows } = await session.query(
    `SELECT (coalesce(sum(pg_relation_size(part)), 0) / ${String(PAGE_BYTES)})::bigint::text FROM (
      SELECT to_regclass($1) AS part UNION SELECT relid FROM pg_partition_tree(to_regclass($1))) AS parts`,
    [`${quoted(layout.namespace)}.${quoted(layout.name)}`],
  )
  return Number(rows[0]![0])
}

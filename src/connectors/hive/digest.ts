import { keyAt } from '../../core/batch.ts'
import { keyBytes, type TableSchema } from '../../core/table.ts'
import type { KeyRange, RangeDigest } from '../connector.ts'
import { conditionsOf } from './scan.ts'
import { queryBatch } from './read.ts'
import type { Session } from './session.ts'
import { rowColumns, tableName } from './statements.ts'
import { toText } from './types.ts'

/** Ranges of one statement. */
const RANGES = 64
/** A table of fewer rows isn't cut. */
const FEW_ROWS = 50_000
const KEYS_PER_PART = 50

/** The MD5 of a row as `core/row-digest.ts` writes it; `t` is the table. */
function rowDigest(table: TableSchema): string {
  const columns = rowColumns(table)
  const keys = table.key.length
  const values = table.values.length
  const stamps = columns.slice(keys + values, -1)
  const order = [
    ...columns.slice(0, keys),
    ...columns.slice(keys, keys + values).flatMap((value, c) => [value, stamps[c]!]),
    columns.at(-1)!,
  ]
  const parts = order.map(({ sql, type }) => {
    const text = toText(type, sql)
    return `if(${sql} IS NULL, '-', concat(cast(octet_length(${text}) as string), ':', ${text}))`
  })
  return `md5(concat(${parts.join(', ')}))`
}

/** The digest of each range, in as few statements as their number allows. */
export async function digestRanges(
  session: Session,
  table: TableSchema,
  ranges: readonly KeyRange[],
): Promise<RangeDigest[]> {
  const found: RangeDigest[] = ranges.map(() => ({ rows: 0, sums: [0n, 0n] }))
  for (let start = 0; start < ranges.length; start += RANGES) {
    const part = ranges.slice(start, start + RANGES)
    for (const [n, rows, first, second] of await session.rows(digestStatement(table, part))) {
      found[start + Number(n)] = { rows: Number(rows), sums: [BigInt(String(first)), BigInt(String(second))] }
    }
  }
  return found
}

function digestStatement(table: TableSchema, ranges: readonly KeyRange[]): string {
  const conditions = ranges.map(({ after, upTo }) => conditionsOf(table, after, upTo).join(' AND '))
  const named = conditions.map((one) => (one === '' ? 'true' : one))
  const apart = ranges.every(({ after }, n) => n === 0 || (after !== undefined && same(after, ranges[n - 1]!.upTo)))
  const sum = (from: number) => `sum(cast(conv(substr(h, ${String(from)}, 8), 16, 10) as bigint))`
  const totals = `SELECT n, count(*), ${sum(1)}, ${sum(9)} FROM`
  const from = `${rowDigest(table)} AS h FROM ${tableName(table)} t`
  if (apart) {
    const range = `CASE ${named.map((one, n) => `WHEN ${one} THEN ${String(n)}`).join(' ')} END`
    return `${totals} (SELECT ${range} AS n, ${from}) d WHERE n IS NOT NULL GROUP BY n`
  }
  // Ranges that overlap: a row counts in each of them.
  const all = `array(${named.map((one, n) => `if(${one}, ${String(n)}, -1)`).join(', ')})`
  return `${totals} (SELECT ${all} AS ns, ${from}) d LATERAL VIEW explode(ns) e AS n WHERE n >= 0 GROUP BY n`
}

function same(a: readonly string[], b: readonly string[] | undefined): boolean {
  return b !== undefined && a.every((text, c) => text === b[c])
}

/** Keys that cut a table into about equal parts, from a sample of its keys. */
export async function splitTable(session: Session, table: TableSchema, partCount: number): Promise<string[][]> {
  const [counted] = await session.rows(`SELECT count(*) FROM ${tableName(table)}`)
  const rows = Number(counted![0])
  if (rows < FEW_ROWS || partCount < 2) return []
  const share = Math.min(1, (KEYS_PER_PART * partCount) / rows)
  const columns = rowColumns(table)
    .map(({ sql }, c) => (c < table.key.length ? sql : 'cast(null as string)'))
    .join(', ')
  const statement = `SELECT ${columns} FROM ${tableName(table)} t WHERE rand(7) < ${share.toFixed(9)}`
  const sample = await queryBatch(session, table, statement)
  const keys = Array.from({ length: sample.rows }, (_, row) => keyAt(sample, row))
    .map((key) => ({ key, bytes: keyBytes(table, key) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
  const found: string[][] = []
  for (let part = 1; part < partCount; part++) {
    const pick = keys[Math.floor((keys.length * part) / partCount)]
    if (pick !== undefined && !found.some((key) => key.join('\0') === pick.key.join('\0'))) found.push(pick.key)
  }
  return found
}

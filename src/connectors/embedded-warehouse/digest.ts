import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api'
import type { TableSchema } from '../../core/table.ts'
import type { KeyRange, RangeDigest } from '../connector.ts'
import { rangeCondition, rangeTexts } from './statements.ts'
import { quoted, searchableText, toText } from './types.ts'

/** The text of a row, as `core/row-digest.ts` defines it. */
function rowText(table: TableSchema): string {
  const part = (text: string) => `coalesce(strlen(${text}) || ':' || ${text}, '-')`
  const parts = [
    ...table.key.map(({ name, type }) => toText(type, `t.${quoted(name)}`)),
    ...table.values.flatMap(({ name, type }) => [toText(type, `t.${quoted(name)}`), `t.${quoted(`${name}_stamp`)}`]),
    't.deleted_stamp',
  ]
  return parts.map((text) => part(`(${text})`)).join(' || ')
}

function digestStatement(table: TableSchema, range: KeyRange): string {
  const word = (from: number) => `sum(CAST('0x' || substr(digest, ${String(from)}, 8) AS BIGINT))::VARCHAR`
  return (
    `SELECT count(*)::VARCHAR, ${word(1)}, ${word(9)} FROM ` +
    `(SELECT md5(${rowText(table)}) AS digest FROM ${quoted(table.name)} AS t ${rangeCondition(table, range)})`
  )
}

/** The digest of each range, one statement each. */
export async function digestRanges(
  connection: DuckDBConnection,
  table: TableSchema,
  ranges: readonly KeyRange[],
): Promise<RangeDigest[]> {
  const digests: RangeDigest[] = []
  for (const range of ranges) {
    const result = await connection.runAndReadAll(digestStatement(table, range), await rangeValues(table, range))
    const [rows, first, second] = result.getRows()[0] as [string, string | null, string | null]
    digests.push({ rows: Number(rows), sums: [BigInt(first ?? 0), BigInt(second ?? 0)] })
  }
  return digests
}

/** The parameters of `rangeCondition`: UTF-8, so that any character passes. */
export async function rangeValues(table: TableSchema, range: KeyRange): Promise<DuckDBValue[]> {
  const { blobValue } = await import('@duckdb/node-api')
  const types = table.key.map(({ type }) => type)
  return rangeTexts(range).map((text, i) => blobValue(Buffer.from(searchableText(types[i % types.length]!, text))))
}

/** Rising keys that cut the table into `parts`; none where it has fewer rows. */
export async function splitTable(
  connection: DuckDBConnection,
  table: TableSchema,
  parts: number,
): Promise<readonly (readonly string[])[]> {
  const names = table.key.map(({ name }) => `t.${quoted(name)}`)
  const counted = await connection.runAndReadAll(`SELECT count(*)::BIGINT FROM ${quoted(table.name)}`)
  const rows = Number(counted.getRows()[0]![0])
  if (rows < parts || parts < 2) return []
  const step = Math.ceil(rows / parts)
  const order = names.join(', ')
  const texts = table.key.map(({ type }, c) => `encode(${toText(type, `k${String(c)}`)})`)
  const keys = names.map((name, c) => `${name} AS k${String(c)}`)
  const found = await connection.runAndReadAll(
    `SELECT ${texts.join(', ')} FROM (SELECT ${keys.join(', ')}, row_number() OVER (ORDER BY ${order}) AS n ` +
      `FROM ${quoted(table.name)} AS t) WHERE n % ${String(step)} = 0 AND n < ${String(rows)} ORDER BY n`,
  )
  return found.getRows().map((row) => row.map((cell) => textOf(cell)))
}

function textOf(cell: DuckDBValue): string {
  const { bytes } = cell as unknown as { readonly bytes: Uint8Array }
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
}

import { keyAt, type KeyBatch, type RowBatch } from '../../core/batch.ts'
import { misfit, type Capabilities } from '../connector.ts'
import { CopyDecoder } from './copy-decode.ts'
import { sqlState } from './faults.ts'
import { RowColumns } from './row-columns.ts'
import { afterSetting, upToSetting, type TableStatements } from './statements.ts'
import type { TableSchema } from '../../core/table.ts'
import type { Session } from './session.ts'

/** Keys of one query. */
const KEYS = 10_000
/** Bytes of one batch of a scan. */
const SCAN_BYTES = 1024 * 1024

/** The rows of some keys, tombstones included; a missing table reads as empty. */
export async function readKeys(
  session: Session,
  statements: TableStatements,
  schema: TableSchema,
  capabilities: Capabilities,
  keys: KeyBatch,
): Promise<RowBatch> {
  const found = new RowColumns(schema)
  for (let start = 0; start < keys.rows; start += KEYS) {
    const arrays: string[][] = schema.key.map(() => [])
    for (let row = start; row < Math.min(keys.rows, start + KEYS); row++) {
      const key = keyAt(keys, row)
      // A key that can't stand there has no row, and a cast could round it to one that does.
      if (key.some((text, c) => misfit(capabilities, schema.key[c]!.type, text) !== undefined)) continue
      key.forEach((text, c) => arrays[c]!.push(text))
    }
    if (arrays[0]!.length === 0) continue
    try {
      for (const texts of (await session.query(statements.read, arrays)).rows) found.pushTexts(texts)
    } catch (error) {
      if (sqlState(error) !== '42P01') throw error
      break
    }
  }
  return found.build()
}

/**
 * All rows in key order as they are when the scan begins, after a key and up to one where they are given. Uses the session to its end;
 * the caller closes it.
 */
export async function* scanTable(
  session: Session,
  statements: TableStatements,
  schema: TableSchema,
  afterKey: readonly string[] | undefined,
  upToKey: readonly string[] | undefined,
): AsyncGenerator<RowBatch> {
  const after = afterKey === undefined ? [] : boundOf(schema, afterKey)
  const upTo = upToKey === undefined ? [] : boundOf(schema, upToKey)
  const settings = [
    ...after.map((text, c) => [afterSetting(c), text]),
    ...upTo.map((text, c) => [upToSetting(c), text]),
    // How long all of it takes is up to the reader; `copyOut` limits its steps.
    ['statement_timeout', '0'],
  ]
  try {
    await session.query('BEGIN READ ONLY')
    for (const setting of settings) await session.query('SELECT set_config($1, $2, true)', setting)
    const decoder = new CopyDecoder(schema, SCAN_BYTES)
    yield* session.copyOut(statements.scan(after.length, upTo.length), decoder.take)
    const last = decoder.end()
    if (last !== undefined) yield last
    await session.query('COMMIT')
  } catch (error) {
    if (sqlState(error) !== '42P01') throw error
  }
}

/**
 * For `>` and `<=` alike, the greatest bound that PostgreSQL can compare with that isn't above the key, with the same rows after it: texts end
 * before a U+0000, timestamps at the microsecond, and what would follow such a column no longer matters, since no row
 * can hold just that.
 */
export function boundOf(schema: TableSchema, key: readonly string[]): string[] {
  const bound: string[] = []
  for (const [c, { type }] of schema.key.entries()) {
    const text = key[c]!
    const nul = type.name === 'string' ? text.indexOf('\0') : -1
    if (nul >= 0) return [...bound, text.slice(0, nul)]
    if (type.name === 'timestamp' && text.length > 27) return [...bound, `${text.slice(0, 26)}Z`]
    bound.push(text)
  }
  return bound
}

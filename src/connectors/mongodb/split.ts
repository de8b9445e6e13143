import { keyBytes } from '../../core/table.ts'
import { rowOf } from './read.ts'
import { serverCode } from './faults.ts'
import type { Session } from './session.ts'
import type { Table } from './table.ts'

/** Below so many rows for each part, cutting isn't worth it. */
const LEAST_ROWS = 20_000
const SAMPLES = 30

/** Keys that cut the table into about equal parts, from a random sample; none where the server takes no samples. */
export async function splitTable(
  session: Session,
  table: Table,
  parts: number,
): Promise<readonly (readonly string[])[]> {
  const { schema, features } = table
  if (features.weakValues || parts < 2) return []
  const count = Number((await session.run({ count: schema.name }))['n'])
  const useful = Math.min(parts, Math.floor(count / LEAST_ROWS))
  if (useful < 2) return []
  try {
    const keys = (await session.sample(schema.name, useful * SAMPLES)).map((raw) => rowOf(table, raw).key)
    const sorted = keys
      .map((key) => ({ key, bytes: keyBytes(schema, key) }))
      .sort((a, b) => a.bytes.compare(b.bytes))
      .filter((one, i, all) => i === 0 || one.bytes.compare(all[i - 1]!.bytes) > 0)
    const cuts = Math.min(useful, sorted.length)
    return Array.from(
      { length: Math.max(0, cuts - 1) },
      (_, i) => sorted[Math.floor(((i + 1) * sorted.length) / cuts)]!.key,
    )
  } catch (error) {
    if (serverCode(error) !== undefined) return []
    throw error
  }
}

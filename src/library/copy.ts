import type { Config } from '../config/config.ts'
import { checkCopy, copyTable, type CopyResult } from '../engine/copy.ts'
import type { SessionEvents } from '../engine/events.ts'
import { openSession } from '../engine/session.ts'
import { replicaOf, tablesOf, type Tools } from './tools.ts'

/** What is copied, and how. */
export interface CopyOptions {
  /** Only these tables; all by default. */
  readonly tables?: readonly string[]
  /** Begins anew, whatever an interrupted copy has done. */
  readonly restart?: boolean
  /** Ends it after the rows that are being written; the same call goes on behind them. */
  readonly signal?: AbortSignal
  /** Called after each batch, with all rows of the table so far, those of an interrupted copy included. */
  readonly onProgress?: (table: string, rows: number) => void
}

/** What came of one table. */
export interface TableCopy extends CopyResult {
  readonly table: string
}

export async function copyNamed(
  tools: Tools,
  config: Config,
  events: SessionEvents,
  names: readonly [from: string, to: string],
  { tables, restart = false, signal = new AbortController().signal, onProgress }: CopyOptions,
): Promise<TableCopy[]> {
  const [source, target] = [replicaOf(config, names[0]), replicaOf(config, names[1])]
  checkCopy(source.name, target.name)
  const wanted = tablesOf(config, tables)
  const from = await tools.connector(source)
  // Of the other replicas neither logs nor databases are needed.
  const session = await openSession(await tools.setup({ ...config, replicas: [target] }, events))
  const copies: TableCopy[] = []
  try {
    for (const { name } of wanted) {
      if (signal.aborted) break
      const progress = (rows: number) => {
        onProgress?.(name, rows)
      }
      const table = session.context.catalog.table(name)!
      copies.push({ table: name, ...(await copyTable(session, { from, table, restart, signal, progress })) })
    }
  } catch (error) {
    // What went wrong first is what matters; closing often fails for the same reason.
    await session.close().catch(() => undefined)
    throw error
  }
  await session.close()
  return copies
}

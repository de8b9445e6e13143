import { stat, statfs } from 'node:fs/promises'
import type { RowBatch, TextColumn } from '../../core/batch.ts'
import { PAGE_SIZE } from './database.ts'
import { fault } from './faults.ts'
import { dataFile } from './files.ts'

/** What a transaction of next to nothing may take: the pages on the way to it, LMDB's own, and as much again. */
const LEAST = 512 * 1024
/** Around a row's bytes: its document's names, its place in a page. */
const AROUND = 256

/**
 * Throws STATE_FULL where the disk may have less room than a transaction of these rows takes: with a write that fails for
 * want of room, LMDB's library overruns memory of its own while it words the error, and the process may end.
 *
 * A transaction writes each page that it changes anew: at most one for each row besides the row, and no more than the
 * file has.
 */
export async function expectRoom(directory: string, replica: string, batch?: RowBatch): Promise<void> {
  const [{ bavail, bsize }, size] = await Promise.all([
    statfs(directory),
    stat(dataFile(directory)).then(
      (found) => found.size,
      () => 0,
    ),
  ]).catch((error: unknown) => {
    throw fault(error, replica)
  })
  const rows = batch?.rows ?? 0
  const bytes = batch === undefined ? 0 : bytesOf(batch) + rows * AROUND
  const needed = LEAST + Math.min(rows * PAGE_SIZE, size) + 2 * bytes
  if (bavail * bsize < needed) throw fault(Object.assign(new Error('no room'), { code: 'ENOSPC' }), replica)
}

function bytesOf({ rows, keys, values, stamps, deleted }: RowBatch): number {
  const columns: readonly TextColumn[] = [...keys, ...values, ...stamps, deleted]
  return columns.reduce((sum, { ends }) => sum + (ends[rows - 1] ?? 0), 0)
}

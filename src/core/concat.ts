import type { RowBatch, TextColumn } from './batch.ts'

/** The rows of batches of one table in one batch that shares nothing with them; texts are copied, never decoded. */
export function concatBatches(batches: readonly RowBatch[]): RowBatch {
  const [first] = batches
  if (first !== undefined && batches.length === 1) return first
  const columns = (of: (batch: RowBatch) => readonly TextColumn[]): TextColumn[] =>
    (first === undefined ? [] : of(first)).map((_, c) => concatColumns(batches.map((batch) => of(batch)[c]!)))
  return {
    rows: batches.reduce((sum, batch) => sum + batch.rows, 0),
    keys: columns(({ keys }) => keys),
    values: columns(({ values }) => values),
    stamps: columns(({ stamps }) => stamps),
    deleted: concatColumns(batches.map(({ deleted }) => deleted)),
  }
}

/** Bytes of all texts of a batch. */
export function batchBytes({ rows, keys, values, stamps, deleted }: RowBatch): number {
  if (rows === 0) return 0
  return [...keys, ...values, ...stamps, deleted].reduce((sum, { ends }) => sum + ends[rows - 1]!, 0)
}

function concatColumns(columns: readonly TextColumn[]): TextColumn {
  const rows = columns.reduce((sum, { ends }) => sum + ends.length, 0)
  const used = columns.map(({ ends }) => ends.at(-1) ?? 0)
  const bytes = new Uint8Array(used.reduce((sum, length) => sum + length, 0))
  const ends = new Uint32Array(rows)
  const nulls = columns.some((column) => column.nulls !== undefined) ? new Uint8Array(rows) : undefined
  let row = 0
  let at = 0
  columns.forEach((column, c) => {
    bytes.set(column.bytes.subarray(0, used[c]), at)
    if (column.nulls !== undefined) nulls!.set(column.nulls.subarray(0, column.ends.length), row)
    for (const end of column.ends) ends[row++] = end + at
    at += used[c]!
  })
  return nulls === undefined ? { bytes, ends } : { bytes, ends, nulls }
}

/** The greatest text of columns by bytes, as stamps sort; '' for none. */
export function greatestText(columns: readonly TextColumn[]): string {
  let best = Buffer.alloc(0)
  for (const { bytes, ends, nulls } of columns) {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let row = 0, start = 0; row < ends.length; start = ends[row]!, row++) {
      if (nulls?.[row] === 1 || !isGreater(buffer, start, ends[row]!, best)) continue
      best = Buffer.from(buffer.subarray(start, ends[row]))
    }
  }
  return best.toString('latin1')
}

function isGreater(bytes: Buffer, start: number, end: number, than: Buffer): boolean {
  const length = Math.min(end - start, than.length)
  for (let i = 0; i < length; i++) {
    const difference = bytes[start + i]! - than[i]!
    if (difference !== 0) return difference > 0
  }
  return end - start > than.length
}

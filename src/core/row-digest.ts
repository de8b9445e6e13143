import type { RowBatch, TextColumn } from './batch.ts'

/*
 * Digests of rows that any database can work out: a row is written as one text, of which the MD5 is taken; ranges of
 * rows add up what the first and the second 32 bits of it say. MD5 because it is what PostgreSQL, Hive and others have
 * in common; it finds what differs by accident and is no protection against who wants rows to look the same.
 *
 * The text: for each key column, then for each value column its value and its stamp, then for the tombstone, a part.
 * A part is `-` for null, else the length of the canonical text in UTF-8 bytes, `:`, and the text.
 */

/** The bytes of which the MD5 of row `i` of a batch is taken. Rows are in normal form. */
export function digestBytes(batch: RowBatch, i: number): Buffer {
  const parts: Buffer[] = []
  const add = (column: TextColumn) => {
    if (column.nulls?.[i] === 1) {
      parts.push(NULL)
      return
    }
    const start = i === 0 ? 0 : column.ends[i - 1]!
    const end = column.ends[i]!
    const { bytes } = column
    parts.push(Buffer.from(`${String(end - start)}:`), Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start))
  }
  for (const key of batch.keys) add(key)
  for (const [c, values] of batch.values.entries()) {
    add(values)
    add(batch.stamps[c]!)
  }
  add(batch.deleted)
  return Buffer.concat(parts)
}

const NULL = Buffer.from('-')

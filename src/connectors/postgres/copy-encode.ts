import type { RowBatch, TextColumn } from '../../core/batch.ts'

/*
 * PostgreSQL's binary COPY: a header, then per row a field count and per field its length (-1 for null) and bytes, then
 * a trailer. Every field but the row number is sent as text, whose binary form is its UTF-8: bytes are only copied.
 */

const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')
const CHUNK = 256 * 1024
/** Below this a loop beats a call of `copy`. */
const SHORT = 64

/**
 * Encodes rows in the order of the staging table: number, keys, each value with its stamp, tombstone. Rows go out in
 * normal form, so that a new one is stored in it too.
 * @param rows numbers of the rows to send; all where it is undefined
 */
export function* encodeRows(batch: RowBatch, rows?: Uint32Array): Generator<Buffer> {
  const columns = [...batch.keys, ...batch.values.flatMap((values, c) => [values, batch.stamps[c]!]), batch.deleted]
  const count = rows?.length ?? batch.rows
  const overhead = 2 + 8 + 4 * columns.length
  let out = Buffer.allocUnsafe(CHUNK)
  let used = SIGNATURE.copy(out)
  for (let r = 0; r < count; r++) {
    const row = rows === undefined ? r : rows[r]!
    const size = overhead + bytesOf(columns, row)
    if (used + size + 2 > out.length) {
      yield out.subarray(0, used)
      out = Buffer.allocUnsafe(Math.max(CHUNK, size + 2))
      used = 0
    }
    used = out.writeInt16BE(columns.length + 1, used)
    used = out.writeInt32BE(4, used)
    used = out.writeInt32BE(row, used)
    const dropped = batch.deleted.nulls?.[row] === 1 ? undefined : droppedByNormalForm(batch, row)
    for (let c = 0; c < columns.length; c++) {
      const column = columns[c]!
      if (column.nulls?.[row] === 1 || dropped?.[c] === true) {
        used = out.writeInt32BE(-1, used)
      } else {
        used = writeField(out, used, column, row)
      }
    }
  }
  used = out.writeInt16BE(-1, used)
  yield out.subarray(0, used)
}

function bytesOf(columns: readonly TextColumn[], row: number): number {
  let sum = 0
  for (const { ends } of columns) sum += ends[row]! - (row === 0 ? 0 : ends[row - 1]!)
  return sum
}

function writeField(out: Buffer, at: number, column: TextColumn, row: number): number {
  const { bytes } = column
  const start = row === 0 ? 0 : column.ends[row - 1]!
  const length = column.ends[row]! - start
  out[at++] = length >>> 24
  out[at++] = length >>> 16
  out[at++] = length >>> 8
  out[at++] = length
  if (length > SHORT) out.set(bytes.subarray(start, start + length), at)
  else for (let i = 0; i < length; i++) out[at + i] = bytes[start + i]!
  return at + length
}

/** For a row with a tombstone: which of the columns, in the order of `encodeRows`, normal form leaves out. */
function droppedByNormalForm(batch: RowBatch, row: number): boolean[] {
  const dropped: boolean[] = batch.keys.map(() => false)
  const tombstone = slice(batch.deleted, row)
  let outlived = true
  for (const stamps of batch.stamps) {
    const alive = stamps.nulls?.[row] !== 1 && Buffer.compare(slice(stamps, row), tombstone) > 0
    dropped.push(!alive, !alive)
    outlived &&= alive
  }
  dropped.push(outlived)
  return dropped
}

function slice(column: TextColumn, row: number): Uint8Array {
  return column.bytes.subarray(row === 0 ? 0 : column.ends[row - 1]!, column.ends[row])
}

/** Whether some row has more than one of its registers and tombstone. */
export function hasMixedRows(batch: RowBatch): boolean {
  const parts = [...batch.stamps, batch.deleted]
  const always = parts.filter((part) => part.nulls === undefined).length
  const sometimes = parts.flatMap((part) => (part.nulls === undefined ? [] : [part.nulls]))
  if (always > 1) return batch.rows > 0
  for (let row = 0; row < batch.rows; row++) {
    let here = always
    for (const nulls of sometimes) if (nulls[row] !== 1) here++
    if (here > 1) return true
  }
  return false
}

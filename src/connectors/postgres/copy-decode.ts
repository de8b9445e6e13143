import { RowColumns } from './row-columns.ts'
import { MerganserError } from '../../core/errors.ts'
import type { RowBatch } from '../../core/batch.ts'
import type { TableSchema } from '../../core/table.ts'

const HEADER = 19

/** Reads a binary COPY of texts into row batches of about `bytes` bytes each, whatever pieces it arrives in. */
export async function* decodeRows(
  schema: TableSchema,
  pieces: AsyncIterable<Buffer>,
  bytes: number,
): AsyncGenerator<RowBatch> {
  let rest: Buffer = Buffer.alloc(0)
  let headerSeen = false
  let columns = new RowColumns(schema)
  for await (const piece of pieces) {
    let data = rest.length === 0 ? piece : Buffer.concat([rest, piece])
    if (!headerSeen) {
      if (data.length < HEADER) {
        rest = data
        continue
      }
      data = data.subarray(HEADER)
      headerSeen = true
    }
    let at = 0
    for (let end = rowEnd(data, at); end !== undefined; end = rowEnd(data, at)) {
      columns.pushBinary(data, at + 2)
      at = end
      if (columns.bytes >= bytes) {
        yield columns.build()
        columns = new RowColumns(schema)
      }
    }
    rest = data.subarray(at)
  }
  if (rest.length !== 2 || rest.readInt16BE(0) !== -1) {
    throw new MerganserError('CONNECTION_LOST', 'the answer to a scan ended early')
  }
  if (columns.rows > 0) yield columns.build()
}

/** Where the row at `at` ends; undefined where it isn't whole, or where the trailer stands. */
function rowEnd(data: Buffer, at: number): number | undefined {
  if (at + 2 > data.length) return undefined
  const fields = data.readInt16BE(at)
  if (fields < 0) return undefined
  let end = at + 2
  for (let f = 0; f < fields; f++) {
    if (end + 4 > data.length) return undefined
    const length = data.readInt32BE(end)
    end += 4 + Math.max(0, length)
  }
  return end <= data.length ? end : undefined
}

import { keyAt, type RowBatch } from '../core/batch.ts'
import type { TableSchema } from '../core/table.ts'
import type { KeyRange } from '../connectors/connector.ts'
import { equalRun, pairsOf, type Pairs } from './align.ts'
import { compareKeys, RowStream } from './align-stream.ts'
import { rowOfSide, type Compared, type Pair } from './classify.ts'
import type { Side, Tally } from './difference.ts'

/**
 * The keys of a range whose rows aren't the same bytes on both sides, with their rows: what may be a difference. Both
 * sides are read at the same time.
 */
export async function* unequalPairs(
  sides: readonly [Side, Side],
  table: TableSchema,
  range: KeyRange,
  compared: Compared,
  tally: Tally,
  signal?: AbortSignal,
): AsyncGenerator<Pair, void, undefined> {
  const left = new RowStream(sides[0], table, range)
  const right = new RowStream(sides[1], table, range)
  let pairs: Pairs | undefined
  let of: readonly [RowBatch?, RowBatch?] = []
  try {
    for (;;) {
      signal?.throwIfAborted()
      // One after the other, but both were asked before.
      if (left.row >= left.rows) await left.fill()
      if (right.row >= right.rows) await right.fill()
      const { batch: a } = left
      const { batch: b } = right
      if (a === undefined && b === undefined) return
      if (a !== undefined && b !== undefined) {
        if (of[0] !== a || of[1] !== b || pairs === undefined) {
          pairs = pairsOf(a, b, compared.columns, compared.valuesOnly ? 'only' : 'stamped')
          of = [a, b]
        }
        const most = Math.min(left.rows - left.row, right.rows - right.row)
        const equal = equalRun(pairs, left.row, right.row, most)
        left.row += equal
        right.row += equal
        count(tally, equal, equal, equal)
        if (equal === most) continue
      }
      yield nextPair(left, right, table, tally)
    }
  } finally {
    await Promise.all([left.stop(), right.stop()])
  }
}

/** The rows of the smaller of the two keys; the streams go behind it. */
function nextPair(left: RowStream, right: RowStream, table: TableSchema, tally: Tally): Pair {
  const { batch: a } = left
  const { batch: b } = right
  const order = a === undefined ? 1 : b === undefined ? -1 : compareKeys(table, keyAt(a, left.row), keyAt(b, right.row))
  const pair = {
    left: order <= 0 ? rowOfSide(a!, left.row++, left.replica) : undefined,
    right: order >= 0 ? rowOfSide(b!, right.row++, right.replica) : undefined,
  }
  count(tally, 1, order <= 0 ? 1 : 0, order >= 0 ? 1 : 0)
  return pair
}

function count(tally: Tally, keys: number, left: number, right: number): void {
  tally.compared += keys
  tally.leftRows += left
  tally.rightRows += right
}

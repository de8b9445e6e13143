import { RowBatchBuilder } from '../dist/core/batch.js'
import { stampText } from '../dist/core/stamp.js'
import { DEFAULT_TABLE } from '../dist/core/table.js'
import { gradeOf } from './script.mjs'

const DAY = 86_400_000_000_000n
const FIRST = 1_767_225_600_000_000_000n

/** The rows that a reference writes for keys, `fresh` or the same a day `newer`: `[student, course, grade, stamp]`. */
export function referenceRow(keys, i, age, origin = 'REFERENCE') {
  const time = FIRST + (age === 'newer' ? DAY : 0n) + BigInt(i) * 1000n
  return [...keys[i], gradeOf(i), stampText({ time, origin })]
}

/** The same as one batch of a table of the default table's shape. */
export function referenceBatch(keys, age, schema = DEFAULT_TABLE) {
  const rows = new RowBatchBuilder(schema, keys.length)
  for (let i = 0; i < keys.length; i++) {
    const [student, course, value, stamp] = referenceRow(keys, i, age)
    rows.push({ key: [student, course], cells: [{ value, stamp }], deleted: null })
  }
  return rows.build()
}

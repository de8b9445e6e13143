import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fresh, merganserRun } from './merganser.mjs'
import { atMost, inTurn, measured, median } from './pairs.mjs'
import { keyOf, randomBelow, writeLines } from './script.mjs'

const KEY = '    key: { student_id: string, course_id: string }'
/** Lines a key. */
const OVER = 10

/** By its name: how a column's `number`th value is written. */
const COLUMNS = {
  remark: { type: 'string', value: (number) => `R${String(number % 1000)}` },
  points: { type: 'int64', value: (number) => String(number % 100_000) },
  share: { type: 'float64', value: (number) => `${String(number % 100)}.5` },
  passed: { type: 'boolean', value: (number) => String(number % 2 === 0) },
  seen: { type: 'timestamp', value: (number) => `2026-11-22 15:${twoDigits(number)}:${twoDigits(number * 7)}Z` },
}

/**
 * Scripts for a table of five columns of different types, two of them in each SET, and for one of a single column; the
 * time of an empty script is taken off both.
 */
export async function columns({ directory, sets, pairs }) {
  const runs = {
    none: workload(directory, 'none', { grade: COLUMNS.remark }, 0, 1),
    one: workload(directory, 'one', { grade: COLUMNS.remark }, sets, 1),
    five: workload(directory, 'five', COLUMNS, sets, 2),
  }
  const rounds = await inTurn(pairs, runs)
  const start = median(rounds.map(({ none }) => none))
  const above = (seconds) => Math.max(seconds - start, 0.001)
  return [
    measured({
      work: 'SETs of two of five columns of mixed types, per column',
      reference: 'SETs of a table of one column',
      bar: atMost(1.5),
      pairs: rounds.map(({ one, five }) => ({ ours: above(five), reference: above(one) })),
      count: sets * 2,
      referenceCount: sets,
      unit: 'columns',
      note: `without ${start.toFixed(3)} s that a script of no lines takes`,
    }),
  ]
}

/** Writes a configuration and a script of `sets` SETs, `together` columns in each; gives what runs it. */
function workload(directory, name, shape, sets, together) {
  const config = join(directory, `${name}.yaml`)
  const script = join(directory, `${name}.in`)
  const values = Object.entries(shape).map(([column, { type }]) => `${column}: ${type}`)
  writeFileSync(config, `tables:\n  measures:\n${KEY}\n    values: { ${values.join(', ')} }\n`)
  const below = randomBelow()
  writeLines(script, sets, (i) => {
    const [student, course] = keyOf(below(Math.ceil(sets / OVER)))
    return `HIVE.SET((${student},${course}), ${cells(shape, i, together)})\n`
  })
  return () =>
    fresh(directory, async (state) => {
      const args = [script, '--config', config, '--dry-run', '--state', state]
      return (await merganserRun(directory, args)).seconds
    })
}

function cells(shape, i, together) {
  const columns = Object.entries(shape)
  if (together === 1) return columns[0][1].value(i)
  // All pairs of columns, one after the other.
  const first = i % columns.length
  const second = (first + 1 + (Math.floor(i / columns.length) % (columns.length - 1))) % columns.length
  return `{${[first, second].map((c) => `${columns[c][0]}: ${columns[c][1].value(i)}`).join(', ')}}`
}

const twoDigits = (number) => String(number % 60).padStart(2, '0')

import { closeSync, openSync, writeSync } from 'node:fs'

const REPLICAS = ['HIVE', 'POSTGRESQL', 'MONGODB']
const GRADES = ['A', 'A-', 'B+', 'B', 'B-', 'C+', 'C', 'D', 'F']

/** Numbers from 0 to below 1, always the same for the same seed. */
function random(seed = 12345) {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** Whole numbers from 0 to below `n`, always the same for the same seed. */
export function randomBelow(seed) {
  const next = random(seed)
  return (n) => Math.floor(next() * n)
}

/** The `number`th key of a workload: `[student, course]`. */
export function keyOf(number) {
  return [`SID${1000 + Math.floor(number / 40)}`, `CSE${String(number % 40).padStart(3, '0')}`]
}

/** The `number`th grade, and so on round. */
export function gradeOf(number) {
  return GRADES[number % GRADES.length]
}

/**
 * Writes a script of operations: 70 % SET, 30 % GET, keys and replicas uniform, a MERGE in about `mergeShare` of the
 * lines, and a FULL_SYNC as the last line.
 */
export function writeScript(file, { lines, keys, mergeShare = 0.000002, seed }) {
  const next = random(seed)
  const sequence = [0, 0, 0]
  writeLines(file, lines, () => line(next, keys, mergeShare, sequence), { last: 'FULL_SYNC\n' })
}

/**
 * Writes a file of `lines` lines as `make` gives them, line ends included.
 * @param last stands behind them
 * @param block how many are written at a time
 */
export function writeLines(file, lines, make, { last = '', block = 50_000 } = {}) {
  const output = openSync(file, 'w')
  for (let start = 0; start < lines; start += block) {
    const length = Math.min(block, lines - start)
    writeSync(output, Array.from({ length }, (_, i) => make(start + i)).join(''))
  }
  writeSync(output, last)
  closeSync(output)
}

function line(next, keys, mergeShare, sequence) {
  const below = (n) => Math.floor(next() * n)
  const replica = below(3)
  const choice = next()
  if (choice < mergeShare) return `${REPLICAS[replica]}.MERGE(${REPLICAS[(replica + 1 + below(2)) % 3]})\n`
  const [student, course] = keyOf(below(keys))
  const number = ++sequence[replica]
  return choice < 0.7
    ? `${number}, ${REPLICAS[replica]}.SET((${student},${course}), ${gradeOf(below(GRADES.length))})\n`
    : `${number}, ${REPLICAS[replica]}.GET(${student},${course})\n`
}

import { closeSync, openSync, writeSync } from 'node:fs'

const REPLICAS = ['HIVE', 'POSTGRESQL', 'MONGODB']
const GRADES = ['A', 'A-', 'B+', 'B', 'B-', 'C+', 'C', 'D', 'F']
/** Lines that are written at a time. */
const BLOCK = 100_000

/** Numbers from 0 to below `n`, always the same for the same seed. */
export function randomBelow(seed = 12345) {
  let state = seed
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
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
export function writeScript(file, { lines, keys, mergeShare = 0.000002, seed = 12345 }) {
  const below = randomBelow(seed)
  const sequence = [0, 0, 0]
  const output = openSync(file, 'w')
  let pending = []
  for (let i = 0; i < lines; i++) {
    pending.push(line(below, keys, mergeShare, sequence))
    if (pending.length === BLOCK) {
      writeSync(output, pending.join(''))
      pending = []
    }
  }
  writeSync(output, `${pending.join('')}FULL_SYNC\n`)
  closeSync(output)
}

function line(below, keys, mergeShare, sequence) {
  const replica = below(3)
  const choice = below(1_000_000) / 1_000_000
  if (choice < mergeShare) return `${REPLICAS[replica]}.MERGE(${REPLICAS[(replica + 1 + below(2)) % 3]})\n`
  const [student, course] = keyOf(below(keys))
  const number = ++sequence[replica]
  return choice < 0.7
    ? `${number}, ${REPLICAS[replica]}.SET((${student},${course}), ${gradeOf(below(GRADES.length))})\n`
    : `${number}, ${REPLICAS[replica]}.GET(${student},${course})\n`
}

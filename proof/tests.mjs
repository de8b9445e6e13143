import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { filesBelow } from '../scripts/files.mjs'
import { ROOT, tool } from '../scripts/run.mjs'

const TESTS = join(ROOT, 'test')
/** Who imports it keeps a row for the report. */
const RECORDS = /from '[./]*support\/proof\.ts'/
const ENDING = '.test.ts'

/** The proofs of `test/proof/` and the other tests that keep rows, by the name of their file. */
export function proofFiles() {
  const files = filesBelow(TESTS).filter((file) => file.endsWith(ENDING))
  const proofs = files.filter((file) => isOfProof(file) || RECORDS.test(readFileSync(file, 'utf8')))
  return new Map(proofs.map((file) => [basename(file, ENDING), file.slice(ROOT.length)]))
}

const isOfProof = (file) => file.startsWith(join(TESTS, 'proof', '/'))

/**
 * Runs these files of tests with as many runs as `times` those of `npm test`, up to the first failure; gives their rows
 * and what failed or was skipped. Where nothing was left out it also gives all tests that are named by an invariant.
 */
export async function proveTests(files, { firstSeed, times, signal }) {
  const directory = mkdtempSync(join(tmpdir(), 'merganser-proof-tests-'))
  const results = join(directory, 'results.json')
  const rows = join(directory, 'rows')
  try {
    const { status, seconds } = await tool(
      'vitest/vitest.mjs',
      ['run', '--bail=1', '--reporter=default', '--reporter=./proof/reporter.mjs', ...limits(times), ...files],
      {
        show: true,
        signal,
        env: {
          ...process.env,
          MERGANSER_TEST_RESULTS: results,
          MERGANSER_PROOF_RESULTS: rows,
          MERGANSER_PROOF_SEED: String(firstSeed),
          MERGANSER_PROOF_TIMES: String(times),
        },
      },
    )
    return { firstSeed, times, seconds, ...resultsOf(results, status, signal), rows: rowsOf(rows) }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Longer limits for those that have none of their own. */
const limits = (times) => [`--testTimeout=${String(120_000 * times)}`, `--hookTimeout=${String(120_000 * times)}`]

function resultsOf(file, status, signal) {
  const { tests, missing } = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { tests: [], missing: {} }
  const named = (state) =>
    tests.filter((test) => test.state === state).map(({ message, ...test }) => ({ ...test, message: message ?? '' }))
  const failures = named('failed').map(shortened)
  if (failures.length === 0 && status !== 0 && !signal.aborted) {
    failures.push({ file: '', name: 'vitest', state: 'failed', message: `it ended with status ${String(status)}` })
  }
  // Those that were left out after a failure are no skipped ones.
  const skipped = failures.length > 0 || signal.aborted ? [] : named('skipped')
  const passed = tests.filter(({ state }) => state === 'passed').length
  return { files: new Set(tests.map((test) => test.file)).size, passed, failures, skipped, missing }
}

/** A message without what the report has no use for. */
function shortened({ message, ...test }) {
  return { ...test, message: message.replaceAll(ROOT, '').slice(0, 4000) }
}

function rowsOf(directory) {
  if (!existsSync(directory)) return []
  const rows = readdirSync(directory).map((name) => JSON.parse(readFileSync(join(directory, name), 'utf8')))
  return rows.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** All tests of the project whose name begins with an invariant: `{ I4: [{ name, files }] }`. */
export async function testsByInvariant({ signal }) {
  const directory = mkdtempSync(join(tmpdir(), 'merganser-proof-list-'))
  const file = join(directory, 'tests.json')
  try {
    const { status, output } = await tool('vitest/vitest.mjs', ['list', `--json=${file}`], { signal })
    if (signal.aborted) return undefined
    if (status !== 0) throw new Error(`vitest could not list the tests:\n${output}`)
    return grouped(JSON.parse(readFileSync(file, 'utf8')))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** @param tests `{ name, file }`, the names with those of their suites: `suite > I4, I5: …`; a file is below the checkout */
export function grouped(tests) {
  const found = new Map()
  for (const { name, file } of tests) {
    const own = name.split(' > ').find((part) => /^I\d/.test(part))
    const [invariants] = /^I\d+(?:(?:, | |-)I\d+)*/.exec(own ?? '') ?? []
    if (invariants === undefined) continue
    for (const invariant of numbersOf(invariants)) {
      const key = `${invariant} ${own}`
      const test = found.get(key) ?? { invariant, name: own, files: new Set() }
      found.set(key, test)
      test.files.add(file.replace(ROOT, '').replace(/^test\//, ''))
    }
  }
  const byName = (a, b) => (a.name < b.name ? -1 : 1)
  const groups = {}
  for (const { invariant, name, files } of [...found.values()].sort(byName)) {
    ;(groups[`I${String(invariant)}`] ??= []).push({ name, files: [...files].sort() })
  }
  return groups
}

/** `I2, I5`, `I2 I5` and `I1-I3` as numbers. */
function numbersOf(text) {
  return text.split(/,? /).flatMap((part) => {
    const [from, to = from] = part.split('-').map((name) => Number(name.slice(1)))
    return Array.from({ length: to - from + 1 }, (_, i) => from + i)
  })
}

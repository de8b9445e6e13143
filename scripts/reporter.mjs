import { writeFileSync } from 'node:fs'
import { SERVICES } from './services/all.mjs'
import { missingVariable } from './services/urls.mjs'

/**
 * A vitest reporter for `scripts/test.mjs`: writes `{ passed, failures: [{ name, reason }], skipped: [{ name,
 * reason }], missing: { server: reason } }` into the file that MERGANSER_TEST_RESULTS names. A file that doesn't load and
 * an error outside any test count as failed.
 */
export default class ResultsReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const results = { passed: 0, failures: [], skipped: [], missing: missingServers() }
    for (const error of unhandledErrors) fail(results, 'outside any test', error)
    for (const module of modules) {
      const file = module.relativeModuleId
      for (const error of module.errors()) fail(results, file, error)
      for (const suite of module.children.allSuites()) {
        for (const error of suite.errors()) fail(results, `${file}: ${suite.fullName}`, error)
      }
      for (const test of module.children.allTests()) count(results, `${file}: ${test.fullName}`, test)
    }
    writeFileSync(process.env.MERGANSER_TEST_RESULTS, JSON.stringify(results))
  }
}

/** What the set-up before the tests (`services/vitest-setup.mjs`) found: it runs in this process. */
function missingServers() {
  const reasons = SERVICES.map(({ name }) => [name, process.env[missingVariable(name)]])
  return Object.fromEntries(reasons.filter(([, reason]) => reason !== undefined))
}

function count(results, name, test) {
  const { state, note, errors } = test.result()
  if (state === 'passed') results.passed++
  else if (state === 'failed') fail(results, name, errors?.[0])
  else results.skipped.push({ name, reason: note ?? 'no reason given' })
}

function fail(results, name, error) {
  results.failures.push({ name, reason: error?.message ?? '' })
}

import { writeFileSync } from 'node:fs'
import { SERVICES } from './services/all.mjs'
import { missingVariable } from './services/urls.mjs'

/**
 * A vitest reporter for `scripts/test.mjs`: writes `{ passed, failed, skipped: [{ name, reason }], missing: { server:
 * reason } }` into the file that MERGANSER_TEST_RESULTS names. A file that doesn't load and an error outside any test
 * count as failed.
 */
export default class ResultsReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const results = { passed: 0, failed: unhandledErrors.length, skipped: [], missing: missingServers() }
    for (const module of modules) {
      results.failed += module.errors().length
      for (const suite of module.children.allSuites()) results.failed += suite.errors().length
      for (const test of module.children.allTests()) count(results, module, test)
    }
    writeFileSync(process.env.MERGANSER_TEST_RESULTS, JSON.stringify(results))
  }
}

/** What the set-up before the tests (`services/vitest-setup.mjs`) found: it runs in this process. */
function missingServers() {
  const reasons = SERVICES.map(({ name }) => [name, process.env[missingVariable(name)]])
  return Object.fromEntries(reasons.filter(([, reason]) => reason !== undefined))
}

function count(results, module, test) {
  const { state, note } = test.result()
  if (state === 'passed') results.passed++
  else if (state === 'failed') results.failed++
  else results.skipped.push({ name: `${module.relativeModuleId}: ${test.fullName}`, reason: note ?? 'no reason given' })
}

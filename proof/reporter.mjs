import { writeFileSync } from 'node:fs'
import { SERVICES } from '../scripts/services/all.mjs'
import { missingVariable } from '../scripts/services/urls.mjs'

/**
 * A vitest reporter for `tests.mjs`: writes `{ tests: [{ file, name, state, message }], missing: { server: reason } }`
 * into the file that MERGANSER_TEST_RESULTS names, after each file of tests, so that an interrupted run has its results.
 */
export default class ProofReporter {
  #tests = []

  onTestModuleEnd(module) {
    const file = module.relativeModuleId
    const failed = (name, errors) =>
      errors.map(({ message }) => this.#tests.push({ file, name, state: 'failed', message }))
    failed(file, module.errors())
    for (const suite of module.children.allSuites()) failed(suite.fullName, suite.errors())
    for (const test of module.children.allTests()) {
      const { state, note, errors } = test.result()
      const message = state === 'failed' ? errors?.[0]?.message : note
      this.#tests.push({ file, name: test.fullName, state, message })
    }
    this.#write()
  }

  onTestRunEnd(_, unhandledErrors) {
    for (const { message } of unhandledErrors) {
      this.#tests.push({ file: '', name: 'outside of any test', state: 'failed', message })
    }
    this.#write()
  }

  #write() {
    const reasons = SERVICES.map(({ name }) => [name, process.env[missingVariable(name)]])
    const missing = Object.fromEntries(reasons.filter(([, reason]) => reason !== undefined))
    writeFileSync(process.env.MERGANSER_TEST_RESULTS, JSON.stringify({ tests: this.#tests, missing }))
  }
}

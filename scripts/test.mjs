import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { check } from './check.mjs'
import { duration, say, tool } from './run.mjs'
import { SERVICES } from './services/all.mjs'
import { requiredServers } from './services/urls.mjs'
import { setUpOrExit } from './setup.mjs'
import { summary } from './summary.mjs'

/** Runs the tests; `{ ok, results }`. A run that ends without results counts as one failed. */
async function test(args) {
  const directory = mkdtempSync(join(tmpdir(), 'merganser-results-'))
  const file = join(directory, 'results.json')
  try {
    const { status, seconds } = await tool(
      'vitest/vitest.mjs',
      ['run', '--reporter=default', '--reporter=./scripts/reporter.mjs', ...args],
      { show: true, env: { ...process.env, MERGANSER_TEST_RESULTS: file } },
    )
    say(`${status === 0 ? 'ok    ' : 'FAILED'} tests (${duration(seconds)})`)
    return { ok: status === 0, results: readResults(file, status) }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function readResults(file, status) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    const reason = `they ended with status ${String(status)} and no results`
    return { passed: 0, failures: [{ name: 'the tests', reason }], skipped: [], missing: {} }
  }
}

/** `npm test [-- vitest arguments]`. The last line of standard output is `N passed, N failed`. */
const required = requiredServers(SERVICES.map(({ name }) => name))
await setUpOrExit()
const checked = await check()
const { ok, results } = await test(process.argv.slice(2))
const closing = summary({ results, checked, required })
process.exitCode = ok && closing.ok ? 0 : 1
for (const line of closing.lines) console.log(line)

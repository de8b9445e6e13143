import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { check } from './check.mjs'
import { duration, say, tool } from './run.mjs'
import { setUpOrExit } from './setup.mjs'

/** Runs the tests; `{ ok, passed, failed, skipped }`. A run that ends without results counts as one failed. */
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
    return { ok: status === 0, ...readResults(file, status) }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function readResults(file, status) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    say(`the tests ended with status ${String(status)} and no results`)
    return { passed: 0, failed: 1, skipped: [] }
  }
}

/** `npm test [-- vitest arguments]`. The last line of standard output is `N passed, N failed`. */
await setUpOrExit()
const checked = await check()
const { ok, passed, failed, skipped } = await test(process.argv.slice(2))
for (const { name, reason } of skipped) console.log(`skipped ${name} (${reason})`)
if (!checked) console.log('a check before the tests failed: see above')
process.exitCode = checked && ok && failed === 0 ? 0 : 1
console.log(`${String(passed)} passed, ${String(failed)} failed`)

import { availableParallelism } from 'node:os'
import { pathToFileURL } from 'node:url'
import { duration, say, tool } from './run.mjs'
import { setUpOrExit } from './setup.mjs'

/** The checks beside the tests; the slowest first, so that they overlap best. */
const CHECKS = {
  eslint: () => tool('eslint/bin/eslint.js', ['.']),
  types: () => tool('typescript/bin/tsc', ['-p', 'tsconfig.json']),
  'kernel-types': () => tool('typescript/bin/tsc', ['-p', 'src/kernel/assembly/tsconfig.json']),
  prettier: () => tool('prettier/bin/prettier.cjs', ['--check', '--log-level=warn', '.']),
  knip: () => tool('knip/bin/knip.js', ['--no-progress', '--no-config-hints']),
  arrows: () => tool('dependency-cruiser/bin/dependency-cruise.mjs', ['--config', '.dependency-cruiser.mjs', 'src']),
}

/** Runs checks beside each other, all of them even if one fails; tells of each with its duration. */
export async function check(names = Object.keys(CHECKS)) {
  const waiting = [...names]
  let failures = 0
  const next = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const { status, output, seconds } = await CHECKS[name]()
      if (status !== 0) say(output.trimEnd())
      say(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${duration(seconds)})`)
      if (status !== 0) failures++
    }
  }
  await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, next))
  return failures === 0
}

/** `node scripts/check.mjs eslint types`: the named checks alone. */
if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await setUpOrExit({ build: false })
  process.exitCode = (await check(process.argv.slice(2))) ? 0 : 1
}

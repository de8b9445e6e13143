import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { CACHE, contentHash, filesBelow, hashOf, readJson, writeJson } from './files.mjs'
import { duration, ROOT, say, tool } from './run.mjs'
import { setUpOrExit } from './setup.mjs'

/** By check, what the checkout was when it passed last. */
const STAMP = join(CACHE, 'checks.json')
/** What no check looks at: made by tools, or by runs. */
const UNCHECKED = ['node_modules', 'dist', 'lib', 'coverage', '.git', '.merganser']

const types = ['--incremental', '--tsBuildInfoFile', join(CACHE, 'types.tsbuildinfo')]
const formatted = ['--cache', '--cache-strategy=content', `--cache-location=${join(CACHE, 'prettier')}`]

/**
 * The checks beside the tests; the slowest first, so that they overlap best. ESLint has no cache of its own here: what a
 * rule says of a file depends on the types in others.
 */
const CHECKS = {
  eslint: () => tool('eslint/bin/eslint.js', ['.']),
  types: () => tool('typescript/bin/tsc', ['-p', 'tsconfig.json', ...types]),
  'kernel-types': () => tool('typescript/bin/tsc', ['-p', 'src/kernel/assembly/tsconfig.json']),
  prettier: () => tool('prettier/bin/prettier.cjs', ['--check', '--log-level=warn', ...formatted, '.']),
  knip: () => tool('knip/bin/knip.js', ['--no-progress', '--no-config-hints']),
  arrows: () => tool('dependency-cruiser/bin/dependency-cruise.mjs', ['--config', '.dependency-cruiser.mjs', 'src']),
}

/** Changes when any file changes that a check looks at, or Node. */
function checkedContents() {
  const entries = readdirSync(ROOT, { withFileTypes: true }).filter(
    ({ name }) => !UNCHECKED.includes(name) && !name.startsWith('.setup.lock'),
  )
  const files = entries.flatMap((entry) => {
    const path = join(ROOT, entry.name)
    return entry.isDirectory() ? filesBelow(path) : [path]
  })
  return hashOf([process.version, contentHash(files)])
}

/**
 * Runs checks beside each other, all of them even if one fails; tells of each with its duration. One that has passed on
 * the very same files isn't run again.
 */
export async function check(names = Object.keys(CHECKS)) {
  const contents = checkedContents()
  const passed = readJson(STAMP)
  const waiting = names.filter((name) => passed[name] !== contents)
  const same = names.filter((name) => passed[name] === contents)
  if (same.length > 0) say(`ok     ${same.join(', ')} (nothing has changed)`)
  let failures = 0
  const next = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const { status, output, seconds } = await CHECKS[name]()
      if (status !== 0) say(output.trimEnd())
      say(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${duration(seconds)})`)
      if (status === 0) passed[name] = contents
      else failures++
    }
  }
  await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, next))
  // What passed on files that were changed meanwhile has yet to pass on those.
  if (checkedContents() === contents) writeJson(STAMP, passed)
  return failures === 0
}

/** `node scripts/check.mjs eslint types`: the named checks alone. */
if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await setUpOrExit({ build: false })
  process.exitCode = (await check(process.argv.slice(2))) ? 0 : 1
}

import { cpSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { isProvisioned, provision } from './cache.mjs'
import { ask, onPath, step } from './command.mjs'

const SOURCE = fileURLToPath(new URL('mongoimport/', import.meta.url))
const FILES = ['go.mod', 'go.sum']

const recipe = {
  name: 'mongoimport',
  version: '0.0.0-20260702',
  files: FILES.map((name) => join(SOURCE, name)),
  also: [`${process.platform}-${process.arch}`],
  async build(directory, report) {
    report('compiling; this takes 1 to 3 minutes')
    for (const name of FILES) cpSync(join(SOURCE, name), join(directory, name))
    const program = 'github.com/mongodb/mongo-tools/mongoimport/main'
    const args = ['build', '-trimpath', '-ldflags=-s -w', '-o', join(directory, 'mongoimport'), program]
    await step('go build', 'go', args, { cwd: directory, env: { ...process.env, CGO_ENABLED: '0' } })
  },
}

/**
 * MongoDB's own bulk loader, the reference of benches: `{ program }`, the one on PATH or one that was built, or
 * `{ missing }`, the reason why there is none. `build: false`: only one that is there already.
 */
export async function mongoimport(report, { build = true } = {}) {
  const found = onPath(recipe.name)
  if (found !== undefined) return { program: found }
  if (!isProvisioned(recipe)) {
    if (!build) return { missing: 'mongoimport was not built' }
    if (onPath('go') === undefined) return { missing: 'install mongoimport, or Go 1.25 or later' }
    const minor = Number(/^go1\.(\d+)/.exec((await ask('go', ['env', 'GOVERSION'])) ?? '')?.[1])
    // Since 1.21 it fetches the compiler that go.mod asks for.
    if (!(minor >= 21)) return { missing: 'install mongoimport, or Go 1.25 or later' }
  }
  try {
    return { program: join(await provision(recipe, report), recipe.name) }
  } catch (error) {
    return { missing: `mongoimport: ${error.message}` }
  }
}

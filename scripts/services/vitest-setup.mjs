import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { say } from '../run.mjs'
import { checkoutDirectory, SERVICES } from './all.mjs'
import { guard } from './guard.mjs'
import { neededServers } from './needed.mjs'
import { recordOf, up } from './running.mjs'
import { missingVariable, requiredServers, urlVariable } from './urls.mjs'

/**
 * Before the tests: a server of each kind that the test files of this run want, unless a variable names one. Those that
 * `npm run services -- up` started are taken; others are started here and stopped at the end, whichever way the run
 * ends. Why one can't run here goes into a variable, from which tests take the reason of their being skipped.
 */
export async function setup(project) {
  requiredServers(SERVICES.map(({ name }) => name))
  const wanted = neededServers(project.vitest.state.getPaths()).filter(({ name }) => !process.env[urlVariable(name)])
  const missing = []
  for (const service of wanted) {
    const record = recordOf(checkoutDirectory(), service.name)
    if (record === undefined) missing.push(service)
    else process.env[urlVariable(service.name)] = record.url
  }
  if (missing.length === 0) return undefined

  const directory = mkdtempSync(join(tmpdir(), 'merganser-services-'))
  const stop = guard(directory)
  for (const [name, found] of await up(directory, missing, say, { shortLived: true })) {
    if (found.url === undefined) process.env[missingVariable(name)] = found.missing
    else process.env[urlVariable(name)] = found.url
  }
  return stop
}

import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { say } from '../scripts/run.mjs'
import { checkoutDirectory, servicesNamed } from '../scripts/services/all.mjs'
import { guard } from '../scripts/services/guard.mjs'
import { recordOf, up } from '../scripts/services/running.mjs'
import { missingVariable, urlVariable } from '../scripts/services/urls.mjs'

/**
 * Sees to servers for the benches, and to the variables that name them: one that a variable names is taken, or one that
 * `npm run services -- up` started, or else one is started here. Resolves with what stops those; where one can't run
 * here its variable says why.
 */
export async function provideServers(kinds) {
  const missing = []
  for (const service of servicesNamed(kinds)) {
    if (process.env[urlVariable(service.name)]) continue
    const record = recordOf(checkoutDirectory(), service.name)
    if (record === undefined) missing.push(service)
    else process.env[urlVariable(service.name)] = record.url
  }
  if (missing.length === 0) return async () => {}
  const directory = mkdtempSync(join(tmpdir(), 'merganser-bench-services-'))
  const stop = guard(directory)
  for (const [name, found] of await startServers(directory, missing)) {
    if (found.url === undefined) process.env[missingVariable(name)] = found.missing
    else process.env[urlVariable(name)] = found.url
  }
  return stop
}

/** The fast server of MongoDB's protocol where it can be built, else the other one. */
async function startServers(directory, services) {
  const found = await up(directory, services, say, { fast: true })
  const slower = services.filter(({ name }) => name === 'mongodb' && found.get(name)?.url === undefined)
  return slower.length === 0 ? found : new Map([...found, ...(await up(directory, slower, say))])
}

import { closeSync, openSync } from 'node:fs'
import { mongoimport } from '../scripts/services/mongoimport.mjs'
import { onPath } from '../scripts/services/command.mjs'
import { say } from '../scripts/run.mjs'
import { runProcess } from './processes.mjs'
import { withMongo } from './servers.mjs'

/** The tools of the databases: `{ program }`, or `{ missing }`, why there is none. `build`: compile what isn't there. */
export const TOOLS = {
  psql: () => {
    const program = onPath('psql')
    return program === undefined ? { missing: 'psql is not on PATH' } : { program }
  },
  mongoimport: (build) => mongoimport((line) => say(`mongoimport: ${line}`), { build }),
}

/** Runs psql with a database; what it says. `input`: a file. */
export async function psql(program, url, args, { input, cwd } = {}) {
  const { hostname, port, username, password, pathname } = new URL(url)
  const env = {
    ...process.env,
    PGHOST: decodeURIComponent(hostname),
    PGPORT: port || '5432',
    PGUSER: decodeURIComponent(username),
    PGPASSWORD: decodeURIComponent(password),
    PGDATABASE: pathname.slice(1),
  }
  const from = input === undefined ? 'ignore' : openSync(input)
  try {
    const options = { env, stdio: [from, 'pipe', 'pipe'], ...(cwd === undefined ? {} : { cwd }) }
    return await runProcess(program, ['-X', '-q', '-v', 'ON_ERROR_STOP=1', ...args], options)
  } finally {
    if (typeof from === 'number') closeSync(from)
  }
}

/** Runs mongoimport into a collection of the URL's database, as durably as Merganser writes. */
export async function importFile(program, url, collection, file, args) {
  const durable = ['--writeConcern', '{"w":"majority","j":true}']
  const where = ['--uri', url, '--collection', collection, '--file', file, '--quiet']
  return await runProcess(program, [...where, ...durable, '--numInsertionWorkers', '4', ...args])
}

/** What a MongoDB-protocol server calls itself. */
export async function mongoServerName(url) {
  const about = await withMongo(url, (client) => client.db('admin').command({ buildInfo: 1 }))
  if (about.secantusVersion === undefined) return `MongoDB ${about.version}`
  return `SecantusDB ${about.secantusVersion} (${about.buildEnvironment?.cc === 'rustc' ? 'Rust' : 'Python'})`
}

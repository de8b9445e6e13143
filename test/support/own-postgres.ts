import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { expect, vi } from 'vitest'
import { preparePlace, programsOf, type Place } from '../../src/connectors/embedded-postgres/place.ts'
import { makeCertificates } from './certificates.ts'
import type { OwnServer } from './own-server.ts'
import { freePort } from './ports.ts'

/** A PostgreSQL of the test's own, with TLS, a password and a socket, that can be killed. */
export interface OwnPostgres extends OwnServer {
  readonly port: number
  readonly password: string
  /** The file of the authority that signed its certificate, which is for `localhost` alone. */
  readonly authority: string
  /** The directory of its socket: a host in a URL. */
  readonly socket: string
  /** Who signs in over TLS with a certificate alone: `bearer`. */
  readonly bearer: { readonly certificate: string; readonly key: string }
  urlOf(parts?: UrlParts): string
}

export interface UrlParts {
  /** Default: `postgres`, with its password. */
  readonly user?: { readonly name: string; readonly password?: string }
  readonly host?: string
  readonly port?: number
  readonly database?: string
  /** Of the query; `sslmode=disable` by default. */
  readonly parameters?: Readonly<Record<string, string>>
}

/** Starts one on a port and a directory of its own. */
export async function startOwnPostgres(): Promise<OwnPostgres> {
  const root = await realpath(await mkdtemp(join(tmpdir(), 'merganser-own-postgres-')))
  try {
    await chmod(root, 0o711)
    const systemDirectory = join(root, 'system')
    await mkdir(systemDirectory, { mode: 0o711 })
    const place = await preparePlace(join(root, 'replica'), { systemUser: undefined, systemDirectory })
    const server = new Server(root, place, await programsOf(place), await freePort())
    await server.prepare()
    await server.start()
    return server
  } catch (error) {
    await rm(root, { recursive: true, force: true, maxRetries: 5 })
    throw error
  }
}

class Server implements OwnPostgres {
  readonly port: number
  readonly password = 'p@ss/w:rd#42'
  readonly authority: string
  readonly socket: string
  readonly bearer: OwnPostgres['bearer']
  readonly #root: string
  readonly #place: Place
  readonly #programs: string
  #child: ChildProcess | undefined

  constructor(root: string, place: Place, programs: string, port: number) {
    this.#root = root
    this.#place = place
    this.#programs = programs
    this.port = port
    this.authority = join(root, 'authority.crt')
    this.bearer = { certificate: join(root, 'bearer.crt'), key: join(root, 'bearer.key') }
    this.socket = join(root, 's')
  }

  get url(): string {
    return this.urlOf()
  }

  urlOf({ user, host = '127.0.0.1', port = this.port, database = 'postgres', parameters }: UrlParts = {}): string {
    const { name, password } = user ?? { name: 'postgres', password: this.password }
    const signed = password === undefined ? name : `${name}:${encodeURIComponent(password)}`
    const query = new URLSearchParams(parameters ?? { sslmode: 'disable' })
    return `postgres://${signed}@${encodeURIComponent(host)}:${String(port)}/${database}?${query.toString()}`
  }

  async prepare(): Promise<void> {
    const { base, data } = this.#place
    await makeCertificates(this.#root)
    makeBearer(this.#root)
    for (const name of ['server.crt', 'server.key', 'authority.crt']) {
      await writeFile(join(base, name), await readFile(join(this.#root, name)), { mode: 0o600 })
      await this.#own(join(base, name))
    }
    const passwordFile = join(base, 'password')
    await writeFile(passwordFile, this.password)
    await this.#own(passwordFile)
    await mkdir(this.socket, { mode: 0o711 })
    await this.#own(this.socket)
    const flags = ['-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8', '--locale=C']
    const [status] = (await once(this.#spawn('initdb', ['-D', data, '--no-sync', ...flags]), 'exit')) as [number]
    expect(status).toBe(0)
    await writeFile(join(data, 'pg_hba.conf'), WHO_MAY_CONNECT)
  }

  async start(): Promise<void> {
    const { base, data } = this.#place
    const settings = {
      ...{ port: String(this.port), listen_addresses: 'localhost,127.0.0.1', unix_socket_directories: this.socket },
      ...{ ssl: 'on', ssl_cert_file: join(base, 'server.crt'), ssl_key_file: join(base, 'server.key') },
      ...{ ssl_ca_file: join(base, 'authority.crt'), max_wal_size: '128MB', shared_buffers: '16MB' },
    }
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    await vi.waitFor(
      async () => {
        // It refuses to start while processes of a killed one are still ending.
        if (this.#child === undefined || hasEnded(this.#child)) {
          this.#child = this.#spawn('postgres', ['-D', data, ...flags])
        }
        const client = new pg.Client({ connectionString: this.url })
        await client.connect()
        await client.end()
      },
      { timeout: 120_000, interval: 50 },
    )
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined || hasEnded(child)) return
    const ended = once(child, 'exit')
    // All of them at once, as a power failure would.
    const [postmaster, ...others] = this.#processes()
    for (const pid of [postmaster!, ...others]) signal(pid, 'SIGKILL')
    child.kill('SIGKILL')
    await ended
  }

  pause(): void {
    for (const pid of this.#processes()) signal(pid, 'SIGSTOP')
  }

  resume(): void {
    for (const pid of this.#processes()) signal(pid, 'SIGCONT')
  }

  async close(): Promise<void> {
    await this.kill()
    await rm(this.#root, { recursive: true, force: true, maxRetries: 5 })
  }

  /** The postmaster, and the processes that it started. */
  #processes(): number[] {
    const [pid] = readFileSync(join(this.#place.data, 'postmaster.pid'), 'utf8').split('\n')
    const children = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && parentOf(name) === pid)
    return [Number(pid), ...children.map(Number)]
  }

  #spawn(program: string, args: readonly string[]): ChildProcess {
    const { account, base } = this.#place
    const [command, ...rest] = [...account.prefix, join(this.#programs, program), ...args]
    const user = account.kind === 'system' ? { uid: account.uid!, gid: account.gid! } : {}
    return spawn(command!, rest, { stdio: 'ignore', cwd: base, env: SYSTEM_ENVIRONMENT, ...user })
  }

  async #own(path: string): Promise<void> {
    const { account } = this.#place
    if (account.kind === 'system') await chown(path, account.uid!, account.gid!)
  }
}

const WHO_MAY_CONNECT = `hostssl all bearer all cert
local all all scram-sha-256
host all all all scram-sha-256
`

const SYSTEM_ENVIRONMENT = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C' }
const OPENSSL = process.env['OPENSSL'] ?? 'openssl'

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function parentOf(pid: string): string | undefined {
  try {
    // The name of the program, in parentheses, may hold anything.
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return status.slice(status.lastIndexOf(')') + 2).split(' ')[1]
  } catch {
    return undefined
  }
}

/** A certificate of the same authority for the user `bearer`. */
function makeBearer(root: string): void {
  const at = (name: string): string => join(root, name)
  const openssl = (...args: string[]): void => {
    execFileSync(OPENSSL, args, { stdio: 'ignore' })
  }
  const [key, request] = [at('bearer.key'), at('bearer.csr')]
  openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', request, '-subj', '/CN=bearer')
  const signing = ['-CA', at('authority.crt'), '-CAkey', at('authority.key'), '-CAcreateserial', '-days', '30']
  openssl('x509', '-req', '-in', request, ...signing, '-out', at('bearer.crt'))
}

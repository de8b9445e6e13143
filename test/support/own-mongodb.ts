import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { MongoClient } from 'mongodb'
import { makeCertificates, type Certificates } from './certificates.ts'
import type { OwnServer } from './own-server.ts'
import { freePort } from './ports.ts'

/** Somebody who may sign in, at the database `admin`. */
export interface OwnUser {
  readonly name: string
  readonly password: string
  /** Of the server's own: `readWriteAnyDatabase`, `readAnyDatabase`, `root`; or of one database. */
  readonly roles: readonly (string | { readonly role: string; readonly db: string })[]
}

export interface OwnMongodbOptions {
  /** Without any, nobody has to sign in. The first is the one of `url`. */
  readonly users?: readonly OwnUser[]
  /** Only TLS, with a certificate for `localhost` alone. */
  readonly tls?: boolean
  /** It takes `configureFailPoint`: see `failing`. */
  readonly failures?: boolean
}

export interface UrlParts {
  /** Default: the first of the options' users. `null`: nobody. */
  readonly user?: Pick<OwnUser, 'name' | 'password'> | null
  /** Default: `localhost` with TLS, for which its certificate is; else `127.0.0.1`. */
  readonly host?: string
  readonly port?: number
  /** Default: `test`. */
  readonly database?: string
  /** Instead of what TLS needs; `directConnection` and `authSource` are there anyway. */
  readonly tls?: Readonly<Record<string, string>>
}

/** What a command of a client of ours comes to, as MongoDB's fail point `failCommand` takes it. */
export interface Failure {
  readonly failCommands: readonly string[]
  readonly errorCode?: number
  readonly closeConnection?: boolean
  readonly writeConcernError?: { readonly code: number; readonly errmsg: string }
}

export interface OwnMongodb extends OwnServer {
  readonly port: number
  /** With TLS: the file of the authority that signed its certificate. */
  readonly authority: string | undefined
  urlOf(parts?: UrlParts): string
  /** Commands fail: so many, after so many that don't; for clients that name themselves `merganser`, as we do. */
  failing(failure: Failure, mode: { times: number; skip?: number }): Promise<void>
}

/** What is used of `scripts/services`. */
interface Service {
  missing(options: object): Promise<string | undefined>
  recipe(options: object): Promise<unknown>
  command(place: { provisioned: string; state: string; port: number }): {
    program: string
    args: string[]
    env: NodeJS.ProcessEnv
    ready: () => Promise<boolean>
  }
}
interface Scripts {
  mongodb: Service
  provision: (recipe: unknown, report: () => void) => Promise<string>
  guard: (directory: string) => () => Promise<void>
  startOf: (pid: number) => string | undefined
}

const READY_MS = 240_000

/**
 * A server of MongoDB's protocol for one test, on a port and a directory of its own. It ends with us, whichever way we
 * end. Throws where none can run here; `describeOn(['mongodb'], …)` asks for that before.
 */
export async function startOwnMongodb(options: OwnMongodbOptions = {}): Promise<OwnMongodb> {
  const scripts = await loadScripts()
  const missing = await scripts.mongodb.missing({})
  if (missing !== undefined) throw new Error(`no server of MongoDB's protocol: ${missing}`)
  const provisioned = await scripts.provision(await scripts.mongodb.recipe({}), () => undefined)
  const root = await mkdtemp(join(tmpdir(), 'merganser-own-mongodb-'))
  const stop = scripts.guard(root)
  try {
    // The guard finds what it must stop by this directory's name and the record in it.
    const state = join(root, 'mongodb')
    await mkdir(state)
    const certificates = options.tls === true ? await makeCertificates(root) : undefined
    const place = { scripts, provisioned, state, port: await freePort(), certificates, options, stop }
    const server = new Server(place)
    await server.prepare()
    await server.start()
    return server
  } catch (error) {
    await stop()
    throw error
  }
}

interface Place {
  readonly scripts: Scripts
  readonly provisioned: string
  readonly state: string
  readonly port: number
  readonly certificates: Certificates | undefined
  readonly options: OwnMongodbOptions
  readonly stop: () => Promise<void>
}

class Server implements OwnMongodb {
  readonly port: number
  readonly authority: string | undefined
  readonly #place: Place
  #child: ChildProcess | undefined

  constructor(place: Place) {
    this.#place = place
    this.port = place.port
    this.authority = place.certificates?.authority
  }

  get url(): string {
    return this.urlOf()
  }

  urlOf({ user = this.#place.options.users?.[0] ?? null, port = this.port, ...parts }: UrlParts = {}): string {
    const tls = this.authority === undefined ? {} : { tls: 'true', tlsCAFile: this.authority }
    const host = parts.host ?? (this.authority === undefined ? '127.0.0.1' : 'localhost')
    const signed = user === null ? '' : `${encodeURIComponent(user.name)}:${encodeURIComponent(user.password)}@`
    const query = new URLSearchParams({
      directConnection: 'true',
      ...(user === null ? {} : { authSource: 'admin' }),
      ...(parts.tls ?? tls),
    })
    return `mongodb://${signed}${host}:${String(port)}/${parts.database ?? 'test'}?${query.toString()}`
  }

  /** Users can be made only while nobody has to sign in. */
  async prepare(): Promise<void> {
    const { users = [] } = this.#place.options
    if (users.length === 0) return
    await this.#launch([])
    await using(this.urlOf({ user: null, tls: {}, host: '127.0.0.1' }), async (client) => {
      for (const { name, password, roles } of users) {
        const given = roles.map((role) => (typeof role === 'string' ? { role, db: 'admin' } : role))
        await client.db('admin').command({ createUser: name, pwd: password, roles: given })
      }
    })
    // In order: it is back sooner than after a crash.
    await this.#end('SIGTERM')
  }

  async start(): Promise<void> {
    const { certificates, options } = this.#place
    const tls = certificates && ['--tls-cert-file', certificates.certificate, '--tls-key-file', certificates.key]
    const auth = options.users === undefined ? [] : ['--auth']
    await this.#launch([...(tls ?? []), ...auth, ...(options.failures === true ? ['--enable-test-commands'] : [])])
    await using(this.url, (client) => client.db('admin').command({ ping: 1 }))
  }

  async #launch(more: readonly string[]): Promise<void> {
    const { scripts, provisioned, state, port } = this.#place
    const { program, args, env, ready } = scripts.mongodb.command({ provisioned, state, port })
    const log = join(state, 'log')
    const output = openSync(log, 'a')
    // An acknowledged write must outlive `kill`.
    const durable = args.includes('--sync-on-commit') ? [] : ['--sync-on-commit']
    const child = spawn(program, [...args, ...durable, ...more], {
      ...{ cwd: state, env, detached: true },
      stdio: ['ignore', output, output],
    })
    closeSync(output)
    await once(child, 'spawn')
    child.unref()
    this.#child = child
    const record = { name: 'mongodb', pid: child.pid, started: scripts.startOf(child.pid!), port }
    await writeFile(join(state, 'record.json'), JSON.stringify(record))
    const until = performance.now() + READY_MS
    while (!(await ready())) {
      if (hasEnded(child) || performance.now() > until) {
        throw new Error(`the server doesn't start: ${(await readFile(log, 'utf8')).slice(-2_000)}`)
      }
      await sleep(20)
    }
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || hasEnded(child)) return
    child.ref()
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }

  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  async failing(failure: Failure, mode: { times: number; skip?: number }): Promise<void> {
    const data = { ...failure, appName: 'merganser' }
    await using(this.url, (client) => client.db('admin').command({ configureFailPoint: 'failCommand', mode, data }))
  }

  async close(): Promise<void> {
    await this.kill()
    await this.#place.stop()
  }
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

async function using<T>(url: string, work: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 30_000 })
  try {
    return await work(client)
  } finally {
    await client.close()
  }
}

async function loadScripts(): Promise<Scripts> {
  const load = async (name: string): Promise<unknown> =>
    await import(new URL(`../../scripts/services/${name}.mjs`, import.meta.url).href)
  const parts = await Promise.all(['mongodb', 'cache', 'guard', 'processes'].map(load))
  return Object.assign({}, ...parts) as Scripts
}

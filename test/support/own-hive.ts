import { execFile, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { makeCertificates, makeKeyStore, type Certificates } from './certificates.ts'
import type { OwnServer } from './own-server.ts'
import { freePorts } from './ports.ts'

/** A port of the server: how one signs in there, and how messages are carried. */
export interface HiveDoor {
  /** As `hive.server2.authentication`; `custom` checks the password of the user `keeper`. */
  readonly auth: 'nosasl' | 'none' | 'custom'
  readonly transport?: 'binary' | 'http'
  /** With a certificate for `localhost` alone. */
  readonly tls?: boolean
}

export interface OwnHiveOptions {
  /** The first is the server's own, which `url` names; one bare socket where none is said. */
  readonly doors?: readonly HiveDoor[]
  /** Of hive-site.xml: `{ 'hive.txn.timeout': '5s' }`. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface OwnHive extends OwnServer {
  /** Of each door, in their order. Those with TLS trust its authority; with a password they have the right one. */
  readonly urls: readonly string[]
  /** Of the authority that signed the certificate of doors with TLS (PEM); '' where there are none. */
  readonly authority: string
  /** Where the server keeps all it has; `warehouse` is in it. */
  readonly directory: string
}

interface Target {
  readonly pid: number
  readonly started: string | undefined
}
interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
}
interface HiveService {
  missing(): Promise<string | undefined>
  recipe(): object
  command(place: {
    provisioned: string
    state: string
    port: number
    options: { shortLived: true; durable: true }
  }): Command
}

const SCRIPTS = new URL('../../scripts/', import.meta.url)
const JAVA = fileURLToPath(new URL('hive/Doors.java', import.meta.url))
const USER = 'keeper'
const PASSWORD = 'p@ss w:rd/42%'
const READY = 'merganser: hive is ready'
const READY_MILLISECONDS = 240_000

const load = async (name: string): Promise<unknown> => await import(new URL(name, SCRIPTS).href)

/**
 * Starts a HiveServer2 of the test's own, from what the services have provisioned: about 15 s and 1 GiB. It ends with
 * this process, whichever way that ends. Where it can't run here, that is an error with the reason.
 */
export async function startOwnHive(options: OwnHiveOptions = {}): Promise<OwnHive> {
  const { hive } = (await load('services/hive.mjs')) as { hive: HiveService }
  const missing = await hive.missing()
  if (missing !== undefined) throw new Error(`no Hive of its own: ${missing}`)
  const { provision } = (await load('services/cache.mjs')) as {
    provision: (recipe: object, report: () => void) => Promise<string>
  }
  const provisioned = await provision(hive.recipe(), () => undefined)
  const root = await mkdtemp(join(tmpdir(), 'merganser-own-hive-'))
  const { guard } = (await load('services/guard.mjs')) as { guard: (directory: string) => () => Promise<void> }
  // Ends what has a record there, and takes the directory away.
  const remove = guard(root)
  try {
    const state = join(root, 'hive')
    await mkdir(state, { mode: 0o700 })
    const doors = options.doors ?? [{ auth: 'nosasl' }]
    const ports = await freePorts(doors.length)
    const certificates = doors.some(({ tls }) => tls === true) ? await certificatesIn(root) : undefined
    const command = hive.command({ provisioned, state, port: ports[0]!, options: { shortLived: true, durable: true } })
    const ready = await withDoors(command, { root, provisioned, doors, ports, settings: options.settings ?? {} })
    const server = await serverOf(state, ready)
    await server.start()
    const urls = doors.map((door, n) => urlOf(door, ports[n]!, certificates))
    const authority = certificates?.authority ?? ''
    return { ...server, url: urls[0]!, urls, authority, directory: state, close: remove }
  } catch (error) {
    await remove()
    throw error
  }
}

async function certificatesIn(root: string): Promise<Certificates> {
  const certificates = await makeCertificates(root)
  await makeKeyStore(certificates, join(root, 'keys'), 'changeit')
  return certificates
}

function urlOf({ auth, transport, tls }: HiveDoor, port: number, certificates: Certificates | undefined): string {
  const user = auth === 'custom' ? `${USER}:${encodeURIComponent(PASSWORD)}` : 'hive'
  const parameters = [
    `auth=${auth === 'custom' ? 'ldap' : auth}`,
    ...(transport === 'http' ? ['transport=http'] : []),
    ...(tls === true ? [`tls=true&caFile=${encodeURIComponent(certificates!.authority)}`] : []),
  ]
  return `hive://${user}@${tls === true ? 'localhost' : '127.0.0.1'}:${String(port)}/default?${parameters.join('&')}`
}

/** The settings of a door, as hive-site.xml names them. */
function settingsOf({ auth, transport, tls }: HiveDoor, port: number, root: string): [string, string][] {
  const transportPort = transport === 'http' ? 'hive.server2.thrift.http.port' : 'hive.server2.thrift.port'
  return [
    ['hive.server2.authentication', auth.toUpperCase()],
    ['hive.server2.transport.mode', transport ?? 'binary'],
    ['hive.server2.use.SSL', String(tls === true)],
    ['hive.server2.keystore.path', join(root, 'keys')],
    ['hive.server2.keystore.password', 'changeit'],
    [transportPort, String(port)],
  ]
}

interface Place {
  readonly root: string
  readonly provisioned: string
  readonly doors: readonly HiveDoor[]
  readonly ports: readonly number[]
  readonly settings: Readonly<Record<string, string>>
}

/** The command that starts the server with these doors and settings. */
async function withDoors({ program, args, env }: Command, place: Place): Promise<Command> {
  const { root, provisioned, doors, ports, settings } = place
  const at = args.indexOf('-cp')
  const plain = doors.length === 1 && doors[0]!.auth !== 'custom'
  const classes = plain ? [] : [join(root, 'classes')]
  if (!plain) await compile(program, classes[0]!, join(provisioned, 'jars'))
  const properties = [
    ...Object.entries(settings),
    ...settingsOf(doors[0]!, ports[0]!, root),
    ['hive.server2.custom.authentication.class', 'Doors$Passwords'] as const,
    [`merganser.test.password.${USER}`, PASSWORD] as const,
  ]
  const others = doors.slice(1).map((door, n) => {
    return settingsOf(door, ports[n + 1]!, root)
      .map((pair) => pair.join('='))
      .join(';')
  })
  return {
    program,
    env,
    args: [
      ...args.slice(0, at),
      ...properties.map(([name, value]) => `-D${name}=${value}`),
      ...['-cp', [...classes, args[at + 1]!].join(delimiter)],
      ...(plain ? ['Serve'] : ['Doors', ...others]),
    ],
  }
}

async function compile(java: string, classes: string, jars: string): Promise<void> {
  const compiler = java.replace(/java$/, 'javac')
  const service = (await readdir(jars)).filter((name) => /^(?:hive-|hadoop-)/.test(name))
  const path = service.map((name) => join(jars, name)).join(delimiter)
  await promisify(execFile)(compiler, ['-nowarn', '-proc:none', '-cp', path, '-d', classes, JAVA])
}

type Running = Omit<OwnServer, 'url' | 'close'>

async function serverOf(state: string, command: Command): Promise<Running> {
  const processes = (await load('services/processes.mjs')) as {
    startOf: (pid: number) => string | undefined
    isRunning: (target: Target) => boolean
    stopProcess: (target: Target, how: { signal: string }) => Promise<void>
  }
  const log = join(state, 'log')
  let target: Target | undefined

  const launch = async (): Promise<Target> => {
    await writeFile(log, '')
    const output = openSync(log, 'a', 0o600)
    const stdio = ['ignore', output, output] as const
    const child = spawn(command.program, command.args, {
      cwd: state,
      env: command.env,
      detached: true,
      stdio: [...stdio],
    })
    closeSync(output)
    child.on('error', () => undefined)
    if (child.pid === undefined) throw new Error('java cannot be started')
    child.unref()
    const launched = { pid: child.pid, started: processes.startOf(child.pid) }
    await writeFile(join(state, 'record.json'), JSON.stringify(launched))
    return launched
  }
  const send = (signal: NodeJS.Signals): void => {
    if (target !== undefined && processes.isRunning(target)) process.kill(target.pid, signal)
  }
  return {
    async kill() {
      if (target !== undefined) await processes.stopProcess(target, { signal: 'SIGKILL' })
    },
    async start() {
      target = await launch()
      const until = performance.now() + READY_MILLISECONDS
      while (!readFileSync(log, 'utf8').includes(READY)) {
        if (!processes.isRunning(target) || performance.now() > until) {
          throw new Error(`the test's own Hive is not ready: ${readFileSync(log, 'utf8').slice(-2_000)}`)
        }
        await sleep(50)
      }
    },
    log() {
      return readFileSync(log, 'utf8')
    },
    pause() {
      send('SIGSTOP')
    },
    resume() {
      send('SIGCONT')
    },
  }
}

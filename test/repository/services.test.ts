import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { freePorts } from '../support/ports.ts'

const SCRIPTS = new URL('../../scripts/services/', import.meta.url)
const LIMIT_MS = 120_000

interface Urls {
  quoted: (text: string) => string
  assignment: (name: string, url: string) => string
  requiredServers: (known: string[], text: string) => string[]
}
interface Processes {
  startOf: (pid: number) => string | undefined
  isRunning: (target: { pid: number; started: string | undefined }) => boolean
  stopProcess: (target: { pid: number; started: string | undefined }, how?: { limitMs: number }) => Promise<void>
}
interface Running {
  up: (directory: string, services: unknown[], report: () => void) => Promise<Map<string, Found>>
  down: (directory: string, services: unknown[], report: () => void) => Promise<string[]>
  recordOf: (directory: string, name: string) => { pid: number; started: string } | undefined
}
interface Found {
  readonly url?: string
  readonly started?: boolean
  readonly missing?: string
}

const load = async (name: string): Promise<unknown> => await import(new URL(name, SCRIPTS).href)
const urls = (await load('urls.mjs')) as Urls
const processes = (await load('processes.mjs')) as Processes
const running = (await load('running.mjs')) as Running
const { neededServers } = (await load('needed.mjs')) as { neededServers: (files: string[]) => { name: string }[] }

let root: string
const children: ChildProcess[] = []
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'merganser-test-services-'))
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})
afterAll(async () => {
  await rm(root, { recursive: true })
})

/** Runs a module in a process of its own, the scripts' URL as its first argument. */
function module(code: string, args: string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const child = spawn(process.execPath, ['--input-type=module', '-e', code, SCRIPTS.href, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  children.push(child)
  return child
}

async function output(child: ChildProcess): Promise<string> {
  let text = ''
  child.stdout!.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  await new Promise((resolve) => child.once('close', resolve))
  return text
}

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + LIMIT_MS
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${String(LIMIT_MS)} ms: ${condition.toString()}`)
    await sleep(20)
  }
}

/** Provisions a recipe whose build notes its begin in the log, and ends when the file `go` is there. */
const PROVISION = `
  import { appendFileSync, existsSync, writeFileSync } from 'node:fs'
  import { join } from 'node:path'
  import { setTimeout as sleep } from 'node:timers/promises'
  const [scripts, log, go, version, fail] = process.argv.slice(1)
  const { provision } = await import(scripts + 'cache.mjs')
  const build = async (directory) => {
    writeFileSync(join(directory, 'first'), 'x')
    appendFileSync(log, 'build\\n')
    while (!existsSync(go)) await sleep(10)
    if (fail) throw new Error('no network')
    writeFileSync(join(directory, 'second'), 'y')
  }
  const report = (line) => appendFileSync(log, line.replace(/\\d+/g, 'N') + '\\n')
  try {
    console.log(await provision({ name: 'fake', version, files: [], build }, report))
  } catch (error) {
    console.log(error.message)
  }`

async function cache(
  name: string,
): Promise<{ args: string[]; env: { XDG_CACHE_HOME: string }; entries: () => string[] }> {
  const directory = join(root, name)
  await mkdir(directory)
  const services = join(directory, 'merganser', 'services')
  return {
    args: [join(directory, 'log'), join(directory, 'go')],
    env: { XDG_CACHE_HOME: directory },
    entries: () => readdirSync(services),
  }
}

const isBuilding = (log: string) => () => existsSync(log) && readFileSync(log, 'utf8').includes('build')

test('of two processes that provision the same at once, one does and the other waits for it', async () => {
  const { args, env, entries } = await cache('two')
  const [log, go] = args as [string, string]
  const both = [1, 2].map(() => output(module(PROVISION, [...args, '1'], env)))
  await until(() => isBuilding(log)() && readFileSync(log, 'utf8').includes('waiting for process N'))
  await writeFile(go, '')
  const [one, two] = await Promise.all(both)
  expect(one).toBe(two)
  expect(readdirSync(one!.trim()).sort()).toEqual(['first', 'second'])
  expect(readFileSync(log, 'utf8').match(/^build$/gm)).toHaveLength(1)
  expect(entries()).toHaveLength(1)
})

test('what an interrupted provisioning left is removed, never taken for whole', async () => {
  const { args, env, entries } = await cache('interrupted')
  const [log, go] = args as [string, string]
  const interrupted = module(PROVISION, [...args, '1'], env)
  const ended = output(interrupted)
  await until(isBuilding(log))
  interrupted.kill('SIGKILL')
  expect(await ended).toBe('')
  expect(entries().some((name) => name.includes('.new-'))).toBe(true)
  await writeFile(go, '')
  const entry = (await output(module(PROVISION, [...args, '1'], env))).trim()
  expect(readdirSync(entry).sort()).toEqual(['first', 'second'])
  expect(entries()).toHaveLength(1)
})

test('a provisioning that fails leaves nothing; another version is another entry', async () => {
  const { args, env, entries } = await cache('failing')
  await writeFile(args[1]!, '')
  expect(await output(module(PROVISION, [...args, '1', 'fail'], env))).toBe('no network\n')
  expect(entries()).toEqual([])
  await output(module(PROVISION, [...args, '1'], env))
  await output(module(PROVISION, [...args, '2'], env))
  expect(entries()).toHaveLength(2)
})

/** A service of a small Node process. */
function fake(name: string, { missing }: { missing?: string } = {}): object {
  const code = `require('net').createServer().listen(+process.argv[1], '127.0.0.1', () => console.log('here'))`
  return {
    name,
    missing: () => missing,
    command: ({ port }: { port: number }) => ({
      program: process.execPath,
      args: ['-e', code, String(port)],
      url: `fake://127.0.0.1:${String(port)}`,
      ready: ({ log }: { log: () => string }) => log().includes('here'),
    }),
  }
}

const quiet = (): void => {
  // Progress is of no interest here.
}

test('down stops what up started and nothing else', async () => {
  const directory = join(root, 'down')
  const services = [fake('mongodb'), fake('postgres'), fake('hive', { missing: 'install a JDK 17' })]
  const found = await running.up(directory, services, quiet)
  expect(found.get('mongodb')!.url).toMatch(/^fake:/)
  expect(found.get('hive')).toEqual({ missing: 'install a JDK 17' })
  const mongodb = running.recordOf(directory, 'mongodb')!
  const postgres = running.recordOf(directory, 'postgres')!

  expect(await running.down(directory, [services[0]], quiet)).toEqual(['mongodb'])
  expect(processes.isRunning(mongodb)).toBe(false)
  expect(processes.isRunning(postgres)).toBe(true)

  // The record of a server that has ended, its number come to another process since.
  const bystander = module('setInterval(() => {}, 1000)', [])
  const started = processes.startOf(bystander.pid!)!
  await mkdir(join(directory, 'mongodb'))
  const record = { name: 'mongodb', pid: bystander.pid, started: `${started}0`, port: 1, url: 'fake:' }
  await writeFile(join(directory, 'mongodb', 'record.json'), JSON.stringify(record))
  expect(await running.down(directory, services, quiet)).toEqual(['postgres'])
  expect(processes.isRunning({ pid: bystander.pid!, started })).toBe(true)
  expect(processes.isRunning(postgres)).toBe(false)
  expect(readdirSync(directory)).toEqual([])
})

test('of two that start the same servers at once, one does', async () => {
  const directory = join(root, 'once')
  const found = await Promise.all([1, 2].map(() => running.up(directory, [fake('mongodb')], quiet)))
  expect(found.map((one) => one.get('mongodb')!.started).sort()).toEqual([false, true])
  expect(new Set(found.map((one) => one.get('mongodb')!.url)).size).toBe(1)
  await running.down(directory, [fake('mongodb')], quiet)
})

test('a server that ends at its start is a reason, and leaves nothing', async () => {
  const directory = join(root, 'broken')
  const command = () => ({ program: process.execPath, args: ['-e', '0'], url: 'fake:', ready: () => false })
  const found = await running.up(directory, [{ ...fake('mongodb'), command }], quiet)
  expect(found.get('mongodb')).toEqual({ missing: "mongodb can't be started: it ended" })
  expect(readdirSync(directory)).toEqual([])
})

test('a process that ignores the question to end is killed, with its group', async () => {
  const code = `
    process.on('SIGTERM', () => {})
    const { pid } = require('child_process').spawn('sleep', ['1000'])
    console.log(pid)`
  const child = spawn(process.execPath, ['-e', code], { detached: true, stdio: ['ignore', 'pipe', 'inherit'] })
  const grandchild = await new Promise<number>((resolve) => {
    child.stdout.once('data', (text: Buffer) => {
      resolve(Number(text.toString()))
    })
  })
  await processes.stopProcess({ pid: child.pid!, started: processes.startOf(child.pid!) }, { limitMs: 100 })
  await until(() => processes.startOf(grandchild) === undefined && processes.startOf(child.pid!) === undefined)
})

test('the servers of a process that is killed are stopped by its guard', async () => {
  const directory = join(root, 'guarded')
  const code = `
    const [scripts, directory] = process.argv.slice(1)
    const { guard } = await import(scripts + 'guard.mjs')
    const { up } = await import(scripts + 'running.mjs')
    guard(directory)
    const listen = "require('net').createServer().listen(0, () => console.log('here'))"
    const command = () => ({
      program: process.execPath, args: ['-e', listen], url: 'fake:', ready: ({ log }) => log().includes('here'),
    })
    await up(directory, [{ name: 'mongodb', missing: () => undefined, command }], () => {})
    setInterval(() => {}, 1000)`
  const child = module(code, [directory])
  let record: { pid: number; started: string } | undefined
  await until(() => (record = running.recordOf(directory, 'mongodb')) !== undefined)
  child.kill('SIGKILL')
  await until(() => !existsSync(directory))
  expect(processes.isRunning(record!)).toBe(false)
})

test("a server's port is none that the system gives to connections", async () => {
  const ports = await freePorts(50)
  expect(new Set(ports).size).toBe(50)
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const sockets = Array.from({ length: 20 }, () => connect((server.address() as AddressInfo).port, '127.0.0.1'))
  await Promise.all(sockets.map((socket) => once(socket, 'connect')))
  expect(Math.max(...ports)).toBeLessThan(Math.min(...sockets.map(({ localPort }) => localPort!)))
  for (const socket of sockets) socket.destroy()
  server.close()
})

test('a URL with any character comes out of the shell as it went in', () => {
  const url = `postgres://o'neil:p"a$HOME\`id\`\\%20!&*?#~ \n é@[::1]:5432/a'b''`
  const script = `${urls.assignment('postgres', url)}; printf %s "$MERGANSER_TEST_POSTGRES_URL"`
  expect(execFileSync('sh', ['-c', script], { encoding: 'utf8' })).toBe(url)
})

test('MERGANSER_REQUIRE takes names of servers only', () => {
  expect(urls.requiredServers(['hive', 'postgres'], ' postgres,hive,')).toEqual(['postgres', 'hive'])
  expect(urls.requiredServers(['hive'], '')).toEqual([])
  expect(() => urls.requiredServers(['hive'], 'hbase')).toThrow('there is no server hbase')
})

test('servers are started for the test files that name them, directly or in what they import', async () => {
  const directory = join(root, 'test')
  await mkdir(join(directory, 'support'), { recursive: true })
  const write = async (name: string, text: string) => {
    await writeFile(join(directory, name), text)
    return join(directory, name)
  }
  await write('support/servers.ts', "type Kind = 'postgres' | 'mongodb' | 'hive' | 'ferretdb'")
  await write('support.ts', "import { server } from './support/servers.ts'\nserver('hive')")
  const plain = await write('plain.test.ts', "const name = 'postgres'")
  const direct = await write('direct.test.ts', "import { server } from './support/servers.ts'\nserver('postgres')")
  const indirect = await write('indirect.test.ts', "import { x } from './support.ts'")
  const names = (files: string[]) => neededServers(files).map(({ name }) => name)
  expect(names([plain])).toEqual([])
  expect(names([plain, direct])).toEqual(['postgres'])
  expect(names([direct, indirect])).toEqual(['hive', 'postgres'])
})

import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { NodeProcesses } from '../../src/environment/node-processes.ts'
import { compile } from './compiled.ts'

// Says whether it got the lock, once it is told to try, and keeps it until its input ends.
const TAKER = `
import { NodeProcesses } from './environment/node-processes.js'
process.stdout.write('ready\\n')
process.stdin.once('data', async () => {
  const { lock, holder } = await new NodeProcesses().lock(process.argv[2])
  process.stdout.write(lock ? 'taken\\n' : holder + '\\n')
  process.stdin.on('end', () => (lock ? lock.release() : Promise.resolve()).then(() => process.exit(0)))
})
`

let compiled = ''
beforeAll(async () => {
  compiled = await compile(['core', 'environment'])
  await writeFile(join(compiled, 'taker.js'), TAKER)
})
afterAll(() => rm(compiled, { recursive: true, force: true }))

let directory = ''
let path = ''
const takers: Taker[] = []
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'merganser-lock-'))
  path = join(directory, 'lock')
})
afterEach(async () => {
  await Promise.all(takers.splice(0).map((taker) => taker.kill()))
  await rm(directory, { recursive: true, force: true })
})

/** A child process that takes the lock when told to. */
class Taker {
  readonly child: ChildProcess
  readonly #lines: AsyncIterator<string>
  readonly #exited: Promise<unknown>

  constructor() {
    const child = spawn(process.execPath, [join(compiled, 'taker.js'), path], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.child = child
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    this.#exited = new Promise((resolve) => child.on('exit', resolve))
    takers.push(this)
  }

  async line(): Promise<string> {
    const next = await this.#lines.next()
    return next.done === true ? 'ended' : next.value
  }
  async take(): Promise<string> {
    this.child.stdin?.write('go\n')
    return this.line()
  }
  async end(): Promise<void> {
    this.child.stdin?.end()
    await this.#exited
  }
  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.#exited
  }
}

async function started(count: number): Promise<Taker[]> {
  const all = Array.from({ length: count }, () => new Taker())
  for (const taker of all) expect(await taker.line()).toBe('ready')
  return all
}

test('I9: a second process, and a second taker in one process, are refused with the name of the holder', async () => {
  const processes = new NodeProcesses()
  const { lock } = await processes.lock(path)
  expect(lock).toBeDefined()
  expect(await processes.lock(path)).toEqual({ holder: processes.self })
  const [taker] = await started(1)
  expect(await taker!.take()).toBe(processes.self)
  await lock?.release()
  await lock?.release()
  expect(await readdir(directory)).toEqual([])
})

test('I9: a lock that was released, or whose process was killed, is taken; only its owner removes it', async () => {
  const [first, second] = await started(2)
  expect(await first!.take()).toBe('taken')
  await first!.end()
  expect(await second!.take()).toBe('taken')
  await second!.kill()
  const { lock } = await new NodeProcesses().lock(path)
  expect(lock).toBeDefined()
  const other = JSON.stringify({ ...(JSON.parse(await readFile(path, 'utf8')) as object), id: '0123456789abcdef' })
  await writeFile(path, other)
  await lock?.release()
  expect(await readFile(path, 'utf8')).toBe(other)
})

test('I9: a dead lock is known while its process is a zombie, or its pid is used again', async () => {
  const [taker] = await started(1)
  expect(await taker!.take()).toBe('taken')
  const dead = JSON.parse(await readFile(path, 'utf8')) as { started: string }
  // Our own pid, with another start time: a process of before.
  await writeFile(path, JSON.stringify({ ...dead, pid: process.pid }))
  const { lock } = await new NodeProcesses().lock(path)
  expect(lock).toBeDefined()
  await lock?.release()
  // A shell that never waits leaves its killed child as a zombie.
  const shell = spawn('sh', ['-c', 'sleep 1000 & echo $!; exec sleep 1000'], { stdio: ['ignore', 'pipe', 'ignore'] })
  const pid = Number((await createInterface({ input: shell.stdout })[Symbol.asyncIterator]().next()).value)
  const stat = async () => (await readFile(`/proc/${String(pid)}/stat`, 'utf8')).split(' ')
  const boot = dead.started.split('/', 1)[0]!
  const start = `${boot}/${(await stat())[21]!}`
  await writeFile(path, JSON.stringify({ host: hostname(), pid, started: start, id: '0123456789abcdef' }))
  expect(await new NodeProcesses().lock(path)).toEqual({ holder: `pid ${String(pid)} on ${hostname()}` })
  process.kill(pid, 'SIGKILL')
  while ((await stat())[2] !== 'Z');
  expect((await new NodeProcesses().lock(path)).lock).toBeDefined()
  const exited = new Promise((resolve) => shell.on('exit', resolve))
  shell.kill('SIGKILL')
  await exited
})

test('I9: of many processes that race for a dead lock, killed again and again, exactly one wins', async () => {
  for (let round = 0; round < 6; round++) {
    const racing = await started(6)
    const answers = await Promise.all(racing.map((taker) => taker.take()))
    expect(answers.filter((answer) => answer === 'taken')).toHaveLength(1)
    expect(answers.every((answer) => answer === 'taken' || answer.startsWith('pid '))).toBe(true)
    await Promise.all(racing.map((taker) => taker.kill()))
  }
  const { lock } = await new NodeProcesses().lock(path)
  await lock?.release()
  expect(await readdir(directory)).toEqual([])
})

test('I9: a taker that died in the middle of taking over is no obstacle', async () => {
  const [first, second] = await started(2)
  expect(await first!.take()).toBe('taken')
  await first!.kill()
  const dead = JSON.parse(await readFile(path, 'utf8')) as { id: string }
  await writeFile(`${path}.after-${dead.id}`, JSON.stringify({ ...dead, id: '00000000000000aa' }))
  expect(await second!.take()).toBe('taken')
  await second!.end()
  expect(await readdir(directory)).toEqual([])
})

test('I9: a lock of another host, or one that cannot be read, is not taken over; a link is refused', async () => {
  await writeFile(path, JSON.stringify({ host: 'elsewhere', pid: 1, started: '', id: '0123456789abcdef' }))
  expect(await new NodeProcesses().lock(path)).toEqual({ holder: 'pid 1 on elsewhere' })
  for (const text of ['', 'x', '{"pid":-1}', 'null']) {
    await writeFile(path, text)
    expect((await new NodeProcesses().lock(path)).holder).toContain('unknown process')
  }
  await rm(path)
  await symlink('/nowhere', path)
  await expect(new NodeProcesses().lock(path)).rejects.toMatchObject({ code: 'ELOOP' })
})

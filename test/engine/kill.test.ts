import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { compileAll } from './compiled.ts'
import { Directories, DOCUMENTS, ONE, POSTGRES, run, stored, WAREHOUSE } from './support.ts'

// Runs what `merganser run` would, with results as they become durable, until it is killed.
const RUNNER = `
import { openSession } from './src/engine/session.ts'
import { runScript } from './src/engine/run-script.ts'
import { finish } from './src/engine/finish.ts'
import { sessionSetup } from './src/index.ts'
import { defaultConfig } from './src/config/config.ts'
const { state, replicas, tables, from, lines } = JSON.parse(process.argv[2])
const named = Object.entries(replicas).map(([name, type]) => ({ name, type, options: {}, hidden: [] }))
const config = { ...defaultConfig(state), state, tables, replicas: named, aliases: {} }
const message = (text) => process.stderr.write(text + '\\n')
const sink = (bytes) => { process.stdout.write(bytes) }
const session = await openSession(await sessionSetup(config, { sink, events: { message, expectationFailed() {}, problem() {} } }))
process.stdout.write('open\\n')
function* script() {
  const names = Object.keys(replicas)
  for (let i = from; i < from + lines; i++) {
    const a = names[i % 3], b = names[(i + 1) % 3]
    yield Buffer.from(a + '.SET(k' + i % 50 + ',v' + i + ')\\n' + a + '.GET(k' + i % 50 + ')\\n' + b + '.GET(old' + i % 20 + ')\\n')
    if (i % 37 === 0) yield Buffer.from(b + '.MERGE(' + a + ')\\n' + b + '.SYNC\\n')
    if (i % 101 === 0) yield Buffer.from('FULL_SYNC\\n')
  }
}
await runScript(session, { file: 'endless.in', chunks: script() }, { keepGoing: false })
await finish(session, () => 0)
await session.close()
process.stdout.write('closed\\n')
`

const directories = new Directories()
let compiled = ''
beforeAll(async () => {
  compiled = await compileAll({ 'runner.ts': RUNNER })
})
afterAll(async () => {
  await directories.remove()
  await rm(compiled, { recursive: true, force: true })
})

interface Child {
  readonly process: ChildProcess
  readonly lines: string[]
  /** Waits for a line of output. */
  until(found: (lines: readonly string[]) => boolean): Promise<void>
}

function start(state: string, replicas: object, from: number, lines: number): Child {
  const options = JSON.stringify({ state, replicas, tables: [ONE], from, lines })
  const child = spawn(process.execPath, [join(compiled, 'runner.js'), options], { stdio: ['ignore', 'pipe', 'pipe'] })
  const seen: string[] = []
  const waiting: {
    found: (lines: readonly string[]) => boolean
    resolve: () => void
    reject: (error: Error) => void
  }[] = []
  let errors = ''
  child.stderr.on('data', (bytes: Buffer) => (errors += bytes.toString()))
  createInterface({ input: child.stdout }).on('line', (line) => {
    seen.push(line)
    for (const one of waiting) if (one.found(seen)) one.resolve()
  })
  child.on('exit', () => {
    for (const one of waiting) one.reject(new Error(`the child ended: ${errors}`))
  })
  return {
    process: child,
    lines: seen,
    until: (found) =>
      new Promise((resolve, reject) => {
        if (found(seen)) resolve()
        else waiting.push({ found, resolve, reject })
      }),
  }
}

/** What whole lines of output say that a replica showed, the last of each key. */
function shown(lines: readonly string[]): Map<string, string> {
  const found = new Map<string, string>()
  for (const line of lines) {
    const match = /^[A-Z]\.GET\(\((k\d+)\)\) = v(\d+)$/.exec(line)
    if (match !== null) found.set(match[1]!, match[2]!)
  }
  return found
}

async function killedRuns(
  replicas: Record<string, string>,
  kills: number,
  outputs: (kill: number) => number,
): Promise<void> {
  const directory = await directories.make()
  const names = Object.keys(replicas)
  await run(
    directory,
    Array.from({ length: 20 }, (_, i) => `${names[i % 3]!}.SET(old${String(i)},x)`).join('\n') + '\nFULL_SYNC',
    {
      replicas,
      tables: [ONE],
    },
  )
  const acknowledged = new Map<string, string>()
  for (let kill = 0; kill < kills; kill++) {
    const from = kill * 1_000_000 + 1
    const child = start(directory, replicas, from, 1_000_000)
    const exited = once(child.process, 'exit')
    await child.until((lines) => lines.length > outputs(kill))
    child.process.kill('SIGKILL')
    await exited
    for (const [key, value] of shown(child.lines)) acknowledged.set(key, value)
  }
  // The next run takes over the dead one's locks at once, or waits for a server that is still stopping.
  const script = `FULL_SYNC\n${[...acknowledged.keys()].map((key) => `A.GET(${key})`).join('\n')}`
  const { lines, report } = await run(directory, script, { replicas, tables: [ONE] })
  expect(report).toMatchObject({ converged: true, exitStatus: 0 })
  expect(acknowledged.size).toBeGreaterThan(10)
  const now = shown(lines)
  for (const [key, value] of acknowledged) expect(Number(now.get(key)), key).toBeGreaterThanOrEqual(Number(value))
  const [first, ...others] = await Promise.all(
    Object.entries(replicas).map(([name, type]) => stored(directory, name, type, ONE, true)),
  )
  for (const other of others) expect(other).toEqual(first)
  for (const [key, value] of now) expect(first![key]).toContain(`v${value}@`)
  for (let i = 0; i < 20; i++) expect(first![`old${String(i)}`]).toContain('x@')
}

test('I4: after kill -9 at any moment everything that was shown is there, and the databases end equal', async () => {
  await killedRuns({ A: DOCUMENTS, B: WAREHOUSE, C: DOCUMENTS }, 6, (kill) => [0, 20, 100, 400, 37, 1000][kill]!)
})

test('I4: the same with a PostgreSQL server, which the next run finds stopping', async () => {
  await killedRuns({ A: DOCUMENTS, P: POSTGRES, C: DOCUMENTS }, 3, (kill) => [30, 300, 1000][kill]!)
})

test('a fresh start right after kill -9 waits until the old PostgreSQL server has stopped', async () => {
  const directory = await directories.make()
  const replicas = { A: DOCUMENTS, P: POSTGRES, C: DOCUMENTS }
  const child = start(directory, replicas, 1, 1_000_000)
  const exited = once(child.process, 'exit')
  await child.until((lines) => lines.length > 300)
  child.process.kill('SIGKILL')
  await exited
  const { lines } = await run(directory, 'P.SET(k,fresh)\nP.SYNC\nP.GET(k)', { replicas, tables: [ONE], fresh: true })
  expect(lines).toEqual(['P.GET((k)) = fresh'])
  expect(await stored(directory, 'P', POSTGRES, ONE)).toEqual({ k: 'fresh' })
})

test('I9: another process on the same state directory is refused while the first one works', async () => {
  const directory = await directories.make()
  const replicas = { A: DOCUMENTS, B: DOCUMENTS, C: DOCUMENTS }
  const child = start(directory, replicas, 1, 1_000_000)
  const exited = once(child.process, 'exit')
  await child.until((lines) => lines.length > 1)
  await expect(run(directory, '', { replicas, tables: [ONE] })).rejects.toMatchObject({
    code: 'STATE_LOCKED',
    message: expect.stringContaining(`pid ${String(child.process.pid)}`) as string,
  })
  child.process.kill('SIGKILL')
  await exited
})

test('a session that ends leaves nothing behind that keeps the process alive', async () => {
  const directory = await directories.make()
  const child = start(directory, { A: DOCUMENTS, B: WAREHOUSE, C: DOCUMENTS }, 1, 200)
  const exited = once(child.process, 'exit')
  await child.until((lines) => lines.includes('closed'))
  expect((await exited)[0]).toBe(0)
})

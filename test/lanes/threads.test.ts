import { realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findPostmaster } from '../../src/connectors/embedded-postgres/postmaster.ts'
import type { Thread, Threads } from '../../src/environment/environment.ts'
import { nodeThreads } from '../../src/environment/node-threads.ts'
import { finish } from '../../src/engine/finish.ts'
import { openSession, type Session } from '../../src/engine/session.ts'
import { compileAll, workerOf } from '../engine/compiled.ts'
import { Directories, DOCUMENTS, execute, ONE, POSTGRES, setupOf, stored, Told, WAREHOUSE } from '../engine/support.ts'

const directories = new Directories()
let compiled = ''
beforeAll(async () => {
  compiled = await compileAll()
})
afterAll(async () => {
  await directories.remove()
  await rm(compiled, { recursive: true, force: true })
})

/** Real threads that a test can reach. */
class Reachable implements Threads {
  readonly started: { readonly name: string; readonly thread: Thread }[] = []
  readonly #real = nodeThreads(workerOf(compiled))

  start(name: string): Thread {
    const thread = this.#real.start(name)
    this.started.push({ name, thread })
    return thread
  }
}

const rows = (replica: string, from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `${replica}.SET(k${String(from + i)},v)`).join('\n')
const all = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${String(i)}`, 'v']))

/** Waits until a flush of the replica is under way. */
async function flushing(session: Session, id: number): Promise<void> {
  session.context.replicas[id]!.flusher.schedule()
  await session.engine.durable()
  for (let i = 0; i < 20; i++) await session.context.yield()
}

test('each replica has a thread of its own, none before there is work, and no more than the limit', async () => {
  for (const [workers, expected] of [
    [50, 3],
    [2, 2],
    [1, 1],
  ] as const) {
    const directory = await directories.make()
    const threads = new Reachable()
    const replicas = { A: DOCUMENTS, B: WAREHOUSE, C: DOCUMENTS }
    const options = { replicas, tables: [ONE], workers, environment: { threads } }
    const session = await openSession(await setupOf(directory, new Told(), options))
    await execute(session, rows('A', 0, 100))
    expect(threads.started).toHaveLength(0)
    await execute(session, 'FULL_SYNC\nSYNC')
    expect(threads.started).toHaveLength(expected)
    expect((await finish(session, () => 0)).converged).toBe(true)
    await session.close()
    expect(await stored(directory, 'B', WAREHOUSE, ONE)).toEqual(all(100))
  }
})

// Not the warehouse: ended within a call, the thread of DuckDB's library may abort the process, which is as kill -9.
test.each([DOCUMENTS, POSTGRES])(
  'a worker thread of %s that ends in the middle of a flush is replaced, and every row arrives',
  async (type) => {
    const directory = await directories.make()
    const threads = new Reachable()
    const told = new Told()
    const options = { replicas: { A: type, B: DOCUMENTS }, tables: [ONE], environment: { threads } }
    const session = await openSession(await setupOf(directory, told, options))
    await execute(session, `${rows('A', 0, 100)}\nA.SYNC`)
    await execute(session, rows('A', 100, 30_000))
    await flushing(session, 0)
    await threads.started.find(({ name }) => name === 'merganser A')!.thread.terminate()
    await execute(session, 'B.MERGE(A)\nSYNC')
    const report = await finish(session, () => 0)
    await session.close()
    expect(report.replicas[0]).toMatchObject({ failure: undefined, pending: 0 })
    expect(report).toMatchObject({ exitStatus: 0, converged: true })
    expect(await stored(directory, 'A', type, ONE)).toEqual(all(30_000))
  },
)

test('a PostgreSQL server that is killed in the middle of a flush is started again, and every row arrives', async () => {
  const directory = await directories.make()
  const told = new Told()
  const options = { replicas: { P: POSTGRES, B: DOCUMENTS }, tables: [ONE], environment: { threads: new Reachable() } }
  const session = await openSession(await setupOf(directory, told, options))
  await execute(session, `${rows('P', 0, 100)}\nP.SYNC\n${rows('P', 100, 30_000)}`)
  await flushing(session, 0)
  const data = await realpath(join(directory, 'databases', 'p', 'server', 'data'))
  process.kill((await findPostmaster(data))!.pid, 'SIGKILL')
  await execute(session, 'P.GET(k5)\nP.SYNC\nB.MERGE(P)')
  const report = await finish(session, () => 0)
  await session.close()
  expect(report).toMatchObject({ exitStatus: 0, converged: true })
  expect(report.replicas[0]!.retries).toBeGreaterThan(0)
  expect(told.lines).toEqual(['P.GET((k5)) = v'])
  expect(await stored(directory, 'P', POSTGRES, ONE)).toEqual(all(30_000))
})

test('I8: what PostgreSQL cannot hold is refused there, quarantined after a merge, and can be asked for', async () => {
  const directory = await directories.make()
  const told = new Told()
  const options = { replicas: { P: POSTGRES, B: DOCUMENTS }, tables: [ONE], keepGoing: true }
  const session = await openSession(await setupOf(directory, told, options))
  const script = [
    'P.SET(k,"a\\u0000b")',
    'P.SET("k\\u0000",a)',
    'B.SET(k,"a\\u0000b")',
    'B.SET("k\\u0000",a)',
    'B.SET(fine,a)',
    'FULL_SYNC',
    'SYNC',
    'P.GET(k)',
    'P.GET("k\\u0000")',
    'P.GET("other\\u0000")',
  ]
  await execute(session, script.join('\n'), options)
  const report = await finish(session, () => 0)
  await session.close()
  expect(told.problems.map(({ code }) => code)).toEqual(['VALUE_REFUSED', 'VALUE_REFUSED'])
  expect(report.replicas[0]!.quarantined.map(({ key }) => key).sort()).toEqual(['("k\\u0000")', '(k)'])
  expect(told.lines).toEqual(['P.GET((k)) = "a\\u0000b"', 'P.GET(("k\\u0000")) = a', 'P.GET(("other\\u0000")) = none'])
  const again = new Told()
  const second = await openSession(await setupOf(directory, again, options))
  await execute(
    second,
    'P.GET("k\\u0000")\nP.GET("other\\u0000")\nP.GET(k)\nP.GET(fine)\nB.SET(k,fits)\nFULL_SYNC',
    options,
  )
  const last = await finish(second, () => 0)
  await second.close()
  expect(again.lines).toEqual([
    'P.GET(("k\\u0000")) = a',
    'P.GET(("other\\u0000")) = none',
    'P.GET((k)) = "a\\u0000b"',
    'P.GET((fine)) = a',
  ])
  expect(last.replicas[0]!.quarantined.map(({ key }) => key)).toEqual(['("k\\u0000")'])
  expect(last).toMatchObject({ exitStatus: 1, converged: false })
  expect(await stored(directory, 'P', POSTGRES, ONE)).toEqual({ k: 'fits', fine: 'a' })
})

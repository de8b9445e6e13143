import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { keysOf } from '../../src/core/batch.ts'
import { MerganserError } from '../../src/core/errors.ts'
import { DEFAULT_TABLE } from '../../src/core/table.ts'
import type { Disk, DiskFile } from '../../src/environment/environment.ts'
import { NodeDisk } from '../../src/environment/node-disk.ts'
import { finish } from '../../src/engine/finish.ts'
import { openSession } from '../../src/engine/session.ts'
import { Directories, execute, log, run, setupOf, stored, THREE, Told, type Hook } from './support.ts'

const directories = new Directories()
afterAll(() => directories.remove())

const unhandled: unknown[] = []
const note = (reason: unknown) => unhandled.push(reason)
beforeEach(() => {
  unhandled.length = 0
  process.on('unhandledRejection', note)
})
afterEach(() => {
  process.off('unhandledRejection', note)
  expect(unhandled).toEqual([])
})

const lost = () => Promise.reject(new MerganserError('CONNECTION_LOST', 'the server is away'))
const sets = (replica: string, rows: number, value: string) =>
  Array.from({ length: rows }, (_, i) => `${replica}.SET((k,${String(i)}),${value})`).join('\n')
const numbered = (rows: number, value: string) =>
  Object.fromEntries(Array.from({ length: rows }, (_, i) => [`k,${String(i)}`, value]))

/** A disk whose oplogs fail from some moment on. */
function failing(code: string, when: (path: string) => boolean): Disk {
  const real = new NodeDisk()
  const error = () => Promise.reject(Object.assign(new Error(code), { code }))
  return {
    open: async (path, mode) => {
      const file = await real.open(path, mode)
      return {
        size: () => file.size(),
        read: (position, length) => file.read(position, length),
        readInto: (into, position) => file.readInto(into, position),
        append: (buffers) => (when(path) ? error() : file.append(buffers)),
        truncate: (size) => file.truncate(size),
        datasync: () => (when(path) ? error() : file.datasync()),
        close: () => file.close(),
      } satisfies DiskFile
    },
    readFile: (path) => real.readFile(path),
    replaceFile: (path, contents) => (when(path) ? error() : real.replaceFile(path, contents)),
    list: (path) => real.list(path),
    makeDirectory: (path) => real.makeDirectory(path),
    rename: (from, to) => real.rename(from, to),
    syncDirectory: (path) => real.syncDirectory(path),
    rewrite: (path, from) => real.rewrite(path, from),
    remove: (path) => real.remove(path),
  }
}

test.each([
  ['ENOSPC', 'STATE_FULL'],
  ['EIO', 'STATE_UNUSABLE'],
])('I4: a disk that fails with %s acknowledges nothing more and ends with %s', async (code, expected) => {
  const directory = await directories.make()
  let broken = false
  const told = new Told()
  const disk = failing(code, (path) => broken && path.includes('oplogs'))
  const session = await openSession(await setupOf(directory, told, { environment: { disk } }))
  await execute(session, 'A.SET((k,0),x)\nB.MERGE(A)\nB.GET(k,0)')
  await session.engine.durable()
  expect(told.lines).toEqual(['B.GET((k,0)) = x'])
  broken = true
  await execute(session, 'A.SET((k,0),lost)\nA.GET(k,0)').catch(() => undefined)
  await expect(session.engine.durable()).rejects.toMatchObject({ code: expected, exitStatus: 4 })
  await expect(execute(session, `${sets('B', 600, 'lost')}\nB.GET(k,1)`)).rejects.toMatchObject({ code: expected })
  await expect(finish(session, () => 0)).rejects.toMatchObject({ code: expected })
  await expect(session.close()).rejects.toMatchObject({ code: expected })
  expect(told.lines).toEqual(['B.GET((k,0)) = x'])
  const { lines } = await run(directory, 'A.GET(k,0)\nB.GET(k,0)\nB.GET(k,1)')
  expect(lines).toEqual(['A.GET((k,0)) = x', 'B.GET((k,0)) = x', 'B.GET((k,1)) = none'])
})

test('a disk that is full when a session opens ends it with a code, locks and threads given back', async () => {
  const directory = await directories.make()
  await expect(run(directory, '', { environment: { disk: failing('ENOSPC', () => true) } })).rejects.toMatchObject({
    code: 'STATE_FULL',
  })
  expect((await run(directory, 'A.SET((k,0),x)')).report.exitStatus).toBe(0)
})

test('positions that cannot be written are told once, and cost nothing but time', async () => {
  const directory = await directories.make()
  const told = new Told()
  const disk = failing('EIO', (path) => path.endsWith('positions'))
  const session = await openSession(await setupOf(directory, told, { environment: { disk } }))
  for (let i = 0; i < 5; i++) {
    await execute(session, sets('A', 10, String(i)))
    await session.engine.durable()
  }
  await finish(session, () => 0)
  await expect(session.close()).rejects.toMatchObject({ code: 'STATE_UNUSABLE' })
  expect(told.messages.filter((text) => text.includes("positions can't be written"))).toHaveLength(1)
  expect((await run(directory, 'FULL_SYNC')).report.converged).toBe(true)
  expect(await stored(directory, 'C')).toEqual(numbered(10, '4'))
})

test('a store that dies in the middle of a flush is opened again, and every row arrives once', async () => {
  const directory = await directories.make()
  let calls = 0
  const hook: Hook = (replica, call) => {
    if (replica !== 'B' || (call !== 'writeRows' && call !== 'readRows')) return undefined
    return ++calls % 3 === 1 ? lost() : undefined
  }
  const { report, lines } = await run(
    directory,
    `${sets('B', 50, 'x')}\nB.SYNC\n${sets('B', 50, 'y')}\nB.SYNC\nFULL_SYNC\nB.GET(z,z)`,
    { hook },
  )
  expect(report).toMatchObject({ converged: true, exitStatus: 0 })
  expect(report.replicas[1]!.retries).toBeGreaterThan(0)
  expect(lines).toEqual(['B.GET((z,z)) = none'])
  for (const name of Object.keys(THREE)) expect(await stored(directory, name)).toEqual(numbered(50, 'y'))
})

test('a database that stays away ends its lane with status 3; its rows are kept, and the next run brings them', async () => {
  const directory = await directories.make()
  const hook: Hook = (replica) => (replica === 'B' ? lost() : undefined)
  const script = `${sets('A', 10, 'x')}\nB.SET((b,1),b)\nFULL_SYNC\nSYNC\nCOMMIT\n${sets('C', 10, 'z')}\nFULL_SYNC`
  const { report, told } = await run(directory, script, { hook, retrySeconds: 0.2 })
  expect(report).toMatchObject({ exitStatus: 3, converged: false })
  const [a, b, c] = report.replicas
  expect(b).toMatchObject({ failure: { code: 'DATABASE_UNREACHABLE' }, pending: 11 })
  expect([a!.failure, c!.failure, a!.pending, c!.pending]).toEqual([undefined, undefined, 0, 0])
  expect(told.messages.join('\n')).toContain('B: the server is away; trying again')
  expect(await stored(directory, 'A')).toEqual({ ...numbered(10, 'z'), 'b,1': 'b' })
  expect(await stored(directory, 'B')).toEqual({})
  const next = await run(directory, '')
  expect(next.report).toMatchObject({ exitStatus: 0, converged: true })
  expect(await stored(directory, 'B')).toEqual({ ...numbered(10, 'z'), 'b,1': 'b' })
})

test('a GET that can never be answered ends the run where it stands; what came before it is kept and shown', async () => {
  const directory = await directories.make()
  await run(directory, 'A.SET((old,1),x)\nFULL_SYNC')
  const hook: Hook = (replica) => (replica === 'B' ? lost() : undefined)
  const script = 'A.SET((k,1),before)\nA.GET(k,1)\nB.GET(old,1)\nC.SET((k,1),after)\nC.GET(k,1)\nSYNC\nA.GET(k,1)'
  const { report, lines, error } = await run(directory, script, { hook, retrySeconds: 0.2 })
  expect(error).toMatchObject({ code: 'DATABASE_UNREACHABLE', exitStatus: 3 })
  expect(report).toMatchObject({ exitStatus: 3, converged: false })
  expect(lines).toEqual(['A.GET((k,1)) = before'])
  expect(await log(directory, 'C')).toHaveLength(1)
  expect((await run(directory, 'A.GET(k,1)\nB.GET(old,1)\nC.GET(k,1)')).lines).toEqual([
    'A.GET((k,1)) = before',
    'B.GET((old,1)) = x',
    'C.GET((k,1)) = none',
  ])
})

test('an error of the script stops it, with the GETs before it answered and everything before it durable', async () => {
  const directory = await directories.make()
  await run(directory, `${sets('A', 20, 'x')}\nFULL_SYNC`)
  const script = `${Array.from({ length: 20 }, (_, i) => `C.GET(k,${String(i)})`).join('\n')}\nC.SET((k,1),y)\nNOBODY.GET(k,1)\nC.SET((k,2),z)`
  const { error, lines, report } = await run(directory, script)
  expect(error).toMatchObject({ code: 'UNKNOWN_REPLICA', place: { file: 'test.in', line: 22 } })
  expect(lines).toEqual(Array.from({ length: 20 }, (_, i) => `C.GET((k,${String(i)})) = x`))
  expect(report.exitStatus).toBe(0)
  expect(await stored(directory, 'C')).toEqual({ ...numbered(20, 'x'), 'k,1': 'y' })
})

test('--keep-going counts what is wrong and goes on', async () => {
  const directory = await directories.make()
  const { error, told, report, lines } = await run(
    directory,
    'A.SET((k,1),x)\nnonsense\nA.SET((k,1))\nA.MERGE(A)\nA.GET(k,1) = y\nA.GET(k,1)',
    { keepGoing: true },
  )
  expect(error).toBeUndefined()
  expect(told.problems.map(({ code, place }) => [code, place.line])).toEqual([
    ['SYNTAX', 2],
    ['WRONG_COUNT', 3],
    ['SAME_REPLICA', 4],
  ])
  expect(report).toMatchObject({ errors: 3, expectationsFailed: 1, exitStatus: 2 })
  expect(told.failed).toMatchObject([{ file: 'test.in', line: 5, expected: 'y', got: 'x' }])
  expect(lines).toEqual(['A.GET((k,1)) = x', 'A.GET((k,1)) = x'])
})

test('I11: at the limit of memory a clear error, and everything before it is kept', async () => {
  const directory = await directories.make()
  const { error, report } = await run(directory, sets('A', 2000, 'x'), { limits: { memoryRows: 500 } })
  expect(error).toMatchObject({ code: 'MEMORY_LIMIT', exitStatus: 4 })
  const kept = report.replicas[0]!.records
  expect(kept).toBeGreaterThan(500)
  expect(kept).toBeLessThan(1000)
  expect(Object.keys(await stored(directory, 'A'))).toHaveLength(kept)
})

test('I11: no more GETs wait for a database than the limit says, however slow it is', async () => {
  const directory = await directories.make()
  await run(directory, `${sets('A', 1000, 'x')}\nFULL_SYNC`)
  const told = new Told()
  let most = 0
  const hook: Hook = async (replica, call) => {
    if (replica !== 'B' || call !== 'readRows') return
    most = Math.max(most, session.context.sequencer.unanswered)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  const session = await openSession(await setupOf(directory, told, { hook, limits: { pendingReads: 100 } }))
  await execute(session, Array.from({ length: 1000 }, (_, i) => `B.GET(k,${String(i)})`).join('\n'))
  await session.engine.durable()
  await session.close()
  // A block of lines more may have been begun.
  expect(most).toBeLessThanOrEqual(100 + 256)
  expect(told.lines).toEqual(Array.from({ length: 1000 }, (_, i) => `B.GET((k,${String(i)})) = x`))
})

test('I11: results that nobody takes hold the script back', async () => {
  const directory = await directories.make()
  const told = new Told()
  const setup = await setupOf(directory, told)
  let give: (() => void) | undefined
  let taken = 0
  const session = await openSession({
    ...setup,
    sink: (bytes) => {
      taken += bytes.length
      return new Promise((resolve) => (give = resolve))
    },
  })
  const value = 'v'.repeat(20_000)
  let done = false
  const running = execute(session, `A.SET((k,1),${value})\n${'A.GET(k,1)\n'.repeat(1000)}`).then(() => (done = true))
  for (let i = 0; i < 300; i++) await session.context.yield()
  expect(done).toBe(false)
  const letGo = setInterval(() => give?.(), 0)
  await running
  await session.engine.durable()
  await session.close()
  clearInterval(letGo)
  expect(taken).toBeGreaterThan(20_000_000)
})

test('closing while a database is away does not wait for it', async () => {
  const directory = await directories.make()
  const hook: Hook = (replica, call) => (replica === 'B' && call === 'writeRows' ? lost() : undefined)
  const session = await openSession(await setupOf(directory, new Told(), { hook, retrySeconds: 3600 }))
  await execute(session, sets('B', 10, 'x'))
  session.context.replicas[1]!.flusher.schedule()
  while (session.context.replicas[1]!.lane.retries === 0) await session.context.yield()
  await session.close()
  expect((await run(directory, '')).report.replicas[1]).toMatchObject({ pending: 0, flushed: 10 })
})

test('a database that cannot be opened at the beginning ends the session with its code and gives everything back', async () => {
  const directory = await directories.make()
  await run(directory, 'B.SET((k,1),x)')
  const { rm } = await import('node:fs/promises')
  for (const name of ['oplogs.b', 'positions']) await rm(join(directory, name))
  const hook: Hook = (replica) => (replica === 'B' ? lost() : undefined)
  await expect(run(directory, '', { hook, retrySeconds: 0 })).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE' })
  expect((await run(directory, 'B.GET(k,1)')).lines).toEqual(['B.GET((k,1)) = x'])
})

test('closing is idempotent, and a lane that was closed opens nothing any more', async () => {
  const directory = await directories.make()
  await run(directory, 'A.SET((k,1),x)\nFULL_SYNC')
  const session = await openSession(await setupOf(directory, new Told()))
  const { lane } = session.context.replicas[0]!
  const keys = keysOf(DEFAULT_TABLE, [['k', '1']])
  expect((await lane.readRows(DEFAULT_TABLE, keys)).rows).toBe(1)
  await session.close()
  await session.close()
  await expect(lane.readRows(DEFAULT_TABLE, keys)).rejects.toMatchObject({ code: 'STORE_CLOSED' })
})

import { cp, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { HybridClock } from '../../src/core/clock.ts'
import { NodeClock } from '../../src/environment/node-clock.ts'
import { decodePositions } from '../../src/engine/positions.ts'
import { openSession } from '../../src/engine/session.ts'
import { readPositions } from '../../src/oplog/positions.ts'
import { NodeDisk } from '../../src/environment/node-disk.ts'
import {
  Directories,
  execute,
  log,
  run,
  setupOf,
  snapshot,
  stored,
  THREE,
  Told,
  DOCUMENTS,
  type Options,
} from './support.ts'

const directories = new Directories()
afterAll(() => directories.remove())

const positions = async (directory: string) => {
  const path = join(directory, 'positions')
  return decodePositions((await readPositions(new NodeDisk(), path))!, path)
}
const database = (directory: string, name: string) => join(directory, 'databases', name.toLowerCase())
const sets = (replica: string, from: number, to: number, value: string) =>
  Array.from({ length: to - from }, (_, i) => `${replica}.SET((k,${String(from + i)}),${value})`).join('\n')
const numbered = (from: number, to: number, value: string) =>
  Object.fromEntries(Array.from({ length: to - from }, (_, i) => [`k,${String(from + i)}`, value]))

test('I6: a FULL_SYNC leaves nothing to be seen: the next session reads nothing back and merges only what is new', async () => {
  const directory = await directories.make()
  await run(directory, `${sets('A', 0, 50, 'x')}\n${sets('B', 25, 75, 'y')}\n${sets('C', 60, 90, 'z')}\nFULL_SYNC`)
  const before = await positions(directory)
  for (const [name, { seen }] of before) {
    for (const [other, { position }] of seen)
      expect([name, other, position]).toEqual([name, other, before.get(other)!.records])
  }
  const { report } = await run(directory, 'B.SET((k,1),new)\nFULL_SYNC')
  expect(report.replicas.map(({ merged }) => merged)).toEqual([1, 0, 1])
  expect(report.lookups).toBe(0)
  const after = await positions(directory)
  expect([...after].map(([name, { records }]) => records - before.get(name)!.records)).toEqual([1, 1, 1])
})

test('a database that was deleted gets all rows of the oplog again', async () => {
  const directory = await directories.make()
  await run(directory, `${sets('A', 0, 50, 'x')}\nFULL_SYNC`)
  await rm(database(directory, 'B'), { recursive: true })
  const { lines, told, report } = await run(directory, 'B.GET(k,7)\nB.SET((k,7),y)')
  expect(lines).toEqual(['B.GET((k,7)) = x'])
  expect(told.messages.join()).toContain('B: the database is gone')
  expect(await stored(directory, 'B')).toEqual({ ...numbered(0, 50, 'x'), 'k,7': 'y' })
  expect(report.replicas[1]).toMatchObject({ pending: 0, flushed: 50 })
})

test('a database restored from a backup gets what it lacks', async () => {
  const directory = await directories.make()
  await run(directory, `${sets('A', 0, 10, 'x')}\nFULL_SYNC`)
  await cp(database(directory, 'B'), join(directory, 'backup'), { recursive: true })
  await run(directory, `${sets('B', 10, 20, 'y')}\nFULL_SYNC`)
  await rm(database(directory, 'B'), { recursive: true })
  await rename(join(directory, 'backup'), database(directory, 'B'))
  const { told, lines } = await run(directory, 'B.GET(k,12)')
  expect(lines).toEqual(['B.GET((k,12)) = y'])
  expect(told.messages.join()).toContain('surely holds the oplog up to record 10')
  expect(await stored(directory, 'B')).toEqual({ ...numbered(0, 10, 'x'), ...numbered(10, 20, 'y') })
})

test('the database of another oplog raises floor and clock, and gets all rows of this one', async () => {
  const [directory, other] = [await directories.make(), await directories.make()]
  await run(directory, `${sets('A', 0, 5, 'x')}\nFULL_SYNC`)
  await run(other, sets('B', 3, 9, 'other'))
  await rm(database(directory, 'B'), { recursive: true })
  await cp(database(other, 'B'), database(directory, 'B'), { recursive: true })
  const { told, lines } = await run(directory, 'B.GET(k,8)\nB.GET(k,0)\nB.SET((k,8),new)\nB.GET(k,8)')
  expect(lines).toEqual(['B.GET((k,8)) = other', 'B.GET((k,0)) = x', 'B.GET((k,8)) = new'])
  expect(told.messages.join('\n')).toMatch(/6 rows that are older than its oplog[^]*belonged to another oplog/)
  expect(await stored(directory, 'B')).toEqual({
    ...numbered(0, 3, 'x'),
    ...numbered(3, 9, 'other'),
    'k,8': 'new',
  })
})

test('a database of which the state directory knows nothing is asked when the session opens', async () => {
  const [directory, other] = [await directories.make(), await directories.make()]
  await run(other, sets('B', 0, 3, 'old'))
  await cp(database(other, 'B'), database(directory, 'B'), { recursive: true })
  const { lines } = await run(directory, 'B.GET(k,1)\nB.SET((k,1),new)\nA.MERGE(B)\nA.GET(k,1)\nA.GET(k,2)')
  expect(lines).toEqual(['B.GET((k,1)) = old', 'A.GET((k,1)) = new', 'A.GET((k,2)) = none'])
  expect((await stored(directory, 'B'))['k,1']).toBe('new')
})

/** Runs a script, then drops everything as a dead process would: nothing more is written. */
async function crash(directory: string, script: string, options: Options = {}): Promise<Told> {
  const told = new Told()
  let dead = false
  const disk = new Proxy(new NodeDisk(), {
    get: (target, name: keyof NodeDisk) => {
      if (dead && name === 'replaceFile') return () => Promise.reject(new Error('dead'))
      return target[name].bind(target)
    },
  })
  const session = await openSession(
    await setupOf(directory, told, {
      ...options,
      environment: { disk },
      hook: (replica, call) => {
        if (dead && call !== 'close') return Promise.reject(new Error('dead'))
        return options.hook?.(replica, call)
      },
    }),
  )
  await execute(session, script, options)
  await session.engine.durable()
  dead = true
  await session.close().catch(() => undefined)
  return told
}

test('after a crash everything acknowledged is there, unflushed rows are flushed, and databases marked in use are read right', async () => {
  const directory = await directories.make()
  await crash(directory, `${sets('A', 0, 20, 'x')}\nFULL_SYNC\nSYNC\n${sets('B', 20, 30, 'y')}\nC.DELETE(k,3)`)
  const { lines, report } = await run(directory, 'A.GET(k,5)\nB.GET(k,25)\nC.GET(k,3)\nC.GET(k,4)\nFULL_SYNC')
  expect(lines).toEqual(['A.GET((k,5)) = x', 'B.GET((k,25)) = y', 'C.GET((k,3)) = none', 'C.GET((k,4)) = x'])
  expect(report.converged).toBe(true)
  const all = { ...numbered(0, 20, 'x'), ...numbered(20, 30, 'y'), 'k,3': '- deleted' }
  for (const name of Object.keys(THREE)) expect(await stored(directory, name)).toEqual(all)
})

test('a database that turns out to lack rows at the very end of a session still gets them', async () => {
  const directory = await directories.make()
  await run(directory, 'A.SET((k,1),x)')
  await crash(directory, 'C.MERGE(A)\nC.SET((k,2),y)\nSYNC\nA.MERGE(C)\nC.MERGE(A)')
  await run(directory, '')
  const { report } = await run(directory, 'FULL_SYNC')
  expect(report).toMatchObject({ converged: true, exitStatus: 0 })
  expect(report.replicas.map(({ pending }) => pending)).toEqual([0, 0, 0])
})

test('a database that is emptied while the session runs gets all rows again when its connection comes back', async () => {
  const directory = await directories.make()
  await run(directory, `${sets('A', 0, 5, 'old')}\nFULL_SYNC`)
  const told = new Told()
  let lost = false
  const session = await openSession(
    await setupOf(directory, told, {
      replicas: { A: DOCUMENTS, B: DOCUMENTS },
      hook: async (replica, call) => {
        if (replica !== 'A' || call !== 'writeRows' || !lost) return
        lost = false
        const { MerganserError } = await import('../../src/core/errors.ts')
        throw new MerganserError('CONNECTION_LOST', 'the connection was lost')
      },
    }),
  )
  await execute(session, `${sets('A', 5, 10, 'x')}\nB.MERGE(A)\nSYNC`)
  // Their change-list entries are forgotten once all who need them have them: only the log knows them now.
  await session.writePositions()
  await execute(session, 'A.SET((k,100),last)')
  lost = true
  // The store closes before it is opened anew: in between its files go.
  const { lane } = session.context.replicas[0]!
  await lane.readRows(
    session.setup.tables[0]!,
    (await import('../../src/core/batch.ts')).keysOf(session.setup.tables[0]!, [['k', '1']]),
  )
  await emptied(session, database(directory, 'A'))
  await execute(session, 'SYNC')
  await session.close()
  expect(told.messages.join('\n')).toContain('A: the database is new or was emptied')
  expect(await stored(directory, 'A')).toEqual({ ...numbered(0, 5, 'old'), ...numbered(5, 10, 'x'), 'k,100': 'last' })
})

/** Empties the database of an open lane, as if its server had lost its disk. */
async function emptied(session: Awaited<ReturnType<typeof openSession>>, path: string): Promise<void> {
  const { open } = await import('lmdb')
  const file = open({
    path: join(path, (await import('../../src/connectors/embedded-documents/files.ts')).dataFile('')),
    noSubdir: true,
    maxDbs: 1001,
    encoding: 'binary',
    keyEncoding: 'binary',
  })
  for (const name of ['merganser_meta', session.setup.tables[0]!.name]) {
    const table = file.openDB({ name, encoding: 'binary', keyEncoding: 'binary' })
    table.clearSync()
  }
  await file.flushed
  await file.close()
}

test('I6: positions that were written down never go beyond what both logs hold', async () => {
  const directory = await directories.make()
  await crash(directory, `${sets('A', 0, 300, 'x')}\nB.MERGE(A)\n${sets('B', 0, 300, 'y')}\nA.MERGE(B)\nC.MERGE(B)`)
  const known = await positions(directory)
  const records = Object.fromEntries(
    await Promise.all(Object.keys(THREE).map(async (name) => [name, (await log(directory, name)).length] as const)),
  )
  for (const [name, position] of known) {
    expect(position.records).toBeLessThanOrEqual(records[name]!)
    for (const [other, { position: seen }] of position.seen) expect(seen).toBeLessThanOrEqual(records[other]!)
  }
  const { report } = await run(directory, 'FULL_SYNC')
  expect(report.converged).toBe(true)
  for (const name of Object.keys(THREE)) expect(await stored(directory, name)).toEqual(numbered(0, 300, 'y'))
})

test('a replica that is added later takes part, one that is removed may come back', async () => {
  const directory = await directories.make()
  const two = { replicas: { A: DOCUMENTS, B: DOCUMENTS } }
  await run(directory, `${sets('A', 0, 5, 'x')}\nFULL_SYNC`, two)
  await run(directory, 'C.SET((c,1),c)\nFULL_SYNC')
  expect(await stored(directory, 'C')).toEqual({ ...numbered(0, 5, 'x'), 'c,1': 'c' })
  const before = await positions(directory)
  await run(directory, `${sets('B', 0, 5, 'y')}\nFULL_SYNC`, two)
  expect((await positions(directory)).get('C')).toEqual(before.get('C'))
  const { report } = await run(directory, 'FULL_SYNC')
  expect(report.converged).toBe(true)
  expect(report.replicas[2]).toMatchObject({ merged: 5, pending: 0 })
  for (const name of Object.keys(THREE))
    expect(await stored(directory, name)).toEqual({ ...numbered(0, 5, 'y'), 'c,1': 'c' })
})

test('a replica that is renamed begins a new log and learns everything from the others', async () => {
  const directory = await directories.make()
  await run(directory, `${sets('A', 0, 5, 'x')}\nFULL_SYNC`)
  const { report } = await run(directory, 'FULL_SYNC', { replicas: { A: DOCUMENTS, B: DOCUMENTS, D: DOCUMENTS } })
  expect(report.converged).toBe(true)
  expect(await stored(directory, 'D')).toEqual(numbered(0, 5, 'x'))
})

test('I3: stamps rise over restarts with a clock that was set back', async () => {
  const directory = await directories.make()
  const real = new NodeClock()
  const back = (days: number) => ({
    environment: {
      clock: {
        nanoseconds: () => real.nanoseconds() - BigInt(days) * 86_400_000_000_000n,
        milliseconds: () => real.milliseconds(),
      },
    },
  })
  await run(directory, 'A.SET((k,1),first)\nB.MERGE(A)', back(0))
  await run(directory, 'B.SET((k,1),second)\nB.GET(k,1)', back(300))
  await crash(directory, 'A.GET(k,1)\nB.GET(k,9)\nA.SET((k,2),x)', back(300))
  const { lines } = await run(directory, 'A.MERGE(B)\nA.GET(k,1)\nC.SET((k,1),third)\nFULL_SYNC\nA.GET(k,1)', back(600))
  expect(lines).toEqual(['A.GET((k,1)) = second', 'A.GET((k,1)) = third'])
  const stamps = (await Promise.all(Object.keys(THREE).map((name) => log(directory, name)))).flatMap((lines, i) =>
    lines.filter((line) => /Z, /.test(line)).map((line) => `${line.slice(0, 30)}${'ABC'[i]!}`),
  )
  expect(new Set(stamps).size).toBe(stamps.length)
})

test('FUTURE_STAMP: a replayed stamp beyond the bound is refused, one within it raises the clock', async () => {
  const directory = await directories.make()
  const ahead = (hours: number) =>
    new Date(Date.now() + hours * 3_600_000).toISOString().replace('T', ' ').replace('Z', '000000Z')
  const { error, report, lines } = await run(
    directory,
    `${ahead(23)}, A.SET((k,1),soon)\nB.SET((k,1),later)\nFULL_SYNC\nA.GET(k,1)\n${ahead(25)}, A.SET((k,1),never)`,
  )
  expect(error).toMatchObject({ code: 'FUTURE_STAMP', place: { line: 5 } })
  expect(report).toMatchObject({ statements: { set: 2 }, converged: true })
  expect(lines).toEqual(['A.GET((k,1)) = later'])
  // The session's own logs may be ahead: a restart goes on above them.
  expect((await run(directory, 'C.SET((k,1),last)\nFULL_SYNC\nA.GET(k,1)')).lines).toEqual(['A.GET((k,1)) = last'])
  expect(new HybridClock(() => 0n, 5n).next()).toBe(6n)
})

test('I7: a log that ends before a recorded position refuses to start, and --accept-loss sets positions back', async () => {
  const directory = await directories.make()
  await run(directory, `${sets('A', 0, 5, 'x')}\nFULL_SYNC`)
  const old = await readFile(join(directory, 'oplogs.b'))
  await run(directory, `${sets('A', 5, 10, 'y')}\nB.SET((b,1),lost)\nFULL_SYNC\nC.SET((c,1),c)\nB.MERGE(C)`)
  await writeFile(join(directory, 'oplogs.b'), old)
  const before = await snapshot(directory)
  await expect(run(directory, 'B.GET(k,1)')).rejects.toMatchObject({ code: 'OPLOG_DAMAGED', exitStatus: 4 })
  expect(await snapshot(directory)).toEqual(before)
  const { told, report } = await run(directory, 'B.SET((b,2),new)\nFULL_SYNC', { acceptLoss: true })
  expect(told.messages.join('\n')).toMatch(/B: the oplog of B ends before a recorded position/)
  expect(report).toMatchObject({ converged: true, exitStatus: 0 })
  const all = { ...numbered(0, 5, 'x'), ...numbered(5, 10, 'y'), 'b,1': 'lost', 'b,2': 'new', 'c,1': 'c' }
  for (const name of Object.keys(THREE)) expect(await stored(directory, name)).toEqual(all)
  expect((await run(directory, 'FULL_SYNC')).report.converged).toBe(true)
})

test('I7: a state directory older than its database refuses, and --accept-loss goes on above what the database holds', async () => {
  const directory = await directories.make()
  await run(directory, `${sets('A', 0, 5, 'x')}\nFULL_SYNC`)
  const backup = await directories.make()
  await cp(directory, backup, { recursive: true })
  await run(directory, 'A.SET((k,1),newer)')
  for (const name of ['oplogs.a', 'oplogs.b', 'oplogs.c', 'positions'])
    await cp(join(backup, name), join(directory, name))
  const refused = await run(directory, 'A.SET((k,9),z)\nA.SYNC')
  expect(refused.report.exitStatus).toBe(4)
  expect(refused.report.replicas[0]!.failure).toMatchObject({ code: 'OPLOG_DAMAGED' })
  const { lines } = await run(directory, 'A.GET(k,1)\nA.SET((k,1),newest)\nA.GET(k,1)', { acceptLoss: true })
  expect(lines).toEqual(['A.GET((k,1)) = newer', 'A.GET((k,1)) = newest'])
  expect((await stored(directory, 'A'))['k,1']).toBe('newest')
})

test('lost positions are asked for, and with --accept-loss everything is merged and flushed again', async () => {
  const directory = await directories.make()
  await run(directory, `${sets('A', 0, 5, 'x')}\nFULL_SYNC`)
  await writeFile(join(directory, 'positions'), '{"format":1,')
  await expect(run(directory, 'A.GET(k,1)')).rejects.toMatchObject({ code: 'OPLOG_DAMAGED' })
  expect((await run(directory, 'FULL_SYNC\nB.GET(k,1)', { acceptLoss: true })).lines).toEqual(['B.GET((k,1)) = x'])
  await unlink(join(directory, 'positions'))
  expect((await run(directory, 'B.GET(k,2)')).lines).toEqual(['B.GET((k,2)) = x'])
})

test('--fresh puts the old state aside, whole', async () => {
  const directory = await directories.make()
  await run(directory, `${sets('A', 0, 5, 'x')}\nFULL_SYNC`)
  const { told, lines } = await run(directory, 'A.GET(k,1)\nA.SET((k,1),y)', { fresh: true })
  expect(lines).toEqual(['A.GET((k,1)) = none'])
  expect(await stored(directory, 'A')).toEqual({ 'k,1': 'y' })
  const archive = /the old state is in (.*)$/m.exec(told.messages.join('\n'))![1]!
  expect((await run(archive, 'B.GET(k,1)')).lines).toEqual(['B.GET((k,1)) = x'])
})

test('--dry-run writes nothing, takes no lock, and says what would be written', async () => {
  const directory = await directories.make()
  await run(directory, `${sets('A', 0, 5, 'x')}\nFULL_SYNC\nB.SET((b,1),pending)`, { flush: false })
  await run(directory, 'C.SYNC')
  await run(directory, 'B.SET((b,1),pending)', { flush: false })
  const before = await snapshot(directory)
  const script = 'A.GET(k,1)\nC.GET(b,1)\nA.SET((k,1),z)\nFULL_SYNC\nC.GET(b,1)\nUNDO'
  const { lines, report } = await run(directory, script, { dryRun: true })
  expect(await snapshot(directory)).toEqual(before)
  expect(lines).toEqual(['A.GET((k,1)) = x', 'C.GET((b,1)) = none', 'C.GET((b,1)) = pending'])
  const table = 'student_course_grades'
  expect(report.plan).toMatchObject([
    { replica: 'A', table },
    { replica: 'B', table, rows: 2 },
    { replica: 'C', table, rows: 2 },
  ])
  // Beside a session that holds the state directory's lock, and where there is no state at all.
  const session = await openSession(await setupOf(directory, new Told()))
  expect((await run(directory, 'A.GET(k,1)', { dryRun: true })).lines).toEqual(['A.GET((k,1)) = x'])
  await session.close()
  const nowhere = join(await directories.make(), 'nowhere')
  expect((await run(nowhere, 'A.SET((k,1),x)\nFULL_SYNC\nC.GET(k,1)', { dryRun: true })).lines).toEqual([
    'C.GET((k,1)) = x',
  ])
  await expect(snapshot(nowhere)).rejects.toMatchObject({ code: 'ENOENT' })
})

test('--no-flush keeps the rows for the next run', async () => {
  const directory = await directories.make()
  const first = await run(directory, `${sets('A', 0, 5, 'x')}\nFULL_SYNC\nSYNC\nCOMMIT`, { flush: false })
  expect(first.report.replicas.map(({ pending }) => pending)).toEqual([5, 5, 5])
  expect(await stored(directory, 'A')).toEqual({})
  const { report } = await run(directory, '')
  expect(report.replicas.map(({ pending, flushed }) => [pending, flushed])).toEqual([
    [0, 5],
    [0, 5],
    [0, 5],
  ])
  for (const name of Object.keys(THREE)) expect(await stored(directory, name)).toEqual(numbered(0, 5, 'x'))
})

test('I9: two sessions in one process work on two state directories, on one the second is refused', async () => {
  const [first, second] = [await directories.make(), await directories.make()]
  const [one, two] = [
    await openSession(await setupOf(first, new Told())),
    await openSession(await setupOf(second, new Told())),
  ]
  await Promise.all([execute(one, sets('A', 0, 100, 'one')), execute(two, sets('A', 0, 100, 'two'))])
  await expect(openSession(await setupOf(first, new Told()))).rejects.toMatchObject({
    code: 'STATE_LOCKED',
    exitStatus: 4,
  })
  await execute(one, 'SYNC')
  await execute(two, 'SYNC')
  await Promise.all([one.close(), two.close()])
  expect(await stored(first, 'A')).toEqual(numbered(0, 100, 'one'))
  expect(await stored(second, 'A')).toEqual(numbered(0, 100, 'two'))
})

test('a run that meets no row is not converged where a replica lacks changes of an earlier one', async () => {
  const directory = await directories.make()
  await run(directory, 'A.SET((k,1),x)')
  const { report } = await run(directory, '')
  expect(report.converged).toBe(false)
  expect(report.replicas.map(({ behind }) => behind)).toEqual([[], ['A'], ['A']])
  expect((await run(directory, 'FULL_SYNC')).report.converged).toBe(true)
  expect((await run(directory, '')).report.converged).toBe(true)
})

import { afterAll, expect, test } from 'vitest'
import { Directories, log, ONE, PAIRS, run, stored, withoutTimes } from './support.ts'

const directories = new Directories()
afterAll(() => directories.remove())

test('the script of the seed prints what it should and leaves the same rows everywhere', async () => {
  const directory = await directories.make()
  const script = `
    1, A.SET((SID103,CSE016),A)
    2, B.SET((SID103,CSE016),B)
    A.GET(SID103,CSE016)
    B.GET(SID103,CSE016)
    A.MERGE(B)
    A.GET(SID103,CSE016)
    C.GET(SID103,CSE016)
    C.MERGE(A)
    C.GET(SID103,CSE016) = B
    C.DELETE(SID103,CSE016)
    C.GET(SID103,CSE016)
    FULL_SYNC
    A.GET(SID103,CSE016)
  `
  const { lines, report } = await run(directory, script)
  expect(lines).toEqual([
    'A.GET((SID103,CSE016)) = A',
    'B.GET((SID103,CSE016)) = B',
    'A.GET((SID103,CSE016)) = B',
    'C.GET((SID103,CSE016)) = none',
    'C.GET((SID103,CSE016)) = B',
    'C.GET((SID103,CSE016)) = none',
    'A.GET((SID103,CSE016)) = none',
  ])
  expect(report).toMatchObject({ converged: true, exitStatus: 0, conflicts: 1, expectations: 1, expectationsFailed: 0 })
  for (const name of ['A', 'B', 'C']) expect(await stored(directory, name)).toEqual({ 'SID103,CSE016': '- deleted' })
})

test('a second run goes on where the first ended, with a database that knows more than the cache', async () => {
  const directory = await directories.make()
  await run(directory, 'A.SET((k,1),x)\nB.SET((k,2),y)\nFULL_SYNC')
  const { lines, report } = await run(
    directory,
    'A.GET(k,2)\nB.GET(k,1)\nC.GET(k,3)\nC.SET((k,1),z)\nA.MERGE(C)\nA.GET(k,1)',
  )
  expect(lines).toEqual(['A.GET((k,2)) = y', 'B.GET((k,1)) = x', 'C.GET((k,3)) = none', 'A.GET((k,1)) = z'])
  expect(report.lookups).toBe(3)
  expect(await stored(directory, 'A')).toEqual({ 'k,1': 'z', 'k,2': 'y' })
})

test('UNDO, COMMIT and ROLLBACK take back what the replicas showed, also what only their databases know', async () => {
  const directory = await directories.make()
  const options = { tables: [PAIRS, ONE] }
  await run(directory, 'A.t.SET(k, {a: 1, b: 2})\nFULL_SYNC', options)
  const { lines, report } = await run(
    directory,
    `A.t.SET(k, {a: 9})
     A.SYNC
     A.UNDO
     A.t.GET(k)
     B.t.DELETE(k)
     B.UNDO
     B.t.GET(k)
     C.t.SET(k, {b: 7})
     C.one.SET(x, 1)
     C.SYNC
     FULL_SYNC
     ROLLBACK
     A.t.GET(k)
     B.t.GET(k)
     C.t.GET(k)
     C.one.GET(x)
     UNDO`,
    options,
  )
  expect(lines).toEqual([
    'A.GET((k)) = {a: 1, b: 2}',
    'B.GET((k)) = {a: 1, b: 2}',
    'A.GET((k)) = {a: 1, b: 2}',
    'B.GET((k)) = {a: 1, b: 2}',
    'C.GET((k)) = {a: 1, b: 2}',
    'C.one.GET((x)) = none',
  ])
  expect(report.exitStatus).toBe(0)
  const after = await run(directory, 'FULL_SYNC', options)
  expect(after.report.converged).toBe(true)
  expect(await stored(directory, 'C', undefined, PAIRS)).toEqual({ k: '1 2' })
})

test('remarks tell of sessions, merges, conflicts, points and flushes', async () => {
  const directory = await directories.make()
  await run(directory, 'A.SET((k,1),x)\nB.SET((k,1),y)\nA.MERGE(B)\nA.UNDO\nCOMMIT\nROLLBACK\nFULL_SYNC')
  const text = (await log(directory, 'A', true)).filter((line) => line.startsWith('#'))
  const shapes = [
    /^# merganser oplog 1 A [0-9a-f]{16} segment 1 from 0 after 00000000$/,
    /^# session of pid \d+ on \S+ began at \S+ \S+Z$/,
    /^# conflict \(k,1\) grade won .*@B lost .*@A$/,
    /^# merge B 1\.\.1 took 1 conflicts 1 at "test.in":3$/,
    /^# UNDO$/,
    /^# COMMIT$/,
    /^# ROLLBACK$/,
    /^# FULL_SYNC at "test.in":7$/,
  ]
  expect(text.some((line) => /^# flush \d+ upto 3 rows 1 tries 1 ms [\d.]+$/.test(line))).toBe(true)
  for (const shape of shapes)
    expect(
      text.filter((line) => shape.test(line)),
      String(shape),
    ).toHaveLength(1)
  expect(withoutTimes(await log(directory, 'A'))).toEqual([
    ', A.SET((k,1), x)',
    '@B, A.SET((k,1), y)',
    ', A.SET((k,1), x)',
  ])
})

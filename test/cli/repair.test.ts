import { readdir, readFile, rm, cp } from 'node:fs/promises'
import { DuckDBInstance } from '@duckdb/node-api'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { expectRefused, Workspace } from './support.ts'

// Each test starts the program many times.
vi.setConfig({ testTimeout: 240_000 })

let workspace: Workspace
beforeAll(async () => {
  workspace = await Workspace.create({ warm: true })
})

/** What both databases hold, with stamps. */
const rows = async (replica: string, state: string): Promise<string> =>
  (await workspace.done(['query', replica, '--state', state, '--format', 'csv', '--stamps'])).out
const shown = async (replica: string, state: string): Promise<string> =>
  (await workspace.done(['query', replica, '--state', state, '--format', 'csv'])).out
const repair = (state: string, ...args: string[]) =>
  workspace.run(['repair', 'hive', 'mongo', '--state', state, '--settle', '0', ...args])

async function expectEqual(state: string): Promise<void> {
  expect(await rows('HIVE', state)).toBe(await rows('MONGODB', state))
}

/** Changes the warehouse's rows behind Merganser's back. */
async function byHand(state: string, sql: string): Promise<void> {
  const instance = await DuckDBInstance.create(workspace.path(`${state}/databases/hive/warehouse.duckdb`))
  const connection = await instance.connect()
  await connection.run(sql)
  await connection.run('CHECKPOINT')
  connection.closeSync()
  instance.closeSync()
}

const SCRIPT = `HIVE.SET((s1,c1),A)
HIVE.SET((s2,c1),B)
MONGODB.SET((s3,c1),C)
MONGODB.DELETE((s2,c1))
HIVE.SET((s4,c1),"x, #y")
`

describe('merganser repair', () => {
  it('I2: brings each what it lacks with its own stamp, and the undo script takes it back', async () => {
    const state = 'plain'
    await workspace.done(['run', '--state', state, '--quiet'], SCRIPT)
    const before = [await shown('HIVE', state), await shown('MONGODB', state)]
    const ended = await repair(state)
    expect(ended).toMatchObject({ status: 0 })
    expect(ended.err).toContain('4 rows differ: 4 settled by their stamps')
    await expectEqual(state)
    expect(await rows('HIVE', state)).toMatch(/^s2,c1,\\N,\\N,[^,]*Z@MONGODB$/m)
    expect((await workspace.done(['oplog', 'MONGODB', '--state', state])).out).toMatch(
      /Z@HIVE, MONGODB\.SET\(\(s1,c1\), A\)/,
    )
    expect(await repair(state)).toMatchObject({ status: 0, err: expect.stringContaining('are equal') as string })
    const undo = (await readdir(workspace.path(`${state}/repairs`))).find((name) => name.endsWith('.undo.in'))!
    await workspace.done(['run', `${state}/repairs/${undo}`, '--state', state, '--quiet'])
    expect([await shown('HIVE', state), await shown('MONGODB', state)]).toEqual(before)
    // What was repaired, taken back, or repaired again is no news to the logs.
    await workspace.done(['run', '--state', state, '--quiet'], 'FULL_SYNC')
    await expectEqual(state)
  })

  it('writes a plan that run executes, and nothing else', async () => {
    const state = 'plan'
    await workspace.done(['run', '--state', state, '--quiet'], SCRIPT)
    const before = [await rows('HIVE', state), await rows('MONGODB', state)]
    expect(await repair(state, '--dry-run')).toMatchObject({ status: 0 })
    expect(await repair(state, '--plan', 'plan.in')).toMatchObject({ status: 0 })
    expect([await rows('HIVE', state), await rows('MONGODB', state)]).toEqual(before)
    const plan = await readFile(workspace.path('plan.in'), 'utf8')
    expect(plan.split('\n').filter((line) => !line.startsWith('#') && line !== '')).toHaveLength(4)
    expect(plan).toMatch(/^\S+ \S+Z@HIVE, MONGODB\.SET\(\(s4,c1\), "x, #y"\)$/m)
    expect(await readFile(workspace.path('undo.in'), 'utf8')).toContain('\nHIVE.SET((s2,c1), B)\n')
    await workspace.done(['run', 'plan.in', '--state', state, '--quiet'])
    await expectEqual(state)
    expectRefused(await repair(state, '--plan', 'x.in', '--dry-run'), 2, 'USAGE')
    expectRefused(await repair(state, '--plan', 'none/x.in'), 2, 'BAD_OUTPUT_FILE')
    expectRefused(await repair(state, '--prefer', 'postgresql'), 2, 'UNKNOWN_REPLICA')
    expectRefused(await workspace.run(['repair', 'hive', 'hive']), 2, 'SAME_REPLICA')
  })

  it.each([
    ['hive', 'forged'],
    ['mongodb', 'A'],
  ])(
    'I15: settles a value that changed under its stamp only by --prefer %s, with one new stamp',
    async (prefer, value) => {
      const state = `foreign-${prefer}`
      await workspace.done(['run', '--state', state, '--quiet'], `${SCRIPT}FULL_SYNC`)
      await byHand(state, "UPDATE student_course_grades SET grade = 'forged' WHERE student_id = 's1'")
      const before = await rows('HIVE', state)
      const left = await repair(state)
      expectRefused(left, 1, 'NOT_CONVERGED')
      expect(left.err).toContain('left as it is: student_course_grades (s1,c1): grade')
      expect(await rows('HIVE', state)).toBe(before)
      expect(await repair(state, '--prefer', prefer)).toMatchObject({ status: 0 })
      await expectEqual(state)
      expect(await rows('HIVE', state)).toMatch(new RegExp(`^s1,c1,${value},[^,]*Z@REPAIR,`, 'm'))
      const script = `FULL_SYNC\nHIVE.GET(s1,c1) = ${value}\nMONGODB.GET(s1,c1) = ${value}\n`
      await workspace.done(['run', '--state', state], script)
    },
  )

  it('brings back rows that were deleted by hand, also where the log still has them in memory', async () => {
    const state = 'deleted'
    const many = Array.from({ length: 300 }, (_, i) => `HIVE.SET((k${String(i)},c),v)\n`).join('')
    await workspace.done(
      ['run', '--state', state, '--quiet'],
      `${many}FULL_SYNC\nHIVE.SET((late,c),v)\nHIVE.SYNC\nMONGODB.SET((late,c),w)`,
    )
    await byHand(state, "DELETE FROM student_course_grades WHERE student_id IN ('k7', 'k8', 'late')")
    const ended = await repair(state)
    expect(ended, ended.err).toMatchObject({ status: 0 })
    await expectEqual(state)
    expect(await shown('HIVE', state)).toMatch(/^k7,c,v$/m)
    expect(await shown('HIVE', state)).toMatch(/^late,c,w$/m)
  })

  it('brings back by its plan too, which run executes, rows that the cache takes for flushed', async () => {
    const state = 'lost'
    // No other log has seen them: every session reads them back, and takes them for flushed.
    await workspace.done(
      ['run', '--state', state, '--quiet'],
      'HIVE.SET((s,c),v)\nHIVE.SET((t,c),v)\nHIVE.SET((u,c),v)\nHIVE.DELETE(u,c)',
    )
    await workspace.done(['copy', 'hive', 'mongo', '--state', state, '--quiet'])
    const before = await rows('HIVE', state)
    await byHand(state, "DELETE FROM student_course_grades WHERE student_id IN ('s', 'u')")
    expect(await repair(state, '--plan', 'lost.in')).toMatchObject({ status: 0 })
    expect((await workspace.done(['run', 'lost.in', '--state', state])).err).toContain('converged')
    expect(await rows('HIVE', state)).toBe(before)
    await expectEqual(state)
  })

  it('I15: settles values without stamps only by --prefer, and leaves them whole without it', async () => {
    const state = 'bare'
    await workspace.done(['run', '--state', state, '--quiet'], 'HIVE.SET((s1,c1),A)\nMONGODB.SET((s2,c1),B)\nFULL_SYNC')
    await byHand(
      state,
      `INSERT INTO student_course_grades (student_id, course_id, grade) VALUES ('new', 'c', 'by hand');
       UPDATE student_course_grades SET grade = 'forged', grade_stamp = NULL WHERE student_id = 's1'`,
    )
    const before = await rows('HIVE', state)
    expectRefused(await repair(state), 1, 'NOT_CONVERGED')
    expect(await rows('HIVE', state)).toBe(before)
    expect(await repair(state, '--prefer', 'hive')).toMatchObject({ status: 0 })
    await expectEqual(state)
    expect(await shown('MONGODB', state)).toBe('student_id,course_id,grade\nnew,c,by hand\ns1,c1,forged\ns2,c1,B\n')
    expect(await rows('MONGODB', state)).toMatch(/^new,c,by hand,[^,]*Z@REPAIR,/m)
    await byHand(state, "INSERT INTO student_course_grades (student_id, course_id, grade) VALUES ('x', 'c', 'by hand')")
    expect(await repair(state, '--prefer', 'mongo')).toMatchObject({ status: 0 })
    await expectEqual(state)
    expect(await shown('HIVE', state)).not.toContain('x,c')
    await workspace.done(['run', '--state', state], 'FULL_SYNC\nHIVE.GET(x,c) = none\nMONGODB.GET(s1,c1) = forged\n')
  })

  it('ends in order at Ctrl-C: rows are whole, the oplog and the undo script have them; again, it does the rest', async () => {
    const config = `tables: { wide: { key: { k: int64 }, values: { x: string, y: string } } }
replicas: { HIVE: { type: embedded-warehouse }, MONGODB: { type: embedded-documents } }
`
    await workspace.write('interrupted.yaml', config)
    const options = ['--config', 'interrupted.yaml', '--state', 'interrupted']
    const count = 40_000
    const script = Array.from(
      { length: count },
      (_, i) => `HIVE.SET(${String(i)}, {x: a${String(i)}, y: b${String(i)}})\n`,
    )
    await workspace.done(['run', ...options, '--quiet'], script.join(''))
    const started = workspace.start(['repair', 'hive', 'mongo', '--settle', '0', ...options])
    await started.shows('rows differ')
    started.child.kill('SIGINT')
    const ended = await started.ended
    expectRefused(ended, 130, 'INTERRUPTED')
    expect(ended.err).toContain('repair again for the rest')
    const names = await readdir(workspace.path('interrupted/repairs'))
    const undo = names.find((name) => name.endsWith('.undo.in'))!
    expect((await readFile(workspace.path(`interrupted/repairs/${undo}`), 'utf8')).split('\n')).toHaveLength(count + 2)
    const query = ['query', 'MONGODB', ...options, '--format', 'csv']
    const there = (await workspace.done(query)).out.trim().split('\n').slice(1)
    const logged = (await workspace.done(['oplog', 'MONGODB', ...options])).out
    expect(logged.split('\n').filter((line) => line.includes('.SET(')).length).toBeGreaterThanOrEqual(there.length)
    for (const line of there) expect(line).toMatch(/^(\d+),a\1,b\1$/)
    const again = await workspace.run(['repair', 'hive', 'mongo', '--settle', '0', ...options])
    expect(again, again.err).toMatchObject({ status: 0 })
    expect((await workspace.done(query)).out.trim().split('\n')).toHaveLength(count + 1)
  })

  it('brings back a row that the database lost while its own log has yet to be seen by others', async () => {
    const state = 'unseen'
    // MONGODB gets the row by a copy: no log but HIVE's has it, and every session reads it back.
    await workspace.done(['run', '--state', state, '--quiet'], 'HIVE.SET((s,c),v)\nHIVE.SET((t,c),v)')
    await workspace.done(['copy', 'hive', 'mongo', '--state', state, '--quiet'])
    await byHand(state, "DELETE FROM student_course_grades WHERE student_id = 's'")
    const ended = await repair(state)
    expect(ended, ended.err).toMatchObject({ status: 0 })
    await expectEqual(state)
    expect(await shown('HIVE', state)).toMatch(/^s,c,v$/m)
  })

  it('repairs a database that was restored from an older backup under a state directory that is gone', async () => {
    const state = 'backup'
    await workspace.done(['run', '--state', state, '--quiet'], 'HIVE.SET((s1,c1),A)\nHIVE.SET((s2,c1),B)\nFULL_SYNC')
    await cp(workspace.path(`${state}/databases`), workspace.path('saved'), { recursive: true })
    await workspace.done(
      ['run', '--state', state, '--quiet'],
      'MONGODB.SET((s1,c1),newer)\nMONGODB.SET((s3,c1),C)\nFULL_SYNC',
    )
    // MONGODB stays as it is, HIVE is the backup, and no log is left.
    await rm(workspace.path(`${state}/databases/hive`), { recursive: true })
    await cp(workspace.path('saved/hive'), workspace.path(`${state}/databases/hive`), { recursive: true })
    for (const name of await readdir(workspace.path(state))) {
      if (name.startsWith('oplogs.') || name === 'positions') await rm(workspace.path(`${state}/${name}`))
    }
    const ended = await repair(state)
    expect(ended, ended.err).toMatchObject({ status: 0 })
    await expectEqual(state)
    expect(await shown('HIVE', state)).toMatch(/^s1,c1,newer$/m)
    await workspace.done(['run', '--state', state], 'HIVE.GET(s1,c1) = newer\nHIVE.GET(s3,c1) = C\n')
  })

  it('repairs tables of several columns column by column', async () => {
    const config = `tables:
  first: { key: { k: string }, values: { v: string } }
  wide: { key: { a: int64, b: string }, values: { x: string, y: int64, z: json } }
replicas:
  HIVE: { type: embedded-warehouse }
  MONGODB: { type: embedded-documents }
`
    await workspace.write('wide.yaml', config)
    const options = ['--config', 'wide.yaml', '--state', 'wide']
    const script = `HIVE.wide.SET((1,"a b"), {x: one, y: 1})
MONGODB.wide.SET((1,"a b"), {y: 2, z: "{\\"q\\":[1]}"})
MONGODB.wide.SET((2,b), {x: \\N})
HIVE.wide.DELETE(3,c)
MONGODB.SET(only,first)
`
    await workspace.done(['run', ...options, '--quiet'], script)
    expect(
      (await workspace.run(['repair', 'mongo', 'hive', '--settle', '0', ...options, '--table', 'wide'])).status,
    ).toBe(0)
    const wide = async (replica: string) =>
      (await workspace.done(['query', replica, ...options, '--table', 'wide', '--stamps', '--format', 'csv'])).out
    expect(await wide('HIVE')).toBe(await wide('MONGODB'))
    expect(await wide('HIVE')).toMatch(/^1,a b,one,[^,]*@HIVE,2,[^,]*@MONGODB,/m)
    expect((await workspace.done(['query', 'HIVE', ...options, '--format', 'csv'])).out).toBe('k,v\n')
    const ended = await workspace.run(['repair', 'mongo', 'hive', '--settle', '0', ...options, '--quiet'])
    expect(ended).toMatchObject({ status: 0, err: '' })
    expect((await workspace.done(['query', 'HIVE', ...options, '--format', 'csv'])).out).toBe('k,v\nonly,first\n')
  })
})

describe('merganser copy', () => {
  it('fills a database, says what it did, and what is not in the first one yet', async () => {
    const state = 'copy'
    await workspace.done(['run', '--state', state, '--quiet'], SCRIPT)
    await workspace.done(['run', '--state', state, '--quiet', '--no-flush'], 'HIVE.SET((s9,c1),pending)')
    const ended = await workspace.done(['copy', 'hive', 'mongo', '--state', state])
    expect(ended.err).toContain("HIVE: 1 record of its oplog isn't in its database yet")
    expect(ended.err).toMatch(/^student_course_grades: 3 rows read, 2 written, 0 rejected/m)
    expect(await shown('MONGODB', state)).toBe('student_id,course_id,grade\ns1,c1,A\ns3,c1,C\ns4,c1,"x, #y"\n')
    expect((await workspace.done(['oplog', 'MONGODB', '--state', state])).out).toContain(
      '# copy student_course_grades of HIVE rows 3',
    )
    expectRefused(await workspace.run(['copy', 'hive', 'hive']), 2, 'SAME_REPLICA')
    expectRefused(await workspace.run(['copy', 'hive', 'nobody']), 2, 'UNKNOWN_REPLICA')
  })
})

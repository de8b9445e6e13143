import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import type { Report } from '../../src/index.ts'
import { Workspace } from './support.ts'

const workspace = await Workspace.create()

const SCRIPT = `HIVE.SET((SID1,CSE1), A)
MONGO.SET((SID1,CSE1), B)   # the later one
HIVE.SET((SID2,"it's #2"), C)
MONGO.DELETE((SID3,CSE1))
HIVE.MERGE(MONGO)
HIVE.GET((SID1,CSE1)) = B
FULL_SYNC
MONGO.GET((SID2,"it's #2")) = C
MONGO.GET((SID3,CSE1)) = none
`
const RESULTS = `HIVE.GET((SID1,CSE1)) = B
MONGODB.GET((SID2,"it's #2")) = C
MONGODB.GET((SID3,CSE1)) = none
`

describe('merganser run', () => {
  it('writes GET lines only to standard output, everything else to standard error, and no colours in a pipe', async () => {
    await workspace.write('first.in', SCRIPT)
    const { out, err } = await workspace.done(['run', 'first.in', '--state', 'first'])
    expect(out).toBe(RESULTS)
    expect(err).toContain('3 SET, 3 GET (2 found), 1 DELETE, 1 MERGE, 1 FULL_SYNC')
    expect(err).toContain('3 expectations, all met')
    expect(err).toContain('1 conflict')
    expect(err).toContain("merganser oplog HIVE --key '(SID1,CSE1)' --state first")
    expect(err).toContain('converged: all replicas hold the same')
    expect(err).not.toContain('\u001b')
    expect(err).not.toContain('BUG')
  })

  it('shows no colours in a pipe, whatever the environment says', async () => {
    const { err } = await workspace.run(['check', '-'], { input: 'nonsense', env: { CI: 'true', FORCE_COLOR: '1' } })
    expect(err).toContain('SYNTAX')
    expect(err).not.toContain('\u001b')
  })

  it('goes on in a second run where the first ended', async () => {
    await workspace.done(['run', '--state', 'again'], 'HIVE.SET((a,b), 1)\n')
    const { out } = await workspace.done(['run', '--state', 'again'], 'HIVE.GET((a,b)) = 1\nMONGO.GET((a,b)) = none')
    expect(out).toBe('HIVE.GET((a,b)) = 1\nMONGODB.GET((a,b)) = none\n')
  })

  it('begins anew with --fresh, and keeps the old state aside', async () => {
    await workspace.done(['run', '--state', 'fresh'], 'HIVE.SET((a,b), 1)\n')
    const { out, err } = await workspace.done(['run', '--state', 'fresh', '--fresh'], 'HIVE.GET((a,b))\n')
    expect(out).toBe('HIVE.GET((a,b)) = none\n')
    const kept = /the old state is in (.*)/.exec(err)![1]!
    expect(existsSync(kept)).toBe(true)
  })

  it('reads standard input among several files, in order, up to an EXIT', async () => {
    await workspace.write('one.in', 'HIVE.SET((a,b), 1)\nHIVE.GET((a,b))\n')
    await workspace.write('three.in', 'HIVE.GET((a,b))\nEXIT\nHIVE.GET((no,no))\n')
    const { out } = await workspace.run(
      ['run', 'one.in', '-', 'three.in', 'one.in', '--state', 'several', '--dry-run'],
      {
        input: 'HIVE.SET((a,b), 2)\nHIVE.GET((a,b))',
      },
    )
    expect(out).toBe('HIVE.GET((a,b)) = 1\nHIVE.GET((a,b)) = 2\nHIVE.GET((a,b)) = 2\n')
  })

  it('ends with 1 where an expectation fails, and shows line, expected, got and its stamp', async () => {
    const ended = await workspace.run(['run', '--state', 'expect', '--dry-run'], {
      input: 'HIVE.SET((a,b), 1)\n\nHIVE.GET((a,b)) = 2\nHIVE.GET((a,b)) = none\nHIVE.GET((a,c)) = 1\n',
    })
    expect(ended.status).toBe(1)
    expect(ended.err).toMatch(
      /^<stdin>:3: EXPECTATION_FAILED: HIVE\.GET\(\(a,b\)\): expected 2, got 1, written 2\d{3}-.*Z@HIVE$/m,
    )
    expect(ended.err).toMatch(/^<stdin>:4: EXPECTATION_FAILED: .*expected none, got 1/m)
    expect(ended.err).toMatch(/^<stdin>:5: EXPECTATION_FAILED: .*expected 1, got none$/m)
    expect(ended.out.split('\n')).toHaveLength(4)
  })

  it('says with --quiet nothing but errors', async () => {
    const good = await workspace.done(['run', '--state', 'quiet', '--quiet'], SCRIPT)
    expect(good).toMatchObject({ out: '', err: '' })
    const bad = await workspace.run(['run', '--state', 'quiet', '--quiet'], { input: 'HIVE.GET((SID1,CSE1)) = Z\nNO' })
    expect(bad.status).toBe(2)
    expect(bad.out).toBe('')
    expect(bad.err).toContain('<stdin>:1: EXPECTATION_FAILED')
    expect(bad.err).toContain('<stdin>:2:1: SYNTAX')
  })

  it('stops at an error of the input: what came before is kept and flushed, what comes after is not run', async () => {
    const ended = await workspace.run(['run', '--state', 'stops'], {
      input: 'HIVE.SET((a,b), 1)\nHIVE.SIT((a,b), 2)\nHIVE.SET((a,b), 3)\n',
    })
    expect(ended.status).toBe(2)
    expect(ended.err.trimEnd().split('\n').slice(-4)).toEqual([
      '<stdin>:2:6: SYNTAX: SIT is no operation of a replica',
      '    HIVE.SIT((a,b), 2)',
      '         ^',
      '    did you mean SET?',
    ])
    expect(await workspace.log('HIVE', 'stops')).toEqual(['HIVE.SET((a,b), 1)'])
    const status = await workspace.done(['status', '--state', 'stops', '--json'])
    expect(JSON.parse(status.out)).toMatchObject({ replicas: [{ pending: 0 }, { pending: 0 }] })
  })

  it('goes on with --keep-going, shows each error and ends with 2', async () => {
    const ended = await workspace.run(['run', '--state', 'keep', '--keep-going', '--no-flush'], {
      input: 'HIV.SET((a,b), 1)\nHIVE.SET((a,b), 2)\nHIVE.SET((a), 3)\nHIVE.GET((a,b))\n',
    })
    expect(ended.status).toBe(2)
    expect(ended.out).toBe('HIVE.GET((a,b)) = 2\n')
    expect(ended.err).toMatch(/^<stdin>:1:1: UNKNOWN_REPLICA/m)
    expect(ended.err).toMatch(/^<stdin>:3:\d+: WRONG_COUNT/m)
    expect(ended.err).toContain('2 errors passed over')
  })

  it('writes the report as JSON', async () => {
    await workspace.done(['run', '--state', 'report', '--report', 'report.json'], SCRIPT)
    const report = JSON.parse(await readFile(workspace.path('report.json'), 'utf8')) as Report
    expect(report).toMatchObject({
      statements: { set: 3, get: 3, delete: 1, merge: 1, fullSync: 1 },
      conflicts: 1,
      expectations: 3,
      expectationsFailed: 0,
      converged: true,
      exitStatus: 0,
    })
    expect(report.replicas.map(({ name }) => name)).toEqual(['HIVE', 'MONGODB'])
    expect(report.replicas[0]!.digests).toEqual(report.replicas[1]!.digests)
  })

  it('I13: gives the same output at 1 and at 50 workers', async () => {
    const lines: string[] = []
    for (let i = 0; i < 400; i++) {
      const replica = i % 3 === 0 ? 'MONGO' : 'HIVE'
      lines.push(`${replica}.SET((k${String(i % 37)},c), ${String(i)})`, `HIVE.GET((k${String((i * 7) % 41)},c))`)
      if (i % 50 === 0) lines.push('HIVE.MERGE(MONGO)', 'MONGO.SYNC')
      if (i % 90 === 0) lines.push('FULL_SYNC', 'HIVE.UNDO')
    }
    await workspace.write('workers.in', lines.join('\n'))
    const one = await workspace.done(['run', 'workers.in', '--workers', '1', '--state', 'w1'])
    const fifty = await workspace.done(['run', 'workers.in', '--workers', '50', '--state', 'w50'])
    expect(one.out.split('\n').length).toBeGreaterThan(400)
    expect(fifty.out).toBe(one.out)
  })

  it('ends as usual where nobody reads its output any more', async () => {
    const lines = Array.from(
      { length: 20_000 },
      (_, i) => `HIVE.SET((k${String(i)},c), v)\nHIVE.GET((k${String(i)},c))`,
    )
    await workspace.write('pipe.in', lines.join('\n'))
    const started = workspace.start(['run', 'pipe.in', '--state', 'pipe', '--no-flush'])
    started.child.stdout.destroy()
    const { status, err } = await started.ended
    expect(status).toBe(0)
    expect(err).toContain('20,000 SET')
    expect(err).not.toContain('EPIPE')
  })
})

describe('merganser run --dry-run', () => {
  it('leaves no trace, and says what it would have written', async () => {
    const { out, err } = await workspace.done(['run', '--state', 'dry', '--dry-run'], SCRIPT)
    expect(out).toBe(RESULTS)
    expect(existsSync(workspace.path('dry'))).toBe(false)
    expect(err).toContain('dry run: nothing was written')
    expect(err).toMatch(/^HIVE +student_course_grades +3$/m)
    expect(err).toMatch(/^MONGODB +student_course_grades +3$/m)
  })

  it('changes nothing where there is a state, and reads the databases', async () => {
    await workspace.done(['run', '--state', 'dryer'], 'HIVE.SET((a,b), 1)\n')
    const before = await workspace.log('HIVE', 'dryer')
    const { out } = await workspace.done(
      ['run', '--state', 'dryer', '--dry-run'],
      'HIVE.GET((a,b))\nHIVE.SET((a,b), 2)\nHIVE.GET((a,b))\n',
    )
    expect(out).toBe('HIVE.GET((a,b)) = 1\nHIVE.GET((a,b)) = 2\n')
    expect(await workspace.log('HIVE', 'dryer')).toEqual(before)
    const again = await workspace.done(['run', '--state', 'dryer'], 'HIVE.GET((a,b))\n')
    expect(again.out).toBe('HIVE.GET((a,b)) = 1\n')
  })

  it('writes a plan that run executes to the same rows and stamps', async () => {
    await workspace.done(
      ['run', '--state', 'planned', '--dry-run', '--plan', 'plan.in', '--report', 'dry.json'],
      `${SCRIPT}HIVE.SET((weird,"a,\\"b\\n\\u0001"), \\N)\nHIVE.SET((weird,x), "")\n`,
    )
    const plan = await readFile(workspace.path('plan.in'), 'utf8')
    for (const line of plan.split('\n')) if (line !== '') expect(line).toMatch(/^(?:#|2\d{3}-\d\d-\d\d )/)
    await workspace.done(['check', 'plan.in'])
    await workspace.done(['run', 'plan.in', '--state', 'planned', '--report', 'real.json'])
    const [dry, real] = await Promise.all(
      ['dry.json', 'real.json'].map(async (name) => {
        return JSON.parse(await readFile(workspace.path(name), 'utf8')) as Report
      }),
    )
    expect(real!.replicas[0]!.digests).toEqual(dry!.replicas[0]!.digests)
    expect(real!.replicas.map(({ flushed }) => flushed)).toEqual(dry!.plan!.map(({ rows }) => rows))
  })
})

describe('merganser sync', () => {
  it('flushes what --no-flush left', async () => {
    const { err } = await workspace.done(['run', '--state', 'later', '--no-flush'], SCRIPT)
    expect(err).toContain('6 rows not flushed yet')
    expect(existsSync(workspace.path('later/databases'))).toBe(false)
    const before = JSON.parse((await workspace.done(['status', '--state', 'later', '--json'])).out) as object
    expect(before).toMatchObject({ replicas: [{ flushed: 0 }, { flushed: 0 }] })
    const synced = await workspace.done(['sync', '--state', 'later'])
    expect(synced.out).toBe('')
    expect(synced.err).toContain('nothing is pending')
    const after = JSON.parse((await workspace.done(['status', '--state', 'later', '--json'])).out) as object
    expect(after).toMatchObject({ replicas: [{ pending: 0 }, { pending: 0 }] })
    const read = await workspace.done(['run', '--state', 'later'], 'MONGO.GET((SID1,CSE1)) = B\n')
    expect(read.err).toContain('1 looked up')
  })

  it('has nothing to do where there is no state yet', async () => {
    const { err } = await workspace.done(['sync', '--state', 'never'])
    expect(err).toContain('nothing is pending')
  })
})

import { expect, test } from 'vitest'
import { expectTold } from '../product.ts'
import type { World } from '../faults.ts'

/** Wrong addresses, and others who use the database. */
export function strangerCases(world: World): void {
  test('a wrong address or password is told of in time, with what to do; no row is taken, nothing secret shown', async () => {
    const { product, subject } = world
    const { options: right, wrong } = await subject.database()
    const ways = Object.entries(wrong)
    await Promise.all(
      ways.map(async ([what, { options, codes }]) => {
        const at = await product.install(options, { retry: 1, beside: true })
        const ended = await at.run('REAL.SET((s1,c),A)\nREAL.SYNC\n')
        expect(ended.status, `${what}: ${ended.err}`).toBe(3)
        expectTold(ended, 3, codes)
      }),
    )
    // doctor looks at all of them at once.
    const more = Object.fromEntries(ways.map(([what, { options }]) => [what.toUpperCase(), options]))
    const doctor = await (
      await product.install(right, { more })
    ).command('doctor', '--timeout', '60', '--format', 'jsonl')
    expect(doctor.status, doctor.out).toBe(3)
    const problems = doctor.out.split('\n').flatMap((line) => {
      const { replica, level, advice } = JSON.parse(line || '{}') as Partial<Record<string, string>>
      return level === 'problem' ? [{ replica, told: advice !== undefined && advice.length > 10 }] : []
    })
    expect(new Set(problems.map(({ replica }) => replica))).toEqual(new Set(Object.keys(more)))
    expect(
      problems.every(({ told }) => told),
      doctor.out,
    ).toBe(true)
  })

  test('I9: the second of two on one database is refused by the name of the first, and comes in after its end', async () => {
    const { product, subject } = world
    const { options } = await subject.database()
    const [one, two] = [await product.install(options), await product.install(options)]
    const first = one.start('run')
    first.child.stdin.write('REAL.SET((s1,c),A)\nREAL.SYNC\nREAL.GET(s1,c)\n')
    await first.shows('= A')
    const refused = await two.run('REAL.SET((s1,c),B)\n')
    expectTold(refused, 3, ['DATABASE_LOCKED'])
    expect(refused.err).toContain(`pid ${String(first.child.pid)}`)
    expect((await one.command('doctor', 'REAL')).out).toMatch(/warning {2}lock: .*pid/)
    first.child.stdin.end('REAL.SET((s2,c),A)\n')
    expect(await first.ended).toMatchObject({ status: 0 })
    await two.runs('REAL.GET(s2,c) = A\nREAL.SET((s1,c),B)\n')
    expect(await one.rows()).toEqual(['s1,c,B', 's2,c,A'])
  })

  test('I9: killed, a session leaves a database that the next one takes over, with every row that was acknowledged', async () => {
    const { product, subject } = world
    const at = await product.install((await subject.database()).options)
    const first = at.start('run')
    first.child.stdin.write('REAL.SET((s1,c),A)\nREAL.SYNC\nREAL.SET((s2,c),A)\nREAL.GET(s2,c)\n')
    await first.shows('(s2,c)) = A')
    first.child.kill('SIGKILL')
    await first.ended
    await at.runs('REAL.GET(s2,c) = A\nREAL.DELETE(s1,c)\n')
    expect(await at.rows()).toEqual(['s2,c,A'])
  })
}

import { expect, test } from 'vitest'
import { expectTold } from '../product.ts'
import type { World } from '../faults.ts'

const MANY = 20_000

const rowsOf = (count: number): string[] => Array.from({ length: count }, (_, i) => `k${String(i).padStart(5, '0')}`)

/** The server dies, is away, or doesn't answer. */
export function outageCases(world: World): void {
  test('killed during a flush and started again, it holds every row in the end, and the run never notices', async () => {
    const { product, subject } = world
    const at = await product.install((await subject.database()).options)
    const { child, ended, shows } = at.start('run', '--report', 'report.json')
    child.stdin.write('REAL.SET((a,c),first)\nREAL.SYNC\nREAL.GET(a,c)\n')
    await shows('= first')
    const keys = rowsOf(MANY)
    // While it is stopped, nothing of the flush gets through.
    subject.server.pause()
    child.stdin.write(`${keys.map((key) => `REAL.SET((${key},c),v${key})\n`).join('')}REAL.SYNC\n`)
    await at.logged(`(${keys.at(-1)!},c)`)
    await subject.server.kill()
    await shows('trying again')
    await subject.server.start()
    child.stdin.end(`REAL.GET(${keys.at(-1)!},c)\n`)
    expect(await ended).toMatchObject({ status: 0 })
    expect((await at.report()).replicas[0]).toMatchObject({ name: 'REAL' })
    expect((await at.report()).replicas[0]!.retries).toBeGreaterThan(0)
    expect(await at.rows()).toEqual(['a,c,first', ...keys.map((key) => `${key},c,v${key}`)])
  })

  test.each([
    ['away', 'kill', 'start'],
    ['answering nothing', 'pause', 'resume'],
  ] as const)(
    '%s when a run starts, it fails in time; what was acknowledged comes with the next',
    async (_, down, up) => {
      const { product, subject } = world
      const database = await subject.database()
      const usual = await product.install(database.options)
      const hasty = await product.install(database.impatient, { retry: 1, state: usual.state })
      await usual.runs('REAL.SET((s1,c),A)\nREAL.SET((s2,c),A)\n')
      await subject.server[down]()
      try {
        const ended = await hasty.run('REAL.SET((s1,c),B)\nREAL.DELETE(s2,c)\nOTHER.SET((s3,c),C)\nOTHER.GET(s3,c)\n')
        expect(ended.out).toContain('OTHER.GET((s3,c)) = C')
        expectTold(ended, 3, ['DATABASE_UNREACHABLE', 'CONNECTION_LOST', 'TIME_LIMIT'])
        expect(ended.err).toContain('merganser sync')
        // A database that was never opened is asked first what it holds.
        const fresh = await product.install(database.impatient, { retry: 1 })
        expectTold(await fresh.run('REAL.SET((s1,c),B)\n'), 3, [
          'DATABASE_UNREACHABLE',
          'CONNECTION_LOST',
          'TIME_LIMIT',
        ])
      } finally {
        await subject.server[up]()
      }
      await usual.does('sync')
      expect(await usual.rows()).toEqual(['s1,c,B'])
      await usual.runs('FULL_SYNC\nREAL.GET(s3,c) = C\nREAL.GET(s2,c) = none\n')
      await usual.does('diff', 'REAL', 'OTHER')
    },
  )
}

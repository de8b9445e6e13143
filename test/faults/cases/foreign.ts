import { expect, test } from 'vitest'
import type { World } from '../faults.ts'

const TABLES = 'tables: { pairs: { key: { k: string }, values: { v: string, w: string } } }'

/** A row changed by hand, under its old stamp. */
export function foreignCases(world: World): void {
  test('I15: reported when read, met by a flush or compared, never overwritten by a flush of another column; repaired by choice', async () => {
    const { product, subject } = world
    const database = await subject.database()
    const at = await product.install(database.options, { tables: TABLES })
    await at.runs('REAL.SET(k, { v: one, w: two })\n')
    await database.change('pairs', ['k', 'k'], ['v', 'forged'])
    const told = /REAL: pairs \(?k\)? v was changed in the database under its stamp .*; it stays there as it is/
    const read = await at.run('REAL.GET(k)\n')
    expect(read, read.err).toMatchObject({ status: 0, err: expect.stringMatching(told) as string })
    const flushed = await at.run('REAL.SET(k, { w: three })\n', '--report', 'report.json')
    expect(flushed, flushed.err).toMatchObject({ status: 0, err: expect.stringMatching(told) as string })
    expect((await at.report()).replicas[0]).toMatchObject({ name: 'REAL', foreign: 1 })
    expect(await at.rows()).toEqual(['k,forged,three'])
    await at.runs('OTHER.MERGE(REAL)\n')
    const compared = await at.command('diff', 'REAL', 'OTHER', '--settle', '0', '--format', 'csv')
    expect(compared.status, compared.err).toBe(1)
    expect(compared.out).toMatch(/foreign.*forged/)
    expect((await at.command('repair', 'REAL', 'OTHER', '--settle', '0')).status).toBe(1)
    expect(await at.rows()).toEqual(['k,forged,three'])
    await at.does('repair', 'REAL', 'OTHER', '--settle', '0', '--prefer', 'OTHER')
    expect(await at.rows()).toEqual(['k,one,three'])
    await at.does('diff', 'REAL', 'OTHER')
  })
}

import { readdir, readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { expectTold } from '../product.ts'
import type { World } from '../faults.ts'
import type { Misfit } from '../subject.ts'

/** What the server can't or won't hold. */
export function refusalCases(world: World, misfits: readonly Misfit[]): void {
  test('a table of another shape is left as it is, and told of with its name', async () => {
    const { product, subject } = world
    const database = await subject.database()
    await database.misshape()
    const at = await product.install(database.options, { retry: 1 })
    const ended = await at.run('REAL.SET((s1,c),A)\n')
    expectTold(ended, 3, ['SCHEMA_MISMATCH'])
    expect(ended.err).toContain('student_course_grades')
  })

  test('I8: a value that its type there cannot hold is refused before it is logged; the rest goes on', async () => {
    const { product, subject } = world
    const columns = misfits.map(([type], i) => `v${String(i)}: '${type}'`).join(', ')
    const tables = `tables: { odd: { key: { k: string }, values: { ok: string, ${columns} } } }`
    const at = await product.install((await subject.database()).options, { tables })
    const lines = misfits.map(([, value], i) => `REAL.SET(k${String(i)}, { ok: a, v${String(i)}: ${value} })\n`)
    const ended = await at.run(`${lines.join('')}REAL.SET(k, { ok: b })\n`, '--keep-going')
    expect(ended.status, ended.err).toBe(2)
    expect(ended.err.match(/VALUE_REFUSED: REAL can't hold this value of v\d+ exactly/g)).toHaveLength(misfits.length)
    expect(await readFile(at.path(`${at.state}/oplogs.real`), 'utf8')).not.toMatch(/SET\(\(?k\d/)
    expect(await at.rows('REAL', '--columns', 'k,ok')).toEqual(['k,b'])
  })
}

/** Only for servers that check rows. */
export function checkedCases(world: World): void {
  test('a row that the server refuses is listed with the reason, the rest goes on; it arrives when it is let in', async () => {
    const { product, subject } = world
    const database = await subject.database()
    const at = await product.install(database.options)
    await at.runs('REAL.SET((s0,c),A)\n')
    await database.refuse!(true)
    const script = 'REAL.SET((s1,c),A)\nREAL.SET((s2,c),refused)\nOTHER.SET((s3,c),A)\nFULL_SYNC\n'
    const ended = await at.run(script, '--report', 'report.json')
    expect(ended.status, ended.err).toBe(1)
    const { quarantined } = (await at.report()).replicas[0]!
    expect(quarantined).toMatchObject([{ key: '(s2,c)' }])
    expect(quarantined[0]!.reason).toMatch(/refuses|rules/)
    expect(await at.rows()).toEqual(['s0,c,A', 's1,c,A', 's3,c,A'])
    const copied = await at.command('copy', 'OTHER', 'REAL')
    expectTold(copied, 1, ['ROWS_REJECTED'])
    const [rejects] = (await readdir(at.path(`${at.state}/copies`))).filter((name) => name.includes('reject'))
    const line = await readFile(at.path(`${at.state}/copies/${rejects!}`), 'utf8')
    expect(JSON.parse(line)).toMatchObject({
      key: { student_id: 's2', course_id: 'c' },
      values: { grade: 'refused' },
      reason: quarantined[0]!.reason,
    })
    await database.refuse!(false)
    // The cache doesn't take it for pending any more: it has to be said that it should be tried again.
    await at.does('repair', 'REAL', 'OTHER', '--settle', '0')
    expect(await at.rows()).toEqual(['s0,c,A', 's1,c,A', 's2,c,refused', 's3,c,A'])
    expect((await at.run('FULL_SYNC\n')).err).toContain('converged')
  })
}

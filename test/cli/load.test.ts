import { readFile } from 'node:fs/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { expectRefused, Workspace, type Ended } from './support.ts'

interface LoadReport {
  readonly converged: boolean
  readonly conflicts: number
  readonly load: {
    readonly rows: number
    readonly loaded: number
    readonly rejected: number
    readonly rejects?: string
  }
  readonly replicas: readonly {
    readonly name: string
    readonly merged: number
    readonly digests: Record<string, { readonly hash: string; readonly rows: number }>
  }[]
}

const CONFIG = `tables:
  grades:
    key: { student: string, course: string }
    values: { grade: string, points: int64, paid: "decimal(10,2)" }
replicas:
  HIVE: { type: embedded-warehouse }
  MONGODB: { type: embedded-documents }
`

let workspace: Workspace
beforeAll(async () => {
  workspace = await Workspace.create({ warm: true })
  await workspace.write('merganser.yaml', CONFIG)
})

const report = async (name: string) => JSON.parse(await readFile(workspace.path(name), 'utf8')) as LoadReport
const csv = async (replica: string, state: string, ...more: string[]): Promise<string> =>
  (await workspace.done(['query', replica, '--state', state, '--format', 'csv', ...more])).out
const load = (args: readonly string[], input?: string | Uint8Array): Promise<Ended> =>
  workspace.run(['load', ...args], input === undefined ? {} : { input })

const HEADER = 'student,course,grade,points,paid\n'

describe('merganser load', () => {
  it('I2: gives every replica the same rows and stamps, which conflict with nothing later', async () => {
    const state = 'same'
    await workspace.write('same.csv', `${HEADER}s1,c1,A,1,1.50\ns2,c1,,-2,\\N\ns1,c1,B,3,2\n`)
    await workspace.done(['load', 'mongo,hive', 'same.csv', '--state', state, '--report', 'same.json'])
    const { converged, load: counts, replicas } = await report('same.json')
    expect(counts).toMatchObject({ rows: 3, loaded: 3, rejected: 0 })
    expect(converged).toBe(true)
    expect(replicas[0]!.digests).toEqual(replicas[1]!.digests)
    const rows = await csv('HIVE', state, '--stamps')
    expect(rows).toBe(await csv('MONGODB', state, '--stamps'))
    expect(rows).toMatch(/^s1,c1,B,[^,]*Z@MONGODB,3,/m)
    expect(rows).not.toContain('@HIVE')
    // What is written over a loaded row was written by one who had seen it.
    const script = 'HIVE.SET((s1,c1),{grade: X})\nFULL_SYNC\nMONGODB.GET(s1,c1) = {grade: X, points: 3}\n'
    const run = ['run', '--state', state, '--report', 'after.json', '--quiet']
    await workspace.done(run, script)
    expect(await report('after.json')).toMatchObject({ conflicts: 0, converged: true })
  })

  it('walks no loaded row again in a merge', async () => {
    const lines = Array.from({ length: 500 }, (_, i) => `s${String(i)},c,A,1,1\n`)
    await load(['all', '-', '--state', 'walk', '--quiet'], HEADER + lines.join(''))
    await workspace.done(['run', '--state', 'walk'], 'FULL_SYNC')
    expect((await workspace.done(['oplog', 'HIVE', '--state', 'walk'])).out).not.toMatch(/merge MONGODB 1\.\./)
  })

  it('counts a conflict where a replica had not seen what the origin wrote before', async () => {
    const state = 'unseen'
    await workspace.done(['run', '--state', state], 'HIVE.SET(s,c,{grade: old})')
    const ended = await load(['HIVE,MONGODB', '-', '--state', state], `${HEADER}s1,c1,A,1,1\n`)
    expect(ended).toMatchObject({ status: 0 })
    expect(ended.err).toContain("MONGODB hasn't seen all that HIVE wrote before")
  })

  it('replays from each oplog into the same rows, stamps and digest', async () => {
    const state = 'replay'
    await workspace.done(['run', '--state', state], 'HIVE.SET(s1,c1,{grade: old, points: 7})\nFULL_SYNC')
    await workspace.write('replay.csv', `student,course,grade\ns1,c1,"q ""u"", #{}"\n"a\nb",c,\\N\ns1,c1,last\n`)
    await workspace.done(['load', 'all', 'replay.csv', '--state', state])
    for (const name of ['hive', 'mongodb']) {
      const again = `replay-${name}`
      const log = workspace.path(`${state}/oplogs.${name}`)
      await workspace.done(['run', log, '--state', again])
      expect(await csv(name, again, '--stamps')).toBe(await csv(name, state, '--stamps'))
    }
    await workspace.done(['run', '--state', state, '--report', 'a.json'], 'HIVE.DELETE(x,y)\nFULL_SYNC')
    await workspace.done(['run', workspace.path(`${state}/oplogs.hive`), '--state', 'b', '--report', 'b.json'])
    await workspace.done(['run', workspace.path(`${state}/oplogs.mongodb`), '--state', 'c', '--report', 'c.json'])
    const digests = async (name: string, at: number) => (await report(name)).replicas[at]!.digests
    expect(await digests('b.json', 0)).toEqual(await digests('c.json', 1))
    const log = await readFile(workspace.path(`${state}/oplogs.mongodb`), 'utf8')
    expect(log).toContain('# load "replay.csv" rows 3 rejected 0')
  })

  it('I8: puts what can not be loaded into the reject file with line and reason, and goes on', async () => {
    const state = 'rejects'
    const key = 'k'.repeat(3000)
    const bytes = Buffer.concat([
      Buffer.from(`\ufeff${HEADER}ok,1,A,1,1\r\nshort,1\r\nbad,1,"x"y,1,1\r\n`),
      Buffer.from('utf\xff,1,A,1,1\r\n', 'latin1'),
      Buffer.from(`int,1,A,1.5,1\r\n\\N,1,A,1,1\r\n${key},1,A,1,1\r\ndec,1,A,1,1.234\r\n`),
      Buffer.from('"\\N",1,A,1,1\r\n"$where\n__proto__","\'; DROP TABLE grades; --",../..,9223372036854775807,-0.10'),
    ])
    await workspace.write('hostile.csv', bytes)
    const ended = await load(['all', 'hostile.csv', '--state', state, '--report', 'hostile.json'])
    expectRefused(ended, 1, 'ROWS_REJECTED', 'hostile.csv.rejects.csv: ')
    expect((await report('hostile.json')).load).toMatchObject({ rows: 10, loaded: 3, rejected: 7 })
    const rejects = (await readFile(workspace.path('hostile.csv.rejects.csv'), 'latin1')).split('\n')
    expect(rejects.slice(0, 4)).toEqual([
      `merganser_line,merganser_reason,${HEADER.trim()}`,
      '3,"2 fields; the header has 5",short,1',
      '4,"text after a closing quote","bad,1,""x""y,1,1"',
      '5,"field 1 is no text in UTF-8",utf\xff,1,A,1,1',
    ])
    expect(rejects.slice(4).map((line) => line.slice(0, 30))).toEqual([
      expect.stringContaining('6,"column points (int64): '),
      '7,"key column student can\'t be',
      expect.stringContaining('8,"the key has 3005 bytes'),
      expect.stringContaining('9,"column paid (decimal): '),
      '',
    ])
    const rows = await csv('HIVE', state)
    expect(rows).toBe(await csv('MONGODB', state))
    expect(rows).toContain('"\\N",1,A,1,1\n')
    expect(rows).toContain(`"$where\n__proto__",'; DROP TABLE grades; --,../..,9223372036854775807,-0.1\n`)
    // Mended there, the file is loaded as it is.
    const mended = rejects.slice(0, 1).concat(rejects[4]!.replace('1.5', '15'), '')
    await workspace.write('mended.csv', mended.join('\n'))
    await workspace.done(['load', 'all', 'mended.csv', '--state', state])
    expect(await csv('HIVE', state)).toContain('int,1,A,15,1\n')
  })

  it('I8: refuses for all what one of the databases can not hold', async () => {
    const state = 'nul'
    await workspace.write(
      'mixed.yaml',
      'tables: { t: { key: { k: string }, values: { v: float64 } } }\nreplicas:\n' +
        '  HIVE: { type: embedded-warehouse }\n  MONGODB: { type: embedded-documents }\n  SQL: { type: embedded-postgres }\n',
    )
    const common = ['--config', 'mixed.yaml', '--state', state, '--no-flush']
    const ended = await load(['all', '-', ...common, '--rejects', 'nul.csv'], 'k,v\na\0b,1\nok,NaN\n')
    expectRefused(ended, 1, 'ROWS_REJECTED', 'nul.csv: ')
    for (const replica of ['HIVE', 'MONGODB', 'SQL']) {
      const { out } = await workspace.done(['oplog', replica, '--config', 'mixed.yaml', '--state', state])
      expect(out).toContain('SET((ok), NaN)')
      expect(out).not.toContain('SET(("a')
    }
  })

  it('stops after --max-rejects, and keeps what was loaded', async () => {
    const input = `${HEADER}s1,c,A,1,1\nx\ny\ns2,c,A,1,1\n`
    const args = ['HIVE', '-', '--state', 'most', '--max-rejects', '1', '--rejects', 'most.csv']
    const ended = await load(args, input)
    expectRefused(ended, 2, 'LIMIT', '<stdin>:4: ')
    expect(await csv('HIVE', 'most')).toBe(`${HEADER}s1,c,A,1,1\n`)
    expect((await readFile(workspace.path('most.csv'), 'utf8')).split('\n')).toHaveLength(4)
  })

  it('maps headers, takes another delimiter and null text, leaves other columns as they are', async () => {
    const state = 'map'
    await load(['HIVE', '-', '--state', state], `${HEADER}s1,c1,A,1,1\n`)
    const input = 'Who, really;WHAT;Final Grade\ns1;c1;-\ns2;c1;"-"\n'
    const args = ['--map', 'student=Who, really,course=what', '--map', 'grade=Final Grade', '--delimiter', ';']
    const ended = await load(['HIVE', '-', '--state', state, '--null', '-', ...args], input)
    expect(ended).toMatchObject({ status: 0 })
    expect(await csv('HIVE', state)).toBe(`${HEADER}s1,c1,\\N,1,1\ns2,c1,-,\\N,\\N\n`)
  })

  it('writes nothing anywhere under --dry-run', async () => {
    const { readdir } = await import('node:fs/promises')
    const before = await readdir(workspace.directory)
    const ended = await load(['all', '-', '--state', 'dry', '--dry-run'], `${HEADER}s1,c1,A,1,1\nx\n`)
    expectRefused(ended, 1, 'ROWS_REJECTED')
    expect(ended.err).toMatch(/MONGODB +grades +1/)
    expect(await readdir(workspace.directory)).toEqual(before)
  })

  it.each([
    ['an unknown replica', ['HIVES', '-'], HEADER, 'UNKNOWN_REPLICA', ''],
    ['a replica twice', ['HIVE,hive', '-'], HEADER, 'USAGE', ''],
    ['an unknown table', ['HIVE', '-', '--table', 'x'], HEADER, 'UNKNOWN_TABLE', ''],
    ['a missing file', ['HIVE', 'nowhere.csv'], '', 'BAD_INPUT_FILE', 'nowhere.csv: '],
    ['an empty file', ['HIVE', '-'], '', 'BAD_INPUT_FILE', '<stdin>:1: '],
    ['a key column without a header', ['HIVE', '-'], 'student,grade\n', 'UNKNOWN_COLUMN', '<stdin>:1: '],
    ['no value column', ['HIVE', '-'], 'student,course\n', 'UNKNOWN_COLUMN', '<stdin>:1: '],
    ['a header twice', ['HIVE', '-'], 'student,Student,STUDENT,course,grade,grade\n', 'AMBIGUOUS', '<stdin>:1: '],
    ['an unknown column in --map', ['HIVE', '-', '--map', 'grad=grade'], HEADER, 'UNKNOWN_COLUMN', '<stdin>:1: '],
    ['an unknown header in --map', ['HIVE', '-', '--map', 'grade=grad'], HEADER, 'UNKNOWN_COLUMN', '<stdin>:1: '],
    ['a delimiter of two characters', ['HIVE', '-', '--delimiter', ';;'], HEADER, 'USAGE', ''],
    [
      'a file that is none of rejects',
      ['HIVE', '-', '--rejects', 'merganser.yaml'],
      HEADER,
      'BAD_OUTPUT_FILE',
      'merganser.yaml: ',
    ],
  ])('refuses %s before anything is opened', async (_, args, input, code, place) => {
    expectRefused(await load([...args, '--state', 'refused'], input), 2, code, place)
    await expect(readFile(workspace.path('refused/lock'))).rejects.toThrow('ENOENT')
  })
})

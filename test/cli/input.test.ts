import { mkdir } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { expectRefused, Workspace } from './support.ts'

const workspace = await Workspace.create({ warm: true })

const far = '2200-01-01 00:00:00.000000000Z'

/** What it is, a line that is refused, the code, the column, and what else is shown. */
type BadLine = readonly [string, string, string, number, string?]

const LINES = (
  [
    ['an unknown replica', 'HIV.SET((a,b), 2)', 'UNKNOWN_REPLICA', 1, 'did you mean HIVE?'],
    ['an unknown replica in a MERGE', 'HIVE.MERGE(MONGOBD)', 'UNKNOWN_REPLICA', 12, 'did you mean MONGODB?'],
    ['an unknown table', 'HIVE.student_course_grade.SET((a,b), 2)', 'UNKNOWN_TABLE', 6, 'student_course_grades'],
    ['an unknown column', 'HIVE.SET((a,b), {grad: 2})', 'UNKNOWN_COLUMN', 18, 'did you mean grade?'],
    ['an unknown operation', 'HIVE.STE((a,b), 2)', 'SYNTAX', 6, 'did you mean SET?'],
    ['an unknown statement', 'FULL_SYNK', 'SYNTAX', 1, 'FULL_SYNC'],
    ['too few items', 'HIVE.SET((a), 2)', 'WRONG_COUNT', 16],
    ['too many items', 'HIVE.SET((a,b,c), 2)', 'WRONG_COUNT', 15],
    ['no value', 'HIVE.SET((a,b))', 'WRONG_COUNT', 15],
    ['a null in a key', 'HIVE.SET((a,\\N), 2)', 'BAD_VALUE', 13],
    ['an empty item', 'HIVE.SET((,b), 2)', 'SYNTAX', 11],
    ['no closing quote', 'HIVE.SET(("a,b), 2)', 'SYNTAX', 11],
    ['a lone surrogate', 'HIVE.SET(("\\ud800",b), 2)', 'BAD_VALUE', 12],
    ['a key that is too long', `HIVE.SET((${'k'.repeat(3000)},b), 2)`, 'LIMIT', 11],
    ['a key of 1 MiB', `HIVE.SET((${'k'.repeat(1024 * 1024)},b), 2)`, 'LIMIT', 1],
    ['a merge with itself', 'HIVE.MERGE(HIVE)', 'SAME_REPLICA', 12],
    ['a stamp from the far future', `${far}, HIVE.SET((a,b), 2)`, 'FUTURE_STAMP', 1],
    ['no stamp', '2026-13-01 00:00:00.000000000Z, HIVE.SET((a,b), 2)', 'BAD_STAMP', 1],
  ] as readonly BadLine[]
).map(([what, line, code, column, hint]) => ({ what, line, code, column, hint }))

describe('bad lines of a script', () => {
  it.each(LINES)(
    'refuses $what where it stands, and keeps what came before',
    async ({ what, line, code, column, hint }) => {
      const state = what.replaceAll(' ', '-')
      const ended = await workspace.run(['run', '--state', state, '--no-flush'], {
        input: `HIVE.SET((a,b), 1)\n${line}\nHIVE.SET((a,b), 3)\n`,
      })
      const at = code === 'FUTURE_STAMP' ? '<stdin>:2' : `<stdin>:2:${String(column)}: ${code}`
      expectRefused(ended, 2, code, at.split(` ${code}`)[0])
      if (line.length < 60 && code !== 'FUTURE_STAMP') {
        expect(ended.err).toContain(`\n    ${line}\n    ${' '.repeat(column - 1)}^`)
      }
      if (hint !== undefined) expect(ended.err).toContain(hint)
      expect(ended.out).toBe('')
      expect(await workspace.log('HIVE', state)).toEqual(['HIVE.SET((a,b), 1)'])
    },
  )

  it('shows all of them with check, and runs nothing', async () => {
    await workspace.write('bad.in', `${LINES.map(({ line }) => line).join('\n')}\n`)
    const ended = await workspace.run(['check', 'bad.in', '--state', 'unused'])
    expect(ended.status).toBe(2)
    expect(ended.out).toBe('')
    LINES.forEach(({ code, column }, i) => {
      // Only a session has a clock.
      if (code === 'FUTURE_STAMP') return
      expect(ended.err).toContain(`bad.in:${String(i + 1)}:${String(column)}: ${code}: `)
    })
    expect(ended.err).toContain(
      `bad.in: ${String(LINES.length)} lines, 1 statement, ${String(LINES.length - 1)} errors`,
    )
  })

  it('refuses values that do not fit their types', async () => {
    await workspace.write(
      'typed.yaml',
      `tables:
  t:
    key: { id: int64 }
    values: { n: "decimal(5,2)", flag: boolean, day: date, at: timestamp(6), f: float64, j: json, raw: bytes }
replicas:
  HIVE: { type: embedded-warehouse }
`,
    )
    const cells = ['n: 1234.567', 'n: x', 'flag: maybe', 'day: 2026-02-30', 'at: noon', 'f: 1e', 'j: "{"', 'raw: "%%"']
    const lines = [...cells.map((cell) => `HIVE.SET((1), {${cell}})`), 'HIVE.SET((9223372036854775808), {n: 1})']
    const ended = await workspace.run(
      ['run', '--config', 'typed.yaml', '--state', 'typed', '--keep-going', '--no-flush'],
      { input: `HIVE.SET((1), {n: 1.5})\n${lines.join('\n')}\nHIVE.GET((1)) = {n: 1.5, flag: \\N}\n` },
    )
    expect(ended.status).toBe(2)
    lines.forEach((_, i) => {
      expect(ended.err).toMatch(new RegExp(`^<stdin>:${String(i + 2)}:\\d+: BAD_VALUE: `, 'm'))
    })
    expect(ended.err).toContain('1 expectation, all met')
  })

  it('refuses invalid UTF-8', async () => {
    const input = Buffer.concat([
      Buffer.from('HIVE.SET((a,b), 1)\nHIVE.SET((a,'),
      Buffer.from([0xff]),
      Buffer.from('), 2)\n'),
    ])
    const ended = await workspace.run(['run', '--state', 'utf8', '--no-flush'], { input })
    expectRefused(ended, 2, 'SYNTAX', '<stdin>:2:13: ')
    expect(await workspace.log('HIVE', 'utf8')).toEqual(['HIVE.SET((a,b), 1)'])
  })
})

describe('hostile keys and values', () => {
  it('I8: come back exactly from every database, or are refused before they are acknowledged', async () => {
    await workspace.write('three.yaml', 'workers: 6\n')
    const hostile = [
      '',
      "it's",
      '"quoted"',
      'line\nend\r\n',
      '\u0000',
      'a\u0000b',
      '../../etc/passwd',
      '__proto__',
      'constructor',
      '$where',
      '$gt',
      'a.b',
      "'; DROP TABLE student_course_grades; --",
      '\\',
      '\ufffe\uffff',
      '\u{1fffe}',
      '\ufeff',
      '\u202e',
      '\u{1f600}',
      'NULL',
      '\\N',
      ' blanks ',
      '#',
    ].map((text) => JSON.stringify(text))
    const replicas = ['HIVE', 'POSTGRESQL', 'MONGODB']
    const sets = hostile.flatMap((text) => replicas.map((name) => `${name}.SET((${text},${text}), ${text})`))
    const gets = hostile.flatMap((text) => replicas.map((name) => `${name}.GET((${text},${text})) = ${text}`))
    const flags = ['--config', 'three.yaml', '--state', 'hostile', '--keep-going', '--quiet']
    const first = await workspace.run(['run', ...flags], { input: sets.join('\n') })
    const refused = new Set(
      [...first.err.matchAll(/^<stdin>:(\d+).*VALUE_REFUSED: /gm)].map((match) => Number(match[1])),
    )
    expect(first.err.match(/^<stdin>/gm)).toHaveLength(refused.size)
    // Only what holds a NUL, and only PostgreSQL can't hold that.
    for (const line of refused) expect(sets[line - 1]).toMatch(/^POSTGRESQL.*\\u0000/)
    const kept = gets.filter((_, i) => !refused.has(i + 1))
    const second = await workspace.run(['run', ...flags.slice(0, -1)], { input: kept.join('\n') })
    expect(second.err).not.toContain('EXPECTATION_FAILED')
    expect(second.err).toContain(`${String(kept.length)} expectations, all met`)
    expect(second.err).toContain('looked up')
    expect(second.status).toBe(0)
  })
})

describe('bad files', () => {
  it('refuses a missing script before anything starts', async () => {
    await workspace.write('good.in', 'HIVE.SET((a,b), 1)\n')
    const ended = await workspace.run(['run', 'good.in', 'missing.in', '--state', 'missing'])
    expectRefused(ended, 2, 'BAD_INPUT_FILE', 'missing.in: ')
    expect((await workspace.run(['oplog', 'HIVE', '--state', 'missing'])).err).toContain('HIVE has no oplog yet')
  })

  it('refuses a directory', async () => {
    await mkdir(workspace.path('directory.in'))
    expectRefused(await workspace.run(['run', 'directory.in']), 2, 'BAD_INPUT_FILE', 'directory.in: ')
    expectRefused(await workspace.run(['check', 'directory.in']), 2, 'BAD_INPUT_FILE', 'directory.in: ')
  })

  it('refuses a file whose reading fails', async () => {
    // It can be opened, also by root, and not be read.
    const ended = await workspace.run(['run', '/proc/self/mem', '--state', 'unreadable', '--no-flush'])
    expectRefused(ended, 2, 'BAD_INPUT_FILE', '/proc/self/mem: ')
  })

  it('refuses binary files', async () => {
    const bytes = Buffer.from(Array.from({ length: 20_000 }, (_, i) => (i * 131 + 7 * (i >> 3)) & 0xff))
    await workspace.write('binary.in', bytes)
    expectRefused(await workspace.run(['run', 'binary.in', '--dry-run', '--quiet']), 2, 'SYNTAX', 'binary.in:1:')
    expect((await workspace.run(['check', 'binary.in'])).status).toBe(2)
  })

  it('refuses outputs that can not be written, before anything starts', async () => {
    await workspace.write('script.in', 'HIVE.SET((a,b), 1)\n')
    for (const [file, code] of [
      ['no/such/report.json', 'BAD_OUTPUT_FILE'],
      ['.', 'BAD_OUTPUT_FILE'],
      ['script.in', 'USAGE'],
    ] as const) {
      const ended = await workspace.run(['run', 'script.in', '--state', 'outputs', '--report', file])
      expectRefused(ended, 2, code)
    }
    expect((await workspace.run(['oplog', 'HIVE', '--state', 'outputs'])).err).toContain('HIVE has no oplog yet')
  })
})

describe('bad command lines', () => {
  it.each([
    ['an unknown command', ['rnu'], 'did you mean run?'],
    ['an unknown option', ['run', '--kep-going'], 'did you mean --keep-going?'],
    ['an option without its value', ['run', '--state'], '--state <dir>'],
    ['an empty name', ['run', '--state', ''], 'empty'],
    ['a wrong number', ['run', '--workers', 'many'], 'whole number from 1 to 1000'],
    ['too many workers', ['run', '--workers', '1001'], 'whole number from 1 to 1000'],
    ['options that exclude each other', ['run', '--fresh', '--dry-run'], "'--dry-run'"],
    ['a plan without a dry run', ['run', '--plan', 'x'], 'add --dry-run'],
    ['standard input twice', ['run', '-', '-'], 'once only'],
    ['too many arguments', ['status', 'HIVE'], 'too many arguments'],
    ['no replica', ['oplog'], 'HIVE, MONGODB'],
    ['an unknown shell', ['completion', 'tcsh'], 'bash, zsh, fish'],
  ])('refuses %s', async (_, args, hint) => {
    const ended = await workspace.run(args)
    expectRefused(ended, 2, 'USAGE')
    expect(ended.err).toContain(hint)
    expect(ended.out).toBe('')
  })

  it('refuses an unknown replica, table, key or stamp, and names the nearest', async () => {
    const replica = await workspace.run(['oplog', 'MONGDB'])
    expectRefused(replica, 2, 'UNKNOWN_REPLICA')
    expect(replica.err).toContain('did you mean MONGODB?')
    const table = await workspace.run(['oplog', 'HIVE', '--key', 'a,b', '--table', 'student_course_grade'])
    expectRefused(table, 2, 'UNKNOWN_TABLE')
    expect(table.err).toContain('did you mean student_course_grades?')
    expectRefused(await workspace.run(['oplog', 'HIVE', '--key', 'a,b,c']), 2, 'WRONG_COUNT')
    expectRefused(await workspace.run(['oplog', 'HIVE', '--since', 'yesterday']), 2, 'BAD_STAMP')
  })

  it('shows a stack with --debug only', async () => {
    const plain = await workspace.run(['run', 'no.in'])
    const debug = await workspace.run(['run', 'no.in', '--debug'])
    expect(plain.err).not.toMatch(/^\s+at /m)
    expect(debug.err).toMatch(/^\s+at /m)
    expect(debug.err).toContain(plain.err.split('\n')[0])
  })
})

describe('bad configurations', () => {
  it.each([
    ['a wrong type', 'workers: many\n', 'BAD_CONFIG', 'bad.yaml:1:10'],
    ['an unknown key', 'worker: 3\n', 'BAD_CONFIG', 'bad.yaml:1:1', 'did you mean workers?'],
    ['a list for a map', 'tables: [1, 2]\n', 'BAD_CONFIG', 'bad.yaml:1:9'],
    ['an unknown type of replica', 'replicas: { HIVE: { type: embeded-warehouse } }\n', 'BAD_CONFIG', 'bad.yaml:1:27'],
    [
      'a wrong column type',
      'tables: { t: { key: { a: strin }, values: { b: string } } }\n',
      'BAD_CONFIG',
      'bad.yaml:1:26',
    ],
    ['no YAML', 'a: [\n', 'BAD_CONFIG', 'bad.yaml:'],
    ['a variable that is not set', 'state: ${NO_SUCH_VARIABLE_HERE}\n', 'BAD_CONFIG', 'bad.yaml:1:8'],
  ])('refuses %s with its place', async (_, text, code, place, hint = '') => {
    await workspace.write('bad.yaml', text)
    for (const args of [['run', '--dry-run'], ['config'], ['status']]) {
      const ended = await workspace.run([...args, '--config', 'bad.yaml'], { input: 'HIVE.SET((a,b), 1)\n' })
      expectRefused(ended, 2, code, place)
      expect(ended.err).toContain(hint)
      expect(ended.out).toBe('')
    }
  })

  it('refuses a configuration file that is not there', async () => {
    expectRefused(await workspace.run(['status', '--config', 'no.yaml']), 2, 'BAD_CONFIG', 'no.yaml: ')
  })
})

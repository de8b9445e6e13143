import { readFile } from 'node:fs/promises'
import { parse } from 'csv-parse/sync'
import { beforeAll, describe, expect, it } from 'vitest'
import { expectRefused, Workspace } from './support.ts'

const CONFIG = `tables:
  things:
    key: { name: string, number: int64 }
    values: { text: string, amount: "decimal(20,4)", doc: json }
  others:
    key: { id: string }
    values: { v: string }
replicas:
  HIVE: { type: embedded-warehouse }
  POSTGRESQL: { type: embedded-postgres }
  MONGODB: { type: embedded-documents }
`
const SCRIPT = `HIVE.SET(same,1,{text: x, amount: 1.5, doc: "[1]"})
HIVE.SET(other,2,{text: old, amount: 1, doc: null})
HIVE.SET(deleted,3,{text: x, amount: 1, doc: null})
FULL_SYNC
HIVE.SET(here,-4,{text: "a, \\"b\\"", amount: 1, doc: "{}"})
HIVE.SET(other,2,{text: new})
HIVE.DELETE(deleted,3)
HIVE.DELETE(never,5)
MONGODB.SET(there,6,{text: \\N})
`
const FIND = ['--settle', '0']

let workspace: Workspace
beforeAll(async () => {
  workspace = await Workspace.create({ warm: true })
  await workspace.write('merganser.yaml', CONFIG)
  await workspace.done(['run'], SCRIPT)
})

const diff = (...args: string[]) => workspace.run(['diff', ...args, ...FIND])

describe('merganser diff', () => {
  it.each([
    ['POSTGRESQL', 'MONGODB'],
    ['SQL', 'HIVE'],
    ['mongo', 'hive'],
  ])('says that equal tables of %s and %s are', async (a, b) => {
    const ended = await diff(a, b, '--table', 'others')
    expect(ended).toMatchObject({ status: 0, out: '' })
    expect(ended.err).toMatch(/^0 rows compared, no differences/m)
    const some = await diff(a, b, '--where', 'name', '=', 'same')
    expect(some).toMatchObject({ status: 0, out: '' })
  })

  it('shows a line for each column that differs, and ends with status 1', async () => {
    const { status, out, err } = await diff('HIVE', 'POSTGRESQL', '--format', 'csv')
    expect(status).toBe(1)
    const records = parse(out, { relax_quotes: false })
    expect(records[0]).toEqual([
      ...['name', 'number', 'difference', 'column', 'HIVE', 'POSTGRESQL', 'HIVE_stamp', 'POSTGRESQL_stamp'],
    ])
    expect(records.slice(1).map((record) => record.slice(0, 6).join('|'))).toEqual([
      'deleted|3|only POSTGRESQL|text|\\N|x',
      'deleted|3|only POSTGRESQL|amount|\\N|1',
      'deleted|3|only POSTGRESQL|doc|\\N|null',
      'deleted|3|only POSTGRESQL|(deleted)|deleted|\\N',
      'here|-4|only HIVE|text|a, "b"|\\N',
      'here|-4|only HIVE|amount|1|\\N',
      'here|-4|only HIVE|doc|{}|\\N',
      'never|5|stamps only|(deleted)|deleted|\\N',
      'other|2|different|text|new|old',
    ])
    for (const stamp of [records[9]![6]!, records[9]![7]!]) expect(stamp).toMatch(/^\d{4}-.*Z@HIVE$/)
    expect(err).toMatch(/^5 rows compared, 1 only in HIVE, 1 only in POSTGRESQL, 1 different, 1 in stamps only$/m)
  })

  it('writes a table for people', async () => {
    const { out } = await diff('HIVE', 'MONGODB', '--columns', 'text', '--where', 'number > 0', '--values-only')
    const lines = out.split('\n').map((line) =>
      line
        .replace(/ \d{4}-\S+ \S+Z@/g, ' @')
        .replace(/ +/g, ' ')
        .trim(),
    )
    expect(lines).toEqual([
      'name number difference column HIVE MONGODB HIVE_stamp MONGODB_stamp',
      expect.stringMatching(/^-+( -+)+$/),
      'deleted 3 only MONGODB text \\N x \\N @HIVE',
      'deleted 3 only MONGODB (deleted) deleted \\N @HIVE \\N',
      'other 2 different text new old @HIVE @HIVE',
      'there 6 only MONGODB text \\N \\N \\N @MONGODB',
      '',
    ])
  })

  it('writes JSON lines with values as `query` writes them', async () => {
    const { out } = await diff('HIVE', 'MONGODB', '--format', 'jsonl')
    const rows = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(rows.map(({ kind }) => kind)).toEqual(['right-only', 'left-only', 'stamps', 'different', 'right-only'])
    expect(rows[1]).toMatchObject({
      key: { name: 'here', number: '-4' },
      columns: ['text', 'amount', 'doc'],
      moving: false,
      HIVE: { values: { text: 'a, "b"', amount: '1', doc: {} }, deleted: null },
      MONGODB: null,
    })
    expect(rows[2]).toMatchObject({ HIVE: { values: {}, deleted: expect.stringContaining('@HIVE') as string } })
  })

  it('stops at --limit and says so; --output takes a file; --quiet says nothing', async () => {
    const limited = await diff('HIVE', 'MONGODB', '--format', 'csv', '--limit', '1', '--output', 'found.csv')
    expect(limited).toMatchObject({ status: 1, out: '' })
    expect(limited.err).toMatch(/^stopped after 1 difference, there are more/m)
    const lines = (await readFile(workspace.path('found.csv'), 'utf8')).trimEnd().split('\n')
    expect(lines.slice(1).every((line) => line.startsWith('deleted,'))).toBe(true)
    expect(await diff('HIVE', 'MONGODB', '--limit', '1', '--quiet')).toMatchObject({ status: 1, err: '' })
  })

  it.each([
    [['HIVE', 'hive'], 'SAME_REPLICA'],
    [['HIVE', 'NOBODY'], 'UNKNOWN_REPLICA'],
    [['HIVE', 'SQL', '--table', 'nothing'], 'UNKNOWN_TABLE'],
    [['HIVE', 'SQL', '--columns', 'nothing'], 'UNKNOWN_COLUMN'],
    [['HIVE', 'SQL', '--where', 'amount', '>', 'x'], 'BAD_VALUE'],
    [['HIVE', 'SQL', '--where', 'amount'], 'USAGE'],
    [['HIVE', 'SQL', '--limit', '0'], 'USAGE'],
    [['HIVE'], 'USAGE'],
  ])('refuses %j', async (args, code) => {
    expectRefused(await workspace.run(['diff', ...args]), 2, code)
  })
})

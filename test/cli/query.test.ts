import { readFile } from 'node:fs/promises'
import { DuckDBInstance } from '@duckdb/node-api'
import { parse } from 'csv-parse/sync'
import { beforeAll, describe, expect, it } from 'vitest'
import { expectRefused, Workspace } from './support.ts'

const CONFIG = `tables:
  things:
    key: { name: string, number: int64 }
    values: { text: string, amount: "decimal(20,4)", size: float64, on: boolean, raw: bytes, day: date, at: timestamp(6), doc: json }
replicas:
  HIVE: { type: embedded-warehouse }
  POSTGRESQL: { type: embedded-postgres }
  MONGODB: { type: embedded-documents }
`
const REPLICAS = ['HIVE', 'POSTGRESQL', 'MONGODB'] as const
const ROWS = [
  'name,number,text,amount,size,on,raw,day,at,doc',
  'a,-10,,10.5,1e21,true,\\x00ff,2026-11-22,2026-11-22 10:00:00.5Z,"{""b"":1,""a"":[null]}"',
  'a,9,"\\N",9.25,-0,false,\\x,0001-01-01,2026-11-22 10:00:00Z,null',
  'a,10,\\N,\\N,\\N,\\N,\\N,\\N,\\N,\\N',
  '"\u{10000}",1,"quote "" and, comma",-9,NaN,true,\\xff,9999-12-31,0001-01-01 00:00:00Z,"""x"""',
  '\uffff,1,"line\r\nend",0.0001,5e-324,true,\\xab,2026-11-22,2026-11-22 10:00:00.05Z,[]',
  "'); DROP TABLE things; --,9223372036854775807,$where,-99999.5,2.5,false,\\x7f,2000-02-29,1970-01-01 00:00:00Z,{}",
].join('\n')

let workspace: Workspace
beforeAll(async () => {
  workspace = await Workspace.create({ warm: true })
  await workspace.write('merganser.yaml', CONFIG)
  await workspace.write('rows.csv', `${ROWS}\n`)
  await workspace.done(['load', 'all', 'rows.csv'])
  await workspace.done(['run'], 'HIVE.SET(gone,1,{text: x})\nHIVE.DELETE(gone,1)\nFULL_SYNC')
})

const query = (replica: string, ...args: string[]) => workspace.run(['query', replica, ...args])

/** What all three databases answer, which must be the same. */
async function all(...args: string[]): Promise<string> {
  const answers = await Promise.all(REPLICAS.map((replica) => query(replica, ...args)))
  for (const answer of answers) expect(answer).toMatchObject({ status: 0, out: answers[0]!.out })
  return answers[0]!.out
}

describe('merganser query', () => {
  it('gives the same CSV from every database, as it was loaded', async () => {
    const out = await all('--format', 'csv')
    const records = (text: string) => parse(text, { record_delimiter: ['\n'] })
    const sorted = records(ROWS).map((record) => record.map((text) => text.replace(/^-0$/, '-0')))
    expect(records(out)).toHaveLength(sorted.length)
    expect(out).toContain('\na,10,\\N,\\N,\\N,\\N,\\N,\\N,\\N,\\N\n')
    expect(out).toContain('\na,9,"\\N",9.25,')
    expect(out).not.toContain('gone')
    // By UTF-8 bytes and by value.
    const keys = records(out)
      .slice(1)
      .map(([name, number]) => `${name!} ${number!}`)
    expect(keys).toEqual([
      "'); DROP TABLE things; -- 9223372036854775807",
      'a -10',
      'a 9',
      'a 10',
      '\uffff 1',
      '\u{10000} 1',
    ])
  })

  it('gives rows that `load` reads back into the same', async () => {
    const { out } = await query('HIVE', '--format', 'csv')
    await workspace.run(['load', 'MONGODB', '-', '--state', 'again'], { input: out })
    expect((await query('MONGODB', '--state', 'again', '--format', 'csv')).out).toBe(out)
  })

  it('gives JSON lines with one kind of value in a column', async () => {
    const lines = (await all('--format', 'jsonl')).trimEnd().split('\n')
    const rows = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(rows[0]).toMatchObject({ number: '9223372036854775807', amount: '-99999.5', size: 2.5, on: false, doc: {} })
    expect(rows[5]).toMatchObject({
      name: '\u{10000}',
      text: 'quote " and, comma',
      size: 'NaN',
      raw: '\\xff',
      doc: 'x',
    })
    expect(rows[3]).toMatchObject({ number: '10', text: null, amount: null, on: null, doc: null })
  })

  it('shows deleted rows and stamps with --stamps only', async () => {
    const out = await all('--format', 'csv', '--stamps', '--columns', 'name,text', '--where', 'name = gone')
    expect(out).toMatch(/^name,text,text_stamp,deleted_stamp\ngone,\\N,\\N,\d{4}-.*Z@HIVE\n$/)
  })

  it.each([
    [
      ['name', '=', 'a'],
      ['-10', '9', '10'],
    ],
    [
      ['number', '>=', '10'],
      ['9223372036854775807', '10'],
    ],
    [['number<-5'], ['-10']],
    [
      ['amount', '<', '9.25'],
      ['9223372036854775807', '1', '1'],
    ],
    [['amount', '>', '9.25'], ['-10']],
    [['size = 0'], ['9']],
    [
      ['size', '>', '1e20'],
      ['-10', '1'],
    ],
    [['text', '=', '\\N'], ['10']],
    [['text', '=', '"\\\\N"'], ['9']],
    [['text = '], ['-10']],
    [
      ['text', '!=', '\\N'],
      ['9223372036854775807', '-10', '9', '1', '1'],
    ],
    [['name', '>', '\uffff'], ['1']],
    [
      ['on', '=', 'true'],
      ['-10', '1', '1'],
    ],
    [
      ['day', '<=', '2000-02-29'],
      ['9223372036854775807', '9'],
    ],
    [
      ['at', '>', '2026-11-22 10:00:00Z'],
      ['-10', '1'],
    ],
    [
      ['raw', '>=', '\\xab'],
      ['1', '1'],
    ],
    [['doc', '=', '{"a":[null],"b":1}'], ['-10']],
    [
      ['name', '=', 'a', '--where', 'number', '>', '-11', '--where', 'number', '!=', '9'],
      ['-10', '10'],
    ],
    [['name', '=', 'a', '--where', 'number', '=', '9'], ['9']],
    [['name', '=', "'); DROP TABLE things; --"], ['9223372036854775807']],
    [['text', '=', '$where'], ['9223372036854775807']],
  ])('finds the same with --where %j in every database', async (where, numbers) => {
    const out = await all('--format', 'csv', '--columns', 'number', '--where', ...where)
    expect(out.trimEnd().split('\n').slice(1)).toEqual(numbers)
  })

  it('writes a table for people by default, and no more rows than --limit', async () => {
    const out = await all('--columns', 'name,number,text', '--limit', '3')
    expect(out.split('\n').map((line) => line.trimEnd())).toEqual([
      'name                                    number  text',
      '-------------------------  -------------------  ------',
      "'); DROP TABLE things; --  9223372036854775807  $where",
      'a                                          -10',
      'a                                            9  "\\N"',
      '',
    ])
  })

  it('writes Parquet that DuckDB reads, and files', async () => {
    const ended = await query('MONGODB', '--format', 'parquet', '--output', 'exported', '--where', 'name = a')
    expect(ended).toMatchObject({ status: 0, out: '' })
    const instance = await DuckDBInstance.create(':memory:')
    const connection = await instance.connect()
    const files = `${workspace.path('exported/things')}/*.parquet`
    const reader = await connection.runAndReadAll(`SELECT number, text FROM '${files}' ORDER BY number`)
    expect(reader.getRows()).toEqual([
      [-10n, ''],
      [9n, '\\N'],
      [10n, null],
    ])
    connection.disconnectSync()
    instance.closeSync()
    await workspace.done(['query', 'HIVE', '--format', 'csv', '--output', 'rows.out'])
    expect(await readFile(workspace.path('rows.out'), 'utf8')).toBe((await query('HIVE', '--format', 'csv')).out)
  })

  it('ends quietly where nobody reads on', async () => {
    const ended = await workspace.run(['query', 'HIVE', '--format', 'csv'], { shell: 'exec > >(head -c 1)' })
    expect(ended).toMatchObject({ status: 0, err: '' })
  })

  it('finds nothing, and makes nothing, where there is no database', async () => {
    const answers = await Promise.all(REPLICAS.map((replica) => query(replica, '--state', 'none', '--format', 'csv')))
    for (const { status, out, err } of answers) {
      expect(status).toBe(0)
      expect(out).toBe('name,number,text,amount,size,on,raw,day,at,doc\n')
      expect(err).toContain('not there yet')
    }
    await expect(readFile(workspace.path('none'))).rejects.toThrow('ENOENT')
  })

  it('reads while another Merganser writes, but from the warehouse, which refuses', async () => {
    const { child, ended } = workspace.start(['run'])
    const running = ended.then(() => true)
    child.stdin.write('HIVE.SET(b,1,{text: x})\nFULL_SYNC\nSYNC\nHIVE.GET(b,1)\nMONGODB.GET(b,1)\n')
    await new Promise<void>((resolve) => {
      let seen = ''
      child.stdout.on('data', (text: string) => {
        seen += text
        if (seen.includes('MONGODB.GET')) resolve()
      })
    })
    const where = ['--format', 'csv', '--columns', 'text', '--where', 'name = b']
    expect(await query('MONGODB', ...where)).toMatchObject({ status: 0, out: 'text\nx\n' })
    expect(await query('POSTGRESQL', ...where)).toMatchObject({ status: 0, out: 'text\nx\n' })
    expectRefused(await query('HIVE', ...where), 3, 'DATABASE_LOCKED')
    child.stdin.end()
    expect(await running).toBe(true)
  })

  it.each([
    ['an unknown replica', ['HIV'], 'UNKNOWN_REPLICA'],
    ['an unknown table', ['HIVE', '--table', 'thing'], 'UNKNOWN_TABLE'],
    ['an unknown column', ['HIVE', '--columns', 'tex'], 'UNKNOWN_COLUMN'],
    ['a condition on an unknown column', ['HIVE', '--where', 'tex = a'], 'UNKNOWN_COLUMN'],
    ['a condition that is not whole', ['HIVE', '--where', 'text'], 'USAGE'],
    ['an unknown operator', ['HIVE', '--where', 'text', '~', 'a'], 'USAGE'],
    ['a value of another type', ['HIVE', '--where', 'number = x'], 'BAD_VALUE'],
    ['an order of nulls', ['HIVE', '--where', 'number < \\N'], 'USAGE'],
    ['an order of json', ['HIVE', '--where', 'doc < {}'], 'USAGE'],
    ['an unknown format', ['HIVE', '--format', 'xml'], 'USAGE'],
    ['Parquet without a directory', ['HIVE', '--format', 'parquet'], 'USAGE'],
    ['an output that is a directory', ['HIVE', '--output', '.'], 'BAD_OUTPUT_FILE'],
  ])('refuses %s', async (_, args, code) => {
    expectRefused(await workspace.run(['query', ...args]), 2, code)
  })
})

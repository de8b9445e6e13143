import { readFile } from 'node:fs/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { JsonLineReader } from '../../src/cli/load-json.ts'
import { expectRefused, Workspace } from './support.ts'

const CONFIG = `tables:
  everything:
    key: { id: string, n: int64 }
    values: { s: string, i: int64, d: "decimal(34,10)", f: float64, b: boolean, y: bytes, t: timestamp, day: date, j: json }
replicas:
  HIVE: { type: embedded-warehouse }
  MONGODB: { type: embedded-documents }
`

let workspace: Workspace
beforeAll(async () => {
  workspace = await Workspace.create({ warm: true })
  await workspace.write('merganser.yaml', CONFIG)
})

const jsonl = async (replica: string, state: string): Promise<string> =>
  (await workspace.done(['query', replica, '--state', state, '--format', 'jsonl'])).out

describe('merganser load of JSON lines', () => {
  it('I8: keeps every digit, and what query writes it reads back the same', async () => {
    const lines = [
      '{"id":"a","n":9223372036854775807,"s":"x","i":-9223372036854775808,"d":123456789012345678901234.0123456789,"f":0.1}',
      '{"id":"b","n":"9007199254740993","i":"9007199254740993","d":"-0.0000000001","b":true,"y":"\\\\x00ff"}',
      '{"id":"c","n":-1,"s":"\\u00e9 \\"q\\" {},: \\n","t":"2026-11-22T15:11:21.5Z","day":"2026-11-22","j":{"z":[1,{"a":"}"}],"a":null}}',
      '{ "id" : "d" , "n" : 0 , "s" : null , "j" : "text" }',
    ]
    await workspace.write('in.jsonl', `\ufeff${lines.join('\r\n')}\r\n\r\n`)
    await workspace.done(['load', 'all', 'in.jsonl', '--state', 'first'])
    const written = await jsonl('HIVE', 'first')
    const rows = written.trim().split('\n')
    expect(rows).toHaveLength(4)
    expect(rows[0]).toContain(
      '"n":"9223372036854775807","s":"x","i":"-9223372036854775808","d":"123456789012345678901234.0123456789"',
    )
    expect(rows[1]).toContain('"n":"9007199254740993"')
    expect(rows[1]).toContain('"i":"9007199254740993","d":"-0.0000000001","f":null,"b":true,"y":"\\\\x00ff"')
    expect(JSON.parse(rows[2]!)).toMatchObject({ s: '\u00e9 "q" {},: \n', j: { z: [1, { a: '}' }], a: null } })
    expect(await jsonl('MONGODB', 'first')).toBe(written)
    await workspace.done(['load', 'hive', '-', '--format', 'jsonl', '--state', 'second'], written)
    expect(await jsonl('HIVE', 'second')).toBe(written)
  })

  it('leaves columns that an object does not have as they are, and takes members as mapped', async () => {
    const state = 'partial'
    await workspace.done(
      ['load', 'mongo', '-', '--format', 'jsonl', '--state', state],
      '{"id":"a","n":1,"s":"old","i":5}\n',
    )
    const args = ['load', 'mongo', '-', '--format', 'jsonl', '--state', state, '--map', 's=Some Text']
    const ended = await workspace.done(args, '{"ID":"a","N":1,"Some Text":"new","other":[1]}\n')
    expect(ended.err).toContain("members that are no column's were ignored: other")
    expect(await jsonl('MONGODB', state)).toContain('"s":"new","i":"5"')
  })

  it('puts refused lines into a reject file that can be mended and loaded', async () => {
    const bad = [
      '{"id":"a","n":1,"s":"fine"}',
      '{"id":"b","n":1.5,"s":"no integer"}',
      '{"id":"c","s":"no key"}',
      'not json',
      '[1,2]',
      '{"id":"d","n":1,"s":7}',
      '{"id":"e","n":1,"s":"x","S":"y"}',
      '{"id":"f","n":1}',
      '{"id":"g","n":1,"i":9223372036854775808}',
      '{"id":"h","n":1,"s":"\\ud800"}',
      '{}',
    ]
    await workspace.write('bad.jsonl', `${bad.join('\n')}\n`)
    const ended = await workspace.run(['load', 'mongo', 'bad.jsonl', '--state', 'bad'])
    expectRefused(ended, 1, 'ROWS_REJECTED', 'bad.jsonl.rejects.jsonl')
    expect(ended.err).toContain('11 rows read, 1 loaded, 10 rejected')
    const rejects = await readFile(workspace.path('bad.jsonl.rejects.jsonl'), 'utf8')
    const parsed = rejects
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(parsed.map((line) => line['merganser_line'])).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    expect(parsed[0]).toMatchObject({ id: 'b', merganser_reason: expect.stringContaining('column n') as string })
    expect(parsed[2]).toMatchObject({ merganser_raw: 'not json' })
    const mended = rejects.split('\n')[0]!.replace('1.5', '15')
    await workspace.done(['load', 'mongo', '-', '--format', 'jsonl', '--state', 'bad'], mended)
    expect(await jsonl('MONGODB', 'bad')).toContain('"id":"b","n":"15"')
    // The file of rejects is replaced by a later load of the same file, any other file is not.
    await workspace.run(['load', 'mongo', 'bad.jsonl', '--state', 'bad', '--quiet'])
    await workspace.write('bad.jsonl.rejects.jsonl', 'mine\n')
    expectRefused(await workspace.run(['load', 'mongo', 'bad.jsonl', '--state', 'bad']), 2, 'BAD_OUTPUT_FILE')
  })

  it('refuses a mapping of a column that is not there', async () => {
    const args = ['load', 'mongo', '-', '--format', 'jsonl', '--state', 'map', '--map', 'sx=y']
    expectRefused(await workspace.run(args, { input: '' }), 2, 'UNKNOWN_COLUMN')
  })
})

describe('JsonLineReader', () => {
  /** All records of a text that comes in blocks of a size: line, problem, members. */
  const read = (bytes: Buffer, size: number, most?: number) => {
    const reader = new JsonLineReader(most)
    const found: unknown[] = []
    const take = () => {
      while (reader.next()) {
        const { line, problem, names, values } = reader.record
        found.push([line, problem, ...names.map((name, i) => `${name}=${values[i]!}`)])
      }
    }
    for (let at = 0; at < bytes.length; at += size) {
      reader.push(bytes.subarray(at, at + size))
      take()
    }
    reader.end()
    take()
    return found
  }

  it('reads the same whatever the blocks', () => {
    const text = '\n{"a":1}\r\n  \n{ "b" : {"c":[1,"]"]} ,"d":"x\\\\" }\nnope\n{"e":-1.50e3,"f":[]}'
    const expected = [
      [2, undefined, 'a=1'],
      [4, undefined, 'b={"c":[1,"]"]}', 'd="x\\\\"'],
      [5, 'the line is not JSON'],
      [6, undefined, 'e=-1.50e3', 'f=[]'],
    ]
    for (const size of [1, 2, 3, 7, 1000]) expect(read(Buffer.from(text), size)).toEqual(expected)
  })

  it('passes over the rest of a line that is too long, and over bytes that are no text', () => {
    const bytes = Buffer.concat([
      Buffer.from(`{"a":"${'x'.repeat(100)}"}\n`),
      Buffer.from([0xff, 0x0a]),
      Buffer.from('{"b":2}'),
    ])
    for (const size of [1, 5, 1000]) {
      expect(read(bytes, size, 20)).toEqual([
        [1, 'a line has at most 20 bytes'],
        [2, 'the line is no text in UTF-8'],
        [3, undefined, 'b=2'],
      ])
    }
    expect(() => read(Buffer.from([0xff, 0xfe, 0x41]), 10)).toThrow(/UTF-16/)
  })
})

import { describe, expect, test } from 'vitest'
import { batchOf } from '../../src/core/batch.ts'
import type { StampedRow } from '../../src/core/batch.ts'
import { normalRow } from '../../src/core/row.ts'
import { RowInput } from '../../src/core/state.ts'
import { parseStamp, stampText, timeText } from '../../src/core/stamp.ts'
import { keyBytes } from '../../src/core/table.ts'
import { ByteBuffer } from '../../src/script/byte-buffer.ts'
import { LogLines } from '../../src/script/log-lines.ts'
import { LineParser } from '../../src/script/parser.ts'
import { Printer, printStatement } from '../../src/script/printer.ts'
import { StampReader, TimeWriter } from '../../src/script/stamps.ts'
import { Statement } from '../../src/script/statement.ts'
import { itemText } from '../../src/script/text.ts'
import { CATALOG, parse } from './support.ts'

const printer = new Printer(CATALOG)
const STAMP = parseStamp('2026-11-22 15:11:21.956711651Z@HIVE')!
const LATER = '2026-11-22 15:11:22.000000000Z'

function print(text: string): string {
  const statement = new Statement()
  const line = Buffer.from(text)
  new LineParser(CATALOG).parse(line, 0, line.length, statement)
  return printStatement(statement, CATALOG)
}

describe('one spelling', () => {
  test.each([
    ['hive . set(SID1 , CSE1, A)', 'HIVE.SET((SID1,CSE1), A)'],
    ['HIVE.SET(student_course_grades, grade, (a,b), c) # x', 'HIVE.SET((a,b), c)'],
    ['mongo.rooms.set("R 1", +040)', 'MONGODB.rooms.SET((R 1), 40)'],
    ['HIVE.SET(a,b,"")', 'HIVE.SET((a,b), "")'],
    ['HIVE.SET(a,b,\\N)', 'HIVE.SET((a,b), \\N)'],
    ['HIVE.SET(a,b,"\\\\N")', 'HIVE.SET((a,b), "\\\\N")'],
    ['HIVE.SET(a,b,none)', 'HIVE.SET((a,b), "none")'],
    ['HIVE.people.SET(7,{note:x,NAME:\\N})', 'HIVE.people.SET((7), {name: \\N, note: x})'],
    ['sql.get(a,b)', 'POSTGRESQL.GET((a,b))'],
    ['sql.get(a,b)=NONE', 'POSTGRESQL.GET((a,b)) = none'],
    ['sql.get(a,b)="None"', 'POSTGRESQL.GET((a,b)) = "None"'],
    ['HIVE.people.GET(7)={note:"a,b",born:\\N}', 'HIVE.people.GET((7)) = {born: \\N, note: "a,b"}'],
    ['HIVE.delete(a,b)', 'HIVE.DELETE((a,b))'],
    ['hive.merge(mongo)', 'HIVE.MERGE(MONGODB)'],
    ['007 , hive.sync()', '7, HIVE.SYNC'],
    ['full_sync()', 'FULL_SYNC'],
    ['3,', '3,'],
    ['', ''],
    [
      '2026-11-22 15:11:21.956711651Z@HIVE, HIVE.SET((SID1,CSE1), A)',
      '2026-11-22 15:11:21.956711651Z, HIVE.SET((SID1,CSE1), A)',
    ],
    ['2026-11-22 15:11:21.956711651Z@SQL, HIVE.GET(a,b)', '2026-11-22 15:11:21.956711651Z@SQL, HIVE.GET((a,b))'],
  ])('%j is printed as %j', (line, printed) => {
    expect(print(line)).toBe(printed)
    expect(print(printed)).toBe(printed)
  })

  test('text is bare where that reads back the same and shows what it is, else a JSON string', () => {
    for (const bare of [
      'A',
      'a b',
      "it's",
      'x=1',
      '12:30',
      '\\x00ff',
      '\\',
      'ä',
      '日本',
      '👩‍👩‍👧',
      '\u00a0',
      '__proto__',
      '$where',
      '../x',
      'nonesuch',
    ]) {
      expect(itemText(bare)).toBe(bare)
    }
    const quoted = {
      '': '""',
      ' a': '" a"',
      'a ': '"a "',
      'a\tb': '"a\\tb"',
      'a,b': '"a,b"',
      '#': '"#"',
      '(': '"("',
      '{}': '"{}"',
      'a"b': '"a\\"b"',
      '\n': '"\\n"',
      '\0': '"\\u0000"',
    }
    for (const [text, shown] of Object.entries(quoted)) expect(itemText(text)).toBe(shown)
    for (const hidden of [
      '\u007f',
      '\u0085',
      '\u2028',
      '\u2029',
      '\u202e',
      '\ufeff',
      '\u200b',
      '\ufffe',
      '\uffff',
      '\ufdd0',
      '\u{1ffff}',
      '\u{e0041}',
    ]) {
      expect(itemText(`ä${hidden}"`)).toMatch(/^"ä(?:\\u[0-9a-f]{4})+\\""$/)
      expect(JSON.parse(itemText(`ä${hidden}"`))).toBe(`ä${hidden}"`)
    }
  })

  test('rows are shown with all value columns, absent ones as none', () => {
    const register = (value: string | null) => ({ value, stamp: STAMP })
    expect(printer.rowText(0, undefined)).toBe('none')
    expect(printer.rowText(0, normalRow([undefined], STAMP))).toBe('none')
    expect(printer.rowText(0, normalRow([register(null)], undefined))).toBe('\\N')
    expect(printer.rowText(0, normalRow([register('none')], undefined))).toBe('"none"')
    expect(printer.rowText(2, normalRow([undefined, register('2001-01-01'), undefined], undefined))).toBe(
      '{name: \\N, born: 2001-01-01, note: \\N}',
    )
    expect(printer.getLine(0, 0, printer.keyText(0, ['SID1', 'CSE1']), 'A')).toBe('HIVE.GET((SID1,CSE1)) = A')
    expect(printer.setLine(0, 0, '(SID1,CSE1)', 'A', STAMP)).toBe(
      '2026-11-22 15:11:21.956711651Z, HIVE.SET((SID1,CSE1), A)',
    )
    expect(printer.deleteLine(1, 1, '(R1)', STAMP)).toBe(
      '2026-11-22 15:11:21.956711651Z@HIVE, POSTGRESQL.rooms.DELETE((R1))',
    )
  })
})

describe('log lines', () => {
  const log = new LogLines(CATALOG)

  /** The bytes that a log gets for a line of a script. */
  function logged(text: string, plain?: boolean): string {
    const statement = new Statement()
    const line = Buffer.from(`xx${text}`)
    new LineParser(CATALOG).parse(line, 2, line.length, statement)
    if (plain !== undefined) expect(statement.plain).toBe(plain)
    const out = new ByteBuffer(64)
    if (statement.op === 'get') log.read(out, statement, line, STAMP, 'A')
    else log.write(out, statement, line, STAMP)
    return out.toString()
  }

  test.each([
    ['1, hive.set((SID1,CSE1) ,  A- )', 'HIVE.SET((SID1,CSE1), A-)', true],
    ['HIVE.SET( SID1,CSE1 ,A)', 'HIVE.SET((SID1,CSE1), A)', true],
    ['HIVE.SET((SID1, CSE1), A)', 'HIVE.SET((SID1,CSE1), A)', false],
    ['HIVE.SET((SID1 ,CSE1), A)', 'HIVE.SET((SID1,CSE1), A)', false],
    ['HIVE.SET(("SID1",CSE1), A)', 'HIVE.SET((SID1,CSE1), A)', false],
    ['HIVE.SET((a,b), None)', 'HIVE.SET((a,b), "None")', false],
    ['HIVE.SET((none,b), x)', 'HIVE.SET(("none",b), x)', false],
    ['HIVE.GET(a, None)', 'HIVE.GET((a,"None")) = A', false],
    ['HIVE.SET((a,b), \\N)', 'HIVE.SET((a,b), \\N)', false],
    ['HIVE.SET((ä,b), ö)', 'HIVE.SET((ä,b), ö)', false],
    ['HIVE.SET(("a\\u0000",b), "\\n")', 'HIVE.SET(("a\\u0000",b), "\\n")', false],
    ['HIVE.SET(("",""), "")', 'HIVE.SET(("",""), "")', false],
    ['HIVE.people.SET(07, {note: x, name: \\N})', 'HIVE.people.SET((7), {name: \\N, note: x})', false],
    ['HIVE.delete(a,b)', 'HIVE.DELETE((a,b))', true],
    ['HIVE.get(a,b)', 'HIVE.GET((a,b)) = A', true],
    ['HIVE.rooms.set(("R,1"), 40)', 'HIVE.rooms.SET(("R,1"), 40)', false],
  ])('%j is logged as %j', (text, body, plain) => {
    expect(logged(text, plain)).toBe(`2026-11-22 15:11:21.956711651Z, ${body}\n`)
  })

  test('an origin stands where it is another than the replica of the line', () => {
    expect(logged('SQL.SET((a,b), c)')).toBe('2026-11-22 15:11:21.956711651Z@HIVE, POSTGRESQL.SET((a,b), c)\n')
  })

  test('an answer is the line without a stamp', () => {
    const statement = new Statement()
    const line = Buffer.from('4, hive.get(SID1,CSE1) = B')
    new LineParser(CATALOG).parse(line, 0, line.length, statement)
    const out = new ByteBuffer()
    log.answer(out, statement, line, 'none')
    expect(out.toString()).toBe('HIVE.GET((SID1,CSE1)) = none\n')
  })

  test('an input without a statement is a SET, without cells a DELETE', () => {
    const input = new RowInput()
    input.setKey(keyBytes(CATALOG.schema(1), ['R 1']))
    const out = new ByteBuffer()
    log.input(out, 0, 1, input, STAMP)
    input.addCell(0, '40')
    log.input(out, 0, 1, input, STAMP)
    const stamp = '2026-11-22 15:11:21.956711651Z'
    expect(out.toString()).toBe(`${stamp}, HIVE.rooms.DELETE((R 1))\n${stamp}, HIVE.rooms.SET((R 1), 40)\n`)
  })

  test('a row with k distinct stamps is k lines, by rising stamps, a tombstone a DELETE', () => {
    const early = stampText(STAMP)
    const late = `${LATER}@MONGODB`
    const cell = (value: string | null, stamp: string) => ({ value, stamp })
    const rows: StampedRow[] = [
      { key: ['7'], cells: [cell('x', late), cell(null, early), cell('none', late)], deleted: null },
      { key: ['8'], cells: [null, cell('2001-01-01', late), null], deleted: early },
      { key: ['9'], cells: [null, null, null], deleted: late },
      { key: ['10'], cells: [null, null, null], deleted: null },
      {
        key: ['11'],
        cells: [cell('a, b', `${LATER}@HIVE2`), cell(null, `${LATER}@HIVE`), cell('', early)],
        deleted: null,
      },
    ]
    const out = new ByteBuffer(64)
    expect(log.rows(out, 0, { table: 2, batch: batchOf(CATALOG.schema(2), rows) })).toBe(8)
    const stamp = '2026-11-22 15:11:21.956711651Z'
    expect(out.toString().split('\n')).toEqual([
      `${stamp}, HIVE.people.SET((7), {born: \\N})`,
      `${LATER}@MONGODB, HIVE.people.SET((7), {name: x, note: "none"})`,
      `${stamp}, HIVE.people.DELETE((8))`,
      `${LATER}@MONGODB, HIVE.people.SET((8), {born: 2001-01-01})`,
      `${LATER}@MONGODB, HIVE.people.DELETE((9))`,
      `${stamp}, HIVE.people.SET((11), {note: ""})`,
      `${LATER}, HIVE.people.SET((11), {born: \\N})`,
      `${LATER}@HIVE2, HIVE.people.SET((11), {name: "a, b"})`,
      '',
    ])
    for (const line of out.toString().trimEnd().split('\n')) expect(parse(line).stamp).toBeDefined()
  })

  test('times are written and read as core does, across seconds and at the ends', () => {
    const writer = new TimeWriter()
    const reader = new StampReader()
    const edges = [
      0n,
      1n,
      999_999_999n,
      1_000_000_000n,
      2n ** 63n - 1n,
      STAMP.time,
      STAMP.time + 1n,
      STAMP.time - 1_000_000_000n,
      0n,
    ]
    for (const time of edges) {
      const out = new ByteBuffer()
      writer.append(out, time)
      expect(out.toString()).toBe(timeText(time))
      expect(reader.time(out.bytes, 0, out.length)).toBe(time)
      expect(reader.time(out.bytes, 0, out.length - 1)).toBeUndefined()
    }
  })
})

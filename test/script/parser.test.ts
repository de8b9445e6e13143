import { describe, expect, test } from 'vitest'
import { DEFAULT_TABLE } from '../../src/core/table.ts'
import { Catalog } from '../../src/script/catalog.ts'
import { LineParser } from '../../src/script/parser.ts'
import { Statement } from '../../src/script/statement.ts'
import { CATALOG, PEOPLE, parse, problem, refusal, REPLICAS, ROOMS, table } from './support.ts'

const SET = {
  op: 'set',
  replica: 0,
  other: -1,
  table: 'student_course_grades',
  key: ['SID1', 'CSE1'],
  cells: [[0, 'A']],
}
const NANOS = 956711651n
const TIME = BigInt(Date.UTC(2026, 10, 22, 15, 11, 21)) * 1_000_000n + NANOS
const STAMP = '2026-11-22 15:11:21.956711651Z'

describe('spellings', () => {
  test.each([
    'HIVE.SET((SID1,CSE1), A)',
    'HIVE.SET(SID1,CSE1,A)',
    'hive.set((SID1,CSE1),A)',
    '  Hive . Set ( ( SID1 , CSE1 ) , A )  ',
    '\tHIVE\t.\tSET\t(\t(\tSID1\t,\tCSE1\t)\t,\tA\t)\t',
    'HIVE.SET(("SID1","CSE1"), "A")',
    'HIVE.SET(SID1, "CSE\\u0031", A)',
    'HIVE.SET((SID1,CSE1), {grade: A})',
    'HIVE.SET(SID1,CSE1,{ GRADE : A })',
    'HIVE.SET((SID1,CSE1), A) # and a comment',
    'HIVE.SET((SID1,CSE1), A)# ünd a comment',
    'HIVE.student_course_grades.SET((SID1,CSE1), A)',
    'HIVE.Student_Course_Grades . SET(SID1,CSE1,A)',
    'HIVE.SET(student_course_grades, SID1, CSE1, A)',
    'HIVE.SET(STUDENT_COURSE_GRADES, (SID1, CSE1), A)',
    'HIVE.SET(student_course_grades, (SID1, CSE1), {grade: A})',
    'HIVE.SET(student_course_grades, grade, SID1, CSE1, A)',
    'HIVE.SET(student_course_grades, Grade, (SID1, CSE1), A)',
    'HIVE.student_course_grades.SET(student_course_grades, grade, (SID1, CSE1), A)',
  ])('%s is one SET', (line) => {
    expect(parse(line)).toMatchObject(SET)
  })

  test('GET and DELETE take the key in both spellings, and a table as name or first item', () => {
    for (const op of ['GET', 'DELETE']) {
      for (const args of [
        '(SID1,CSE1)',
        'SID1,CSE1',
        'student_course_grades, SID1, CSE1',
        'student_course_grades,(SID1,CSE1)',
      ]) {
        const meant = { op: op.toLowerCase(), table: 'student_course_grades', key: ['SID1', 'CSE1'], cells: [] }
        expect(parse(`MONGODB.${op}(${args})`)).toMatchObject(meant)
      }
    }
  })

  test('a table with one key column takes it in parentheses or without', () => {
    const meant = { table: 'rooms', key: ['R1'], cells: [[0, '40']] }
    for (const args of [
      '.SET(rooms, (R1), 40)',
      '.rooms.SET(R1, 40)',
      '.rooms.SET((R1), +40)',
      '.SET(rooms,seats,R1,040)',
    ]) {
      expect(parse(`HIVE${args}`)).toMatchObject(meant)
    }
  })

  test('braces name any value columns in any order, and cells come in the order of the table', () => {
    const line = 'HIVE.people.SET(7, {note: "", BORN: 2001-02-03, name: \\N})'
    expect(parse(line)).toMatchObject({
      key: ['7'],
      cells: [
        [0, null],
        [1, '2001-02-03'],
        [2, ''],
      ],
    })
    expect(parse('HIVE.SET(people, born, 7, 2001-02-03)')).toMatchObject({ key: ['7'], cells: [[1, '2001-02-03']] })
  })

  test('operations without arguments may have empty parentheses', () => {
    const alone = [
      ['FULL_SYNC', 'fullSync'],
      ['SYNC', 'sync'],
      ['UNDO', 'undo'],
      ['COMMIT', 'commit'],
      ['ROLLBACK', 'rollback'],
      ['EXIT', 'exit'],
    ] as const
    for (const [word, op] of alone) {
      for (const line of [word, `${word}()`, ` ${word.toLowerCase()} ( ) # c`])
        expect(parse(line)).toMatchObject({ op, replica: -1, other: -1 })
    }
    for (const line of ['MONGO.SYNC', 'mongodb.sync()']) expect(parse(line)).toMatchObject({ op: 'sync', replica: 2 })
    expect(parse('SQL.UNDO ( )')).toMatchObject({ op: 'undo', replica: 1 })
  })

  test('MERGE names its source, by name or alias', () => {
    expect(parse('HIVE.MERGE(SQL)')).toMatchObject({ op: 'merge', replica: 0, other: 1 })
    expect(parse('mongo . merge ( hive )')).toMatchObject({ op: 'merge', replica: 2, other: 0 })
  })

  test('blank lines, comments and a prefix alone are no statements', () => {
    for (const line of ['', '  \t ', '# HIVE.SET(', '  # "', '12,', '12, # x'])
      expect(parse(line)).toMatchObject({ op: 'none', replica: -1 })
  })
})

describe('items', () => {
  const key = (line: string) => parse(line).key
  const value = (line: string) => parse(line).cells[0]?.[1]

  test('bare text is trimmed of blanks and tabs and of nothing else', () => {
    expect(value('HIVE.SET(a,b, \t x  y \t )')).toBe('x  y')
    expect(value('HIVE.SET(a,b,\u00a0x\u2003)')).toBe('\u00a0x\u2003')
    expect(value("HIVE.SET(a,b,it's = 5: [x] \\n)")).toBe("it's = 5: [x] \\n")
    expect(value('HIVE.SET(a,b,nul\0and\u0007bell)')).toBe('nul\0and\u0007bell')
  })

  test('a bare value in braces may hold a colon', () => {
    expect(value('HIVE.SET(a,b,{grade: 12:30})')).toBe('12:30')
  })

  test('keys and values are exact', () => {
    expect(key('HIVE.GET(sid1, Cse1)')).toEqual(['sid1', 'Cse1'])
    expect(value('HIVE.SET(a,b,NONE)')).toBe('NONE')
    expect(value('HIVE.SET(a,b,\\n)')).toBe('\\n')
  })

  test('JSON strings have their exact escapes', () => {
    expect(value('HIVE.SET(a,b,"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\uD83D\\ude00 # , ( ) { }")')).toBe(
      '"\\/\b\f\n\r\tä😀 # , ( ) { }',
    )
    expect(value('HIVE.SET(a,b,"\\u0000")')).toBe('\0')
    expect(value('HIVE.SET(a,b,"\u2028\u007f")')).toBe('\u2028\u007f')
  })

  test('the empty string is written "", also in a key', () => {
    expect(value('HIVE.SET(a,b,"")')).toBe('')
    expect(key('HIVE.GET("", "")')).toEqual(['', ''])
    expect(refusal('HIVE.GET(,b)')).toBe('SYNTAX@10')
    expect(refusal('HIVE.GET(a, )')).toBe('SYNTAX@13')
    expect(refusal('HIVE.SET((a,b),)')).toBe('SYNTAX@16')
    expect(refusal('HIVE.SET((a,b),   )')).toBe('SYNTAX@19')
    expect(refusal('HIVE.GET((a,b)) = # nothing')).toBe('SYNTAX@19')
  })

  test('\\N is null, "\\\\N" is the text, and a key can be neither null nor part null', () => {
    expect(value('HIVE.SET(a,b,\\N)')).toBeNull()
    expect(value('HIVE.SET(a,b, \\N )')).toBeNull()
    expect(value('HIVE.SET(a,b,"\\\\N")')).toBe('\\N')
    expect(key('HIVE.GET("\\\\N",b)')).toEqual(['\\N', 'b'])
    expect(refusal('HIVE.GET(a,\\N)')).toBe('BAD_VALUE@12')
  })

  test('I8: hostile keys are only text', () => {
    for (const text of [
      '__proto__',
      '$where',
      '../../etc/passwd',
      "';DROP TABLE x--",
      'constructor',
      '\ufffe\uffff',
      '😀',
      '\ufeff',
    ]) {
      expect(key(`HIVE.GET(${text}, ${JSON.stringify(text)})`)).toEqual([text, text])
    }
    expect(key('HIVE.GET("a\\"\\n\\u0000", "\\u0000\\u0001")')).toEqual(['a"\n\0', '\0\u0001'])
  })

  test('typed items are read into canonical text', () => {
    const line =
      'HIVE.everything.SET((a, +07, 1.50, TRUE, \\x00FF, 2026-01-02, 2026-01-02T03:04:05.600Z), {vf: 1e2, vj: "{\\"b\\": 1, \\"a\\": [ ]}", vb: False})'
    expect(parse(line)).toMatchObject({
      key: ['a', '7', '1.5', 'true', '\\x00ff', '2026-01-02', '2026-01-02 03:04:05.6Z'],
      cells: [
        [2, '100'],
        [4, 'false'],
        [8, '{"a":[],"b":1}'],
      ],
    })
  })

  test('composite keys may have any length', () => {
    const names = Array.from({ length: 120 }, (_, i) => [`k${String(i)}`, 'string'] as const)
    const catalog = new Catalog(REPLICAS, [table('wide', Object.fromEntries(names), { v: 'string' })])
    const items = names.map(([name]) => name)
    expect(parse(`HIVE.GET(${items.join(',')})`, catalog).key).toEqual(items)
    expect(parse(`HIVE.GET((${items.join(' , ')}))`, catalog).key).toEqual(items)
  })
})

describe('prefixes', () => {
  test('digits are a sequence number, whatever is behind them', () => {
    expect(parse('17, HIVE.SET((SID1,CSE1), A)')).toMatchObject({ ...SET, sequence: 17, stamp: undefined })
    expect(parse(' 0017 , FULL_SYNC')).toMatchObject({ op: 'fullSync', sequence: 17 })
    expect(parse('1795360281956711651, EXIT')).toMatchObject({ op: 'exit', sequence: 1795360281956711651n })
    expect(refusal('17 HIVE.SYNC')).toBe('SYNTAX@4')
    expect(refusal('17')).toBe('SYNTAX@3')
    expect(refusal(`${'9'.repeat(101)}, EXIT`)).toBe('LIMIT@1')
  })

  test("a stamp before SET, DELETE and GET is kept; its origin is the line's replica unless it names one", () => {
    expect(parse(`${STAMP}, HIVE.SET((SID1,CSE1), A)`)).toMatchObject({ ...SET, stamp: { time: TIME, origin: 'HIVE' } })
    expect(parse(`${STAMP}@MONGODB, HIVE.SET((SID1,CSE1), A)`)).toMatchObject({
      ...SET,
      stamp: { time: TIME, origin: 'MONGODB' },
    })
    expect(parse(`  ${STAMP}@POSTGRESQL_APP  ,SQL.DELETE(a,b)`)).toMatchObject({
      op: 'delete',
      replica: 1,
      stamp: { time: TIME, origin: 'POSTGRESQL_APP' },
    })
    expect(parse(`${STAMP}, SQL.GET(a,b) = none`)).toMatchObject({
      op: 'get',
      stamp: { time: TIME, origin: 'POSTGRESQL' },
    })
  })

  test('an origin is a name of its own: in capitals, and no alias', () => {
    expect(parse(`${STAMP}@hive, HIVE.GET(a,b)`).stamp?.origin).toBe('HIVE')
    expect(parse(`${STAMP}@sql, HIVE.GET(a,b)`).stamp?.origin).toBe('SQL')
  })

  test('a stamp before anything else is refused', () => {
    for (const rest of ['HIVE.MERGE(SQL)', 'FULL_SYNC', 'HIVE.UNDO', 'SYNC', '', '# c'])
      expect(refusal(`${STAMP}, ${rest}`)).toBe('BAD_STAMP@1')
  })

  test.each([
    '2026-11-22, HIVE.GET(a,b)',
    '2026-11-22 15:11:21Z, HIVE.GET(a,b)',
    '2026-11-22T15:11:21.956711651Z, HIVE.GET(a,b)',
    '2026-11-31 15:11:21.956711651Z, HIVE.GET(a,b)',
    '2026-02-29 15:11:21.956711651Z, HIVE.GET(a,b)',
    '2026-11-22 24:00:00.000000000Z, HIVE.GET(a,b)',
    '2026-11-22 15:60:21.956711651Z, HIVE.GET(a,b)',
    '2026-11-22 15:11:21.95671165xZ, HIVE.GET(a,b)',
    '2026-11-22 15:11:21.956711651z, HIVE.GET(a,b)',
    '1969-12-31 23:59:59.999999999Z, HIVE.GET(a,b)',
    '2262-04-11 23:47:16.854775808Z, HIVE.GET(a,b)',
    '9999-12-31 23:59:59.999999999Z, HIVE.GET(a,b)',
    `${STAMP}@, HIVE.GET(a,b)`,
    `${STAMP}@1, HIVE.GET(a,b)`,
  ])('%s has no stamp', (line) => {
    expect(refusal(line)).toBe('BAD_STAMP@1')
  })

  test('a stamp is checked as well where one of the same second was read before', () => {
    const parser = new LineParser(CATALOG)
    const statement = new Statement()
    const go = (text: string) => {
      const line = Buffer.from(text)
      parser.parse(line, 0, line.length, statement)
      return statement.stamp?.time
    }
    expect(go(`${STAMP}, HIVE.GET(a,b)`)).toBe(TIME)
    expect(go('2026-11-22 15:11:21.000000001Z, HIVE.GET(a,b)')).toBe(TIME - NANOS + 1n)
    expect(() => go('2026-11-22 15:11:21.00000000!Z, HIVE.GET(a,b)')).toThrow('no stamp')
    expect(() => go('2026-11-22 15:11:21.000000000X, HIVE.GET(a,b)')).toThrow('no stamp')
    expect(go('2262-04-11 23:47:16.854775807Z, HIVE.GET(a,b)')).toBe(2n ** 63n - 1n)
    expect(() => go('2262-04-11 23:47:16.854775808Z, HIVE.GET(a,b)')).toThrow('no stamp')
    expect(go('2262-04-11 23:47:16.854775806Z, HIVE.GET(a,b)')).toBe(2n ** 63n - 2n)
  })
})

describe('expectations', () => {
  test('an item is compared with the one value column, none with the absence of the row', () => {
    expect(parse('HIVE.GET((a,b)) = A').expected).toEqual({ columns: [0], texts: ['A'] })
    expect(parse('HIVE.GET(a,b)=  A b  # c').expected).toEqual({ columns: [0], texts: ['A b'] })
    expect(parse('HIVE.GET(a,b) = Ä').expected).toEqual({ columns: [0], texts: ['Ä'] })
    expect(parse('HIVE.GET(a,b) = \\N').expected).toEqual({ columns: [0], texts: [null] })
    expect(parse('HIVE.GET(a,b) = ""').expected).toEqual({ columns: [0], texts: [''] })
    for (const none of ['none', 'None', 'NONE', ' nOnE # c'])
      expect(parse(`HIVE.GET(a,b) = ${none}`).expected).toBe('none')
    expect(parse('HIVE.GET(a,b) = "none"').expected).toEqual({ columns: [0], texts: ['none'] })
    expect(parse('HIVE.GET(a,b) = {grade: none}').expected).toEqual({ columns: [0], texts: ['none'] })
    expect(parse('HIVE.GET(a,b)').expected).toBeUndefined()
  })

  test('of several value columns it may name some; values are read by their types', () => {
    expect(parse('HIVE.people.GET(7) = {born: \\N, name: x}').expected).toEqual({ columns: [0, 1], texts: ['x', null] })
    expect(parse('HIVE.rooms.GET(7) = +007').expected).toEqual({ columns: [0], texts: ['7'] })
    expect(refusal('HIVE.people.GET(7) = x')).toBe('WRONG_COUNT@22')
    expect(refusal('HIVE.people.GET(7) = {nme: x}')).toBe('UNKNOWN_COLUMN@23')
    expect(refusal('HIVE.rooms.GET(7) = many')).toBe('BAD_VALUE@21')
  })

  test('commas and parentheses need quotes; only GET has an expectation', () => {
    expect(refusal('HIVE.GET(a,b) = A, B')).toBe('SYNTAX@18')
    expect(refusal('HIVE.GET(a,b) = (A)')).toBe('SYNTAX@17')
    expect(refusal('HIVE.SET(a,b,c) = A')).toBe('SYNTAX@17')
    expect(problem('HIVE.DELETE(a,b) = none').advice).toContain('only GET')
  })
})

describe('tables as first items', () => {
  const one = table('grades', { id: 'string' }, { grade: 'string' })
  const catalog = new Catalog(REPLICAS, [DEFAULT_TABLE, one, PEOPLE, ROOMS])

  test('a first item is a table where the count fits only so', () => {
    expect(parse('HIVE.SET(grades, X, {grade: A})', new Catalog(REPLICAS, [PEOPLE, one]))).toMatchObject({
      table: 'grades',
      key: ['X'],
    })
    expect(parse('HIVE.GET(people, 7)', new Catalog(REPLICAS, [one, PEOPLE]))).toMatchObject({
      table: 'people',
      key: ['7'],
    })
    expect(parse('HIVE.GET(people)', new Catalog(REPLICAS, [one, PEOPLE]))).toMatchObject({
      table: 'grades',
      key: ['people'],
    })
  })

  test('where both fit, it is an error that shows both readings', () => {
    const error = problem('HIVE.SET(grades, X, A)', catalog)
    expect(error.code).toBe('AMBIGUOUS')
    expect(error.place.column).toBe(10)
    expect(error.message).toContain('HIVE.SET((grades,X), A)')
    expect(error.message).toContain('HIVE.grades.SET((X), A)')
    expect(problem('HIVE.GET(Grades, X)', catalog).message).toContain('HIVE.grades.GET((X))')
    expect(refusal('HIVE.DELETE(grades,X)', catalog)).toBe('AMBIGUOUS@13')
  })

  test('a column form that also fits the default table is an error', () => {
    const three = table('three', { a: 'string', b: 'string', c: 'string' }, { v: 'string' })
    const both = new Catalog(REPLICAS, [three, one])
    expect(problem('HIVE.SET(grades, grade, X, A)', both).message).toContain('HIVE.grades.SET((X), {grade: A})')
    expect(parse('HIVE.SET(grades, other, X, A)', both)).toMatchObject({
      table: 'three',
      key: ['grades', 'other', 'X'],
    })
  })

  test('both readings of an ambiguous line, as shown, parse as what they say', () => {
    expect(parse('HIVE.SET((grades,X), A)', catalog)).toMatchObject({
      table: 'student_course_grades',
      key: ['grades', 'X'],
    })
    expect(parse('HIVE.grades.SET((X), A)', catalog)).toMatchObject({ table: 'grades', key: ['X'] })
    expect(parse('HIVE.student_course_grades.SET(grades, X, A)', catalog)).toMatchObject({ key: ['grades', 'X'] })
  })

  test('a quoted item is never a table', () => {
    expect(parse('HIVE.SET("grades", X, A)', catalog)).toMatchObject({
      table: 'student_course_grades',
      key: ['grades', 'X'],
    })
    expect(refusal('HIVE.GET("grades", X, Y)', catalog)).toBe('WRONG_COUNT@23')
  })

  test('with a table named before the operation, the first item may repeat it and name no other', () => {
    expect(parse('HIVE.grades.SET(grades, X, A)', catalog)).toMatchObject({ table: 'grades', key: ['X'] })
    expect(refusal('HIVE.grades.SET(people, X, A)', catalog)).toBe('WRONG_COUNT@25')
  })
})

import { describe, expect, test } from 'vitest'
import { ErrorCodes, MerganserError } from '../../src/core/errors.ts'
import { located, problemAt, renderProblem } from '../../src/script/errors.ts'
import { DEFAULT_LIMITS } from '../../src/script/limits.ts'
import { nearestName } from '../../src/core/nearest.ts'
import { CATALOG, parse, problem, refusal } from './support.ts'

describe('refusals name what is wrong and where', () => {
  test.each([
    ['HVE.SET((a,b), c)', 'UNKNOWN_REPLICA@1', 'did you mean HIVE?'],
    ['HIVE.MERGE(MONGDB)', 'UNKNOWN_REPLICA@12', 'did you mean MONGODB?'],
    ['ORACLE.SYNC', 'UNKNOWN_REPLICA@1', 'the known replicas: HIVE, POSTGRESQL, MONGODB'],
    ['SLQ.SYNC', 'UNKNOWN_REPLICA@1', 'did you mean SQL?'],
    ['HIVE.rums.SET(a, 1)', 'UNKNOWN_TABLE@6', 'did you mean rooms?'],
    ['HIVE.SET(student_curse_grades, a, b, c)', 'UNKNOWN_TABLE@10', 'did you mean student_course_grades?'],
    ['HIVE.GET(studnt_course_grades, (a, b))', 'UNKNOWN_TABLE@10', 'did you mean student_course_grades?'],
    ['HIVE.people.SET(7, {nmae: x})', 'UNKNOWN_COLUMN@21', 'did you mean name?'],
    ['HIVE.people.SET(7, {age: 3})', 'UNKNOWN_COLUMN@21', 'the known value columns: name, born, note'],
    ['HIVE.SET(people, nme, 7, x)', 'UNKNOWN_COLUMN@18', 'did you mean name?'],
    ['HIVE.people.SET(7, {id: 8})', 'UNKNOWN_COLUMN@21', undefined],
    ['HIVE.people.SET(7, {name: x, NAME: y})', 'SYNTAX@30', undefined],
    ['HIVE.ST((a,b), c)', 'SYNTAX@6', 'did you mean SET?'],
    ['FULLSYNC', 'SYNTAX@1', 'did you mean FULL_SYNC?'],
    ['SET((a,b), c)', 'SYNTAX@1', 'write HIVE.SET(…)'],
    ['HIVE.FULL_SYNC', 'SYNTAX@6', undefined],
    ['HIVE.EXIT()', 'SYNTAX@6', undefined],
    ['HIVE', 'SYNTAX@5', undefined],
    ['HIVE.', 'SYNTAX@6', undefined],
    ['HIVE.rooms.', 'SYNTAX@12', undefined],
    ['HIVE.SET', 'SYNTAX@9', undefined],
    ['HIVE.rooms.SYNC', 'SYNTAX@12', undefined],
    ['HIVE.rooms.MERGE(SQL)', 'SYNTAX@12', undefined],
    ['HIVE.MERGE', 'SYNTAX@11', 'a merge is written like HIVE.MERGE(MONGODB)'],
    ['HIVE.MERGE()', 'SYNTAX@12', undefined],
    ['HIVE.MERGE(HIVE)', 'SAME_REPLICA@12', undefined],
    ['POSTGRESQL.MERGE(sql)', 'SAME_REPLICA@18', undefined],
    ['HIVE.SYNC(1)', 'SYNTAX@11', undefined],
    ['EXIT now', 'SYNTAX@6', undefined],
    ['HIVE.SET((a,b), c) d', 'SYNTAX@20', undefined],
    ['HIVE.SET((a,b), c))', 'SYNTAX@19', undefined],
    ['HIVE.SET((a,b), c', 'SYNTAX@18', undefined],
    ['HIVE.SET((a,b, c # )', 'SYNTAX@18', undefined],
    ['HIVE.SET()', 'SYNTAX@10', undefined],
    ['HIVE.SET((), c)', 'SYNTAX@11', undefined],
    ['HIVE.SET((a,b), {})', 'SYNTAX@18', undefined],
    ['HIVE.SET((a,b), {grade A})', 'SYNTAX@24', undefined],
    ['HIVE.SET((a,b), {grade: A)', 'SYNTAX@26', undefined],
    ['HIVE.SET((a,b))', 'WRONG_COUNT@15', undefined],
    ['HIVE.SET((a,b), c, d)', 'WRONG_COUNT@20', undefined],
    ['HIVE.SET((a,b), (c,d))', 'SYNTAX@17', undefined],
    ['HIVE.SET(a,b)', 'WRONG_COUNT@13', 'write HIVE.SET((student_id, course_id), grade)'],
    ['HIVE.SET(a,b,c,d)', 'WRONG_COUNT@14', undefined],
    ['HIVE.SET((a), c)', 'WRONG_COUNT@16', undefined],
    ['HIVE.GET(a)', 'WRONG_COUNT@11', 'write HIVE.GET((student_id, course_id))'],
    ['HIVE.GET((a,b,c))', 'WRONG_COUNT@15', undefined],
    ['HIVE.GET((a,b),c)', 'WRONG_COUNT@16', undefined],
    ['HIVE.GET((a,b),{grade: c})', 'SYNTAX@16', undefined],
    ['HIVE.SET({grade: c},a,b)', 'SYNTAX@10', undefined],
    ['HIVE.people.SET(7, x)', 'WRONG_COUNT@20', 'write HIVE.people.SET((id), {name: …, born: …, note: …})'],
    ['HIVE.SET(a"b,c,d)', 'SYNTAX@11', undefined],
    ['HIVE.SET("ab,c,d)', 'SYNTAX@10', undefined],
    ['HIVE.SET("a"b,c,d)', 'SYNTAX@13', undefined],
    ['HIVE.SET(a(b,c,d)', 'SYNTAX@11', undefined],
    ['HIVE.SET("\\x",c,d)', 'SYNTAX@11', undefined],
    ['HIVE.SET("\\u12",c,d)', 'SYNTAX@11', undefined],
    ['HIVE.SET("\\u12\x10\x11",c,d)', 'SYNTAX@11', undefined],
    ['HIVE.SET("\t",c,d)', 'SYNTAX@11', 'write it as \\t'],
    ['HIVE.SET("\\ud800",c,d)', 'BAD_VALUE@11', undefined],
    ['HIVE.SET("\\udc00\\ud800",c,d)', 'BAD_VALUE@11', undefined],
    ['HIVE.SET("\\ud800\\u0041",c,d)', 'BAD_VALUE@11', undefined],
    ['HIVE.SET(a\rb,c,d)', 'SYNTAX@11', undefined],
    ['HIVE.SET(a\nb,c,d)', 'SYNTAX@11', undefined],
    ['HIVE.rooms.SET((a), many)', 'BAD_VALUE@21', undefined],
    ['HIVE.rooms.SET((a), "")', 'BAD_VALUE@21', undefined],
    ['HIVE.people.GET(x)', 'BAD_VALUE@17', undefined],
    ['!', 'SYNTAX@1', undefined],
    ['-5, EXIT', 'SYNTAX@1', undefined],
  ])('%j is refused: %s', (line, code, advice) => {
    expect(refusal(line)).toBe(code)
    if (advice !== undefined) expect(problem(line).advice).toBe(advice)
    expect(ErrorCodes[problem(line).code]).toBe(2)
  })

  test('columns count characters, not bytes', () => {
    expect(refusal('HIVE.SET(äöü😀, b, c')).toBe('SYNTAX@20')
  })

  test('invalid UTF-8 is refused with its place, in comments too', () => {
    const line = (bytes: number[], before = 'HIVE.SET((ä,b), ') =>
      Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(')')])
    for (const bytes of [
      [0xff],
      [0xc3],
      [0xc0, 0x80],
      [0xed, 0xa0, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0x80],
      [0xe2, 0x82],
    ]) {
      expect(refusal(line(bytes))).toBe('SYNTAX@17')
      expect(refusal(line(bytes, 'HIVE.GET(a,b) # '))).toBe('SYNTAX@17')
    }
    expect(problem(line([0xff])).message).toBe('byte 0xff is no UTF-8 here')
  })

  test('a binary file ends in an error that says so', () => {
    const elf = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0xff, 0xfe])
    expect(problem(elf).advice).toContain('binary')
    const error = problem('PK\u0003\u0004\0\0')
    expect(error.advice).toContain('binary')
    expect(renderProblem(error)).toMatch(/^[^\p{Cc}]*\n[^\p{Cc}]*\n[^\p{Cc}]*\n[^\p{Cc}]*$/u)
  })

  test('limits: a key of 2,000 bytes, a value of 512 KiB, a line of 1 MiB; lower ones hold', () => {
    const key = (length: number) => `HIVE.GET((${'k'.repeat(length - 5)},b))`
    expect(parse(key(2000)).key?.[0]).toHaveLength(1995)
    expect(refusal(key(2001))).toBe('LIMIT@11')
    expect(refusal(`HIVE.GET((${'k'.repeat(1024 * 1024 - 40)},b))`)).toBe('LIMIT@11')
    expect(refusal(`HIVE.GET(("${'\\u0000'.repeat(998)}",b))`)).toBe('LIMIT@11')
    const value = (text: string) => `HIVE.SET((a,b), ${text})`
    expect(parse(value('v'.repeat(512 * 1024))).cells).toHaveLength(1)
    expect(refusal(value('v'.repeat(512 * 1024 + 1)))).toBe('LIMIT@17')
    expect(refusal(value('ä'.repeat(256 * 1024 + 1)))).toBe('LIMIT@17')
    expect(parse(`#${'c'.repeat(1024 * 1024 - 1)}`).op).toBe('none')
    expect(refusal(`#${'c'.repeat(1024 * 1024)}`)).toBe('LIMIT@1')
    const low = { keyBytes: 6, valueBytes: 3, lineBytes: 40 }
    expect(parse('HIVE.SET((a,b), xyz)', CATALOG, low).op).toBe('set')
    expect(refusal('HIVE.SET((aa,b), xyz)', CATALOG, low)).toBe('LIMIT@11')
    expect(refusal('HIVE.SET((a,b), wxyz)', CATALOG, low)).toBe('LIMIT@17')
    expect(refusal('HIVE.GET((a,b)) = wxyz', CATALOG, low)).toBe('LIMIT@19')
    expect(refusal(`HIVE.GET((a,b)) ${' '.repeat(40)}`, CATALOG, low)).toBe('LIMIT@1')
    expect(DEFAULT_LIMITS).toEqual({ keyBytes: 2000, valueBytes: 524288, lineBytes: 1048576 })
  })

  test('messages hold no values', () => {
    for (const line of [
      'HIVE.rooms.SET((a), secret)',
      'HIVE.people.GET(secret)',
      'HIVE.SET((secret,secret))',
      'HIVE.people.SET(7, secret)',
    ]) {
      expect(problem(line).message + (problem(line).advice ?? '')).not.toContain('secret')
    }
  })
})

describe('the shown form', () => {
  const shown = (line: string) => renderProblem(located(problem(line), 'a.in', 7)).split('\n')

  test('file:line:column: CODE: message, the line, a caret, the advice', () => {
    expect(shown('HVE.GET(a,b)')).toEqual([
      'a.in:7:1: UNKNOWN_REPLICA: there is no replica HVE',
      '    HVE.GET(a,b)',
      '    ^',
      '    did you mean HIVE?',
    ])
  })

  test('the caret stands under the column, behind tabs and wide characters', () => {
    const [, line, caret] = shown('\tHIVE.GET(日本\u0301, "b"x)')
    expect(line).toBe('    \tHIVE.GET(日本\u0301, "b"x)')
    expect(caret).toBe(`    \t${' '.repeat(9 + 4 + 5)}^`)
  })

  test('a long line is cut around the column', () => {
    for (const before of [0, 1, 40, 45, 46, 47, 70, 500]) {
      const [first, line, caret] = shown(`HIVE.SET((${'ä'.repeat(before)}a,b), c) @${'z'.repeat(200)}`)
      expect(first).toContain(`a.in:7:${String(10 + before + 9 + 1)}: SYNTAX`)
      expect(line?.length).toBeLessThan(140)
      expect(line?.[caret?.indexOf('^') ?? -1]).toBe('@')
    }
  })

  test('control characters and marks of direction are never printed', () => {
    const text = renderProblem(problem('HIVE.GET(\u001b[31m,\u202e,\u0007,\u0085,c)'))
    expect(text).not.toMatch(/[\u001b\u202e\u0007\u0085]/)
    expect(text).toContain('␛[31m')
  })

  test('an error without a place is shown without one', () => {
    expect(renderProblem(new MerganserError('USAGE', 'what?'))).toBe('USAGE: what?')
    expect(renderProblem(new MerganserError('BAD_CONFIG', 'what?', { place: { file: 'm.yaml', line: 3 } }))).toBe(
      'm.yaml:3: BAD_CONFIG: what?',
    )
  })

  test('a place that is known already stays', () => {
    const line = Buffer.from('x')
    const error = problemAt('SYNTAX', line, { start: 0, end: 1 }, 0, 'no')
    expect(located(located(error, 'a', 1), 'b', 2).place).toEqual({ file: 'a', line: 1, column: 1, text: 'x' })
  })
})

test('the nearest name is at most two edits away and shares half of the name', () => {
  const known = ['HIVE', 'POSTGRESQL', 'MONGODB']
  const cases = {
    HIEV: 'HIVE',
    hve: 'HIVE',
    HIVES: 'HIVE',
    POSTGRESSQL: 'POSTGRESQL',
    MOGNODB: 'MONGODB',
    X: undefined,
    HI: undefined,
    CASSANDRA: undefined,
    '': undefined,
  }
  for (const [name, near] of Object.entries(cases)) expect(nearestName(name, known)).toBe(near)
  expect(nearestName('a'.repeat(100_000), ['a'.repeat(100_000)])).toBeUndefined()
})

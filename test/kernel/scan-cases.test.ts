import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { timeText } from '../../src/core/stamp.ts'
import { DEFAULT_LIMITS } from '../../src/script/limits.ts'
import { contentsOf, NOW, Pair, type PairOptions } from './fast-pair.ts'
import { commonScripts } from './scan-lines.ts'

const SEED = 20261126

/** Runs lines on both sides; gives those that the kernel left to the parser. */
function leftOf(lines: readonly string[], options: PairOptions = {}): string[] {
  const pair = new Pair({ build: 'debug', ...options })
  pair.run(Buffer.from(lines.map((line) => `${line}\n`).join('')))
  for (const [replica, log] of pair.model.logs.entries()) {
    expect(pair.kernel.logs[replica]!.toString()).toBe(log.toString())
  }
  expect(pair.kernel.results.toString()).toBe(pair.model.results.toString())
  expect(contentsOf(pair.kernel.state)).toEqual(contentsOf(pair.model.state))
  return pair.handedBack
}

const NOW_TEXT = timeText(NOW)

describe('lines that the kernel takes', () => {
  test.each([
    'HIVE.SET((SID1,CSE1), A)',
    'HIVE.SET((SID1,CSE1),A)',
    "HIVE.SET((SID1,CSE1), !$%&'*+-./:;<=>?@[\\]^_`|~)",
    'HIVE.SET(SID1,CSE1,A)',
    'HIVE.SET(SID1, CSE1, A)',
    'hive.set( ( SID1 , CSE1 ) , A+ )  ',
    ' HIVE . SET ( (SID1,CSE1), {grade: A} )',
    'HIVE.student_course_grades.SET((SID1,CSE1), {GRADE : A})',
    '1, Mongo.SET((SID1,CSE1), two words)',
    '000000000000001,SQL.DELETE(SID1,CSE1)',
    'POSTGRESQL.GET((SID1,CSE1))',
    'POSTGRESQL.GET(SID1,CSE1)   # what is it?',
    'HIVE.rooms.SET(R1, -17)',
    'HIVE.rooms.SET((R1), 999999999999999999)',
    'HIVE.rooms.SET(R1, \\N)',
    'HIVE.people.SET(-5, {name: none, born: 2024-02-29})',
    'HIVE.people.SET(-5, {born: 2000-02-29})',
    `HIVE.people.SET(-5, {name${' '.repeat(40)}: a : b, NOTE :c:})`,
    'HIVE.measures.SET((a,0), {b: true, f: -0.5, d: 1234567.891, at: 2026-11-22 15:11:21.5Z, note: \\N})',
    `${NOW_TEXT}, HIVE.SET((SID1,CSE1), A)`,
    `${NOW_TEXT}@OTHER , HIVE.DELETE((SID1,CSE1))`,
    `HIVE.SET((${'k'.repeat(990)},${'l'.repeat(1006)}), ${'v'.repeat(60_000)})`,
    '# (remark) "with" anything, of = ASCII {}',
    '',
    '\r',
    'HIVE.SET((none,NONE), None)\r',
  ])('%s', (line) => {
    expect(leftOf([line, line.startsWith('2026') ? '' : line])).toEqual([])
  })
})

describe('lines that are left to the parser', () => {
  test.each([
    'HIVE.SET((SID1,CSE1), "A")',
    'HIVE.SET((SID1,CSE1), Ä)',
    'HIVE.SET((SID1,CSE1), A\x7f)',
    'HIVE.SET((SID1,CSE1), A\x1f)',
    'HIVE.SET((SID1,CSE1),\tA)',
    'HIVE.SET((SID1,\\N), A)',
    'HIVE.SET((SID1,CSE1), )',
    'HIVE.SET((SID1,), A)',
    'HIVE.SET((SID1,CSE1,x), A)',
    'HIVE.SET((SID1,CSE1), {grade: A, grade: B})',
    'HIVE.SET((SID1,CSE1), {nothing: A})',
    `HIVE.SET((SID1,CSE1), {grade${' '.repeat(70)}: A})`,
    'HIVE.SET((SID1,CSE1), {grade A})',
    'HIVE.SET((SID1,CSE1), {grade, x: A})',
    'HIVE.SET((SID1,CSE1), A) B',
    'HIVE.SET((SID1,CSE1), A) = B',
    'HIVE.SET(rooms, CSE1, A)',
    'HIVE.GET(ROOMS , CSE1)',
    'HIVE.GET(SID1,CSE1) = A',
    'HIVE.GET(SID1,CSE1) # ü',
    'HIVE.MERGE(MONGODB)',
    'FULL_SYNC',
    'ORACLE.SET((SID1,CSE1), A)',
    'HIVE.nothing.SET((SID1,CSE1), A)',
    '1234567890123456, HIVE.SET((SID1,CSE1), A)',
    '1 , HIVE.SET((SID1,CSE1), A)',
    '1, 2, HIVE.SET((SID1,CSE1), A)',
    'HIVE.rooms.SET(R1, +17)',
    'HIVE.rooms.SET(R1, 007)',
    'HIVE.rooms.SET(R1, -0)',
    'HIVE.rooms.SET(R1, 1000000000000000000)',
    'HIVE.people.SET((1), A)',
    'HIVE.people.SET(1, {born: 2023-02-29})',
    'HIVE.people.SET(1, {born: 2100-02-29})',
    'HIVE.people.SET(1, {born: 2024-04-31})',
    'HIVE.people.SET(1, {born: 1969-12-31})',
    'HIVE.people.SET(01, {name: A})',
    'HIVE.measures.SET((a,0), {f: 1e5})',
    'HIVE.measures.SET((a,0), {f: -0})',
    'HIVE.measures.SET((a,0), {f: 1.0})',
    'HIVE.measures.SET((a,0), {f: .5})',
    'HIVE.measures.SET((a,0), {f: 0.0000001})',
    'HIVE.measures.SET((a,0), {f: 1234567890123456})',
    'HIVE.measures.SET((a,0), {d: 12345678})',
    'HIVE.measures.SET((a,0), {d: 0.1234})',
    'HIVE.measures.SET((a,0), {b: TRUE})',
    'HIVE.measures.SET((a,0), {at: 2026-11-22 15:11:21.50Z})',
    'HIVE.measures.SET((a,0), {at: 2026-11-22 24:00:00Z})',
    'HIVE.measures.SET((a,0), {at: 2026-11-22T15:11:21Z})',
    '2026-11-22 15:11:60.000000000Z, HIVE.SET((SID1,CSE1), A)',
    '2026-02-29 15:11:21.000000000Z, HIVE.SET((SID1,CSE1), A)',
    '2262-01-01 00:00:00.000000000Z, HIVE.SET((SID1,CSE1), A)',
    '2026-11-22 15:11:21.00000000Z, HIVE.SET((SID1,CSE1), A)',
    `${NOW_TEXT}@, HIVE.SET((SID1,CSE1), A)`,
    `${NOW_TEXT} @HIVE, HIVE.SET((SID1,CSE1), A)`,
    `HIVE.SET((${'k'.repeat(1000)},${'l'.repeat(997)}), A)`,
    `HIVE.SET((SID1,CSE1), ${'v'.repeat(66_000)})`,
    '\ufeff',
    '# ü',
  ])('%s', (line) => {
    expect(leftOf([line])).toEqual([Buffer.from(line).toString('latin1')])
  })

  test('a stamp beyond the bound, and one that met another value', () => {
    const day = 86_400_000_000_000n
    const stamp = `${timeText(NOW - 5n)}@OTHER`
    expect(
      leftOf([
        `${timeText(NOW + day)}, HIVE.SET((a,b), at the bound)`,
        `${timeText(NOW + day + 1n)}, HIVE.SET((a,b), beyond)`,
        `${stamp}, HIVE.SET((c,d), one)`,
        `${stamp}, HIVE.SET((c,d), one)`,
        `${stamp}, HIVE.SET((c,d), other)`,
        `${stamp}, HIVE.SET((c,d), \\N)`,
        `${stamp}, MONGODB.SET((c,d), other)`,
      ]),
    ).toEqual([
      `${timeText(NOW + day + 1n)}, HIVE.SET((a,b), beyond)`,
      `${stamp}, HIVE.SET((c,d), other)`,
      `${stamp}, HIVE.SET((c,d), \\N)`,
    ])
  })

  test('a GET of a row that its database may know more about', () => {
    const pair = new Pair()
    pair.kernel.state.floor(0, NOW + 100n)
    const lines = ['HIVE.GET(a,b)\n', 'HIVE.SET((a,b), old)\n', 'HIVE.GET(a,b)\n', 'MONGODB.GET(a,b)\n']
    pair.run(Buffer.from(lines.join('')))
    expect(pair.handedBack).toEqual(['HIVE.GET(a,b)', 'HIVE.GET(a,b)'])
    pair.run(Buffer.from(`${timeText(NOW + 101n)}, HIVE.SET((a,b), new)\nHIVE.GET(a,b)\n`))
    expect(pair.handedBack.length).toBe(2)
  })

  test('what is beyond the limits of the script, or of the database', () => {
    const limits = { ...DEFAULT_LIMITS, keyBytes: 30, valueBytes: 100, lineBytes: 120 }
    const long = 'v'.repeat(101)
    const remark = '#'.repeat(121)
    const key = 'k'.repeat(27)
    const lines = [`HIVE.SET((a,b), ${long})`, `HIVE.DELETE(${key},b)`, `HIVE.SET((a,b),${' '.repeat(120)}v)`, remark]
    expect(leftOf(lines, { limits })).toEqual(lines)
    const refused = [`HIVE.SET((a,b), ${long})`, `HIVE.DELETE(${key},b)`]
    expect(leftOf(refused, { keyBytes: 30, valueBytes: 100 })).toEqual(refused)
    expect(leftOf([`SQL.SET((a,b), ${long})`, `SQL.DELETE(${key},b)`], { keyBytes: 30, valueBytes: 100 })).toEqual([])
    const sets = ['HIVE.rooms.SET(a, 1)', 'HIVE.rooms.GET(a)', 'HIVE.rooms.DELETE(a)', 'HIVE.SET((a,b), 1)']
    expect(leftOf(sets, { fits: (table) => table !== 1 })).toEqual(['HIVE.rooms.SET(a, 1)'])
  })
})

describe('scripts under limits mean the same', () => {
  test('limits of the script and of a database', () => {
    fc.assert(
      fc.property(
        commonScripts,
        fc.constantFrom(64, 90, 200),
        fc.constantFrom(12, 20, 40),
        fc.constantFrom(40, 64, 90),
        (script, valueBytes, keyBytes, lineBytes) => {
          const lines = script.toString('latin1').split('\n').slice(0, -1)
          leftOf(lines, { valueBytes, keyBytes })
          leftOf(lines, { limits: { keyBytes, valueBytes, lineBytes } })
        },
      ),
      { seed: SEED, numRuns: 25 },
    )
  })

  test('many spellings of heads, more than are kept', () => {
    const lines = Array.from({ length: 600 }, (_, i) => {
      const blanks = (n: number) => ' '.repeat(n % 5)
      const name = Array.from('hive', (letter, bit) => ((i >> bit) & 1 ? letter.toUpperCase() : letter)).join('')
      return `${name}${blanks(i)}.${blanks(i >> 3)}set${blanks(i >> 6)}((a,b${String(i % 7)}), v${String(i)})`
    })
    expect(leftOf(lines)).toEqual([])
  })
})

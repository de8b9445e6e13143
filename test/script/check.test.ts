import { expect, test } from 'vitest'
import { renderProblem } from '../../src/script/errors.ts'
import { checkScript } from '../../src/script/check.ts'
import { DEFAULT_LIMITS } from '../../src/script/limits.ts'
import { CATALOG } from './support.ts'

const SCRIPT = '\ufeffHIVE.SET((a,b), c)\r\n# fine\r\n\r\nHVE.GET(a,b)\r\nHIVE.GET(a)\r\nEXIT'

test('all problems of a script are collected, each with file, line and column', () => {
  const result = checkScript([Buffer.from(SCRIPT)], CATALOG, { file: 'x.in' })
  expect(result).toMatchObject({ lines: 6, statements: 2, found: 2 })
  expect(result.problems.map((error) => renderProblem(error).split('\n')[0])).toEqual([
    'x.in:4:1: UNKNOWN_REPLICA: there is no replica HVE',
    'x.in:5:11: WRONG_COUNT: a key of table student_course_grades has 2 items (student_id, course_id): found 1',
  ])
})

test('chunks may cut lines and characters anywhere', () => {
  const bytes = Buffer.from(`${SCRIPT}\nHIVE.SET(ä,😀,\u2028)`)
  const chunks = Array.from(bytes, (byte) => Buffer.from([byte]))
  expect(checkScript(chunks, CATALOG)).toEqual(checkScript([bytes], CATALOG))
})

test('a line that is too long is one problem among others', () => {
  const limits = { ...DEFAULT_LIMITS, lineBytes: 30 }
  const result = checkScript([Buffer.from(`EXIT\n${'x'.repeat(40)}\nHVE.SYNC\n`)], CATALOG, { limits })
  expect(result.problems.map((error) => [error.code, error.place.line])).toEqual([
    ['LIMIT', 2],
    ['UNKNOWN_REPLICA', 3],
  ])
})

test('I11: at most so many problems are kept, and all are counted', () => {
  const result = checkScript([Buffer.from('?\n'.repeat(5000))], CATALOG, { most: 10 })
  expect(result.problems).toHaveLength(10)
  expect(result.found).toBe(5000)
})

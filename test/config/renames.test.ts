import { expect, test } from 'vitest'
import { renamedTable, renamesProblem } from '../../src/core/renames.ts'
import { DEFAULT_TABLE, type TableSchema } from '../../src/core/table.ts'
import { configJsonSchema } from '../../src/config/schema.ts'
import { parseConfig } from '../../src/config/parse.ts'
import { printConfig } from '../../src/config/print.ts'
import { MerganserError } from '../../src/core/errors.ts'

const FILE = (tables: string) => `replicas:
  POSTGRESQL: { type: postgres, url: 'x', tables: ${tables} }
`
const parse = (text: string) =>
  parseConfig(text, { file: 'merganser.yaml', path: '/x/merganser.yaml', cwd: '/x', env: {}, types: ['postgres'] })

function refusal(tables: string): MerganserError {
  try {
    parse(FILE(tables))
  } catch (error) {
    if (error instanceof MerganserError) return error
  }
  throw new Error(`${tables} was taken`)
}

test.each([
  ['{ student_course_grade: { name: g } }', /no table called/, 'did you mean student_course_grades?'],
  ['{ student_course_grades: { columns: { grad: g } } }', /no column/, 'did you mean grade?'],
  ['{ student_course_grades: { nam: g } }', /unknown key/, 'did you mean name?'],
  ["{ student_course_grades: { name: '' } }", /empty/, undefined],
  ["{ student_course_grades: { name: ' g' } }", /blanks/, undefined],
  ['{ student_course_grades: { name: 3 } }', /expected a name/, undefined],
  ['{ student_course_grades: { name: s.merganser_meta } }', /kept for Merganser/, undefined],
  ['{ student_course_grades: { columns: { student_id: X, course_id: x } } }', /both called/, 'upper and lower case'],
  ['{ student_course_grades: { columns: { grade: course_id } } }', /both called/, 'upper and lower case'],
  ['{ student_course_grades: { columns: { student_id: grade_stamp } } }', /stamp of grade/, undefined],
  ['{ student_course_grades: { columns: { grade: deleted_stamp } } }', /kept for Merganser/, undefined],
  ['{ student_course_grades: { columns: 3 } }', /expected a map/, 'write'],
  ['[]', /expected a map/, 'write'],
])('the mapping %s is refused at its place', (tables, message, advice) => {
  const error = refusal(tables)
  expect(error).toMatchObject({ code: 'BAD_CONFIG', place: { file: 'merganser.yaml', line: 2, replica: 'POSTGRESQL' } })
  expect(error.place.column).toBeGreaterThan(FILE('').indexOf('tables') - FILE('').indexOf('  POSTGRESQL'))
  expect(error.message).toMatch(message)
  if (advice !== undefined) expect(error.advice).toContain(advice)
})

test('tables of one replica have different names there, also from the views of others', () => {
  const two: TableSchema[] = [DEFAULT_TABLE, { ...DEFAULT_TABLE, name: 'other' }]
  const problem = (name: string) => renamesProblem(two, { other: { name } })?.message
  expect(problem('Student_Course_Grades')).toMatch(/the same name/)
  expect(problem('student_course_grades_live')).toMatch(/view/)
  expect(problem('app.student_course_grades')).toBeUndefined()
  expect(renamesProblem(two, { other: { name: DEFAULT_TABLE.name }, [DEFAULT_TABLE.name]: { name: 'x' } })).toBe(
    undefined,
  )
})

test('columns may take the names of each other', () => {
  const there = renamedTable(DEFAULT_TABLE, {
    student_course_grades: { columns: { student_id: 'course_id', course_id: 'student_id' } },
  })
  expect(there.key.map(({ name }) => name)).toEqual(['course_id', 'student_id'])
  expect(there.name).toBe(DEFAULT_TABLE.name)
})

test('the configuration shows names of columns, however they sound, and reads back; its JSON schema has them', () => {
  const config = parse(FILE('{ student_course_grades: { name: app.g, columns: { grade: secret_token } } }'))
  const printed = printConfig(config)
  expect(printed).toContain('grade: secret_token')
  expect(parse(printed).replicas).toEqual(config.replicas)
  expect(JSON.stringify(configJsonSchema())).toContain('what tables and columns are called in this database')
})

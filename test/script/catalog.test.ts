import { expect, test } from 'vitest'
import { DEFAULT_TABLE } from '../../src/core/table.ts'
import { Catalog } from '../../src/script/catalog.ts'
import { CATALOG, PEOPLE, ROOMS } from './support.ts'

test('names are found whatever their case, from text and from bytes', () => {
  for (const name of ['MONGODB', 'mongodb', 'MongoDb', 'mongo', 'MONGO']) {
    expect(CATALOG.replica(name)).toBe(2)
    const bytes = Buffer.from(`xx${name}yy`)
    expect(CATALOG.replicaAt(bytes, 2, 2 + name.length)).toBe(2)
    expect(CATALOG.replicaAt(bytes, 2, 3 + name.length)).toBe(-1)
  }
  expect(CATALOG.table('Student_Course_Grades')).toBe(0)
  expect(CATALOG.column(2, 'BORN')).toBe(1)
  expect(CATALOG.column(2, 'id')).toBeUndefined()
  expect(CATALOG.replica('')).toBeUndefined()
  expect(CATALOG.replica('__proto__')).toBeUndefined()
  expect(CATALOG.table('constructor')).toBeUndefined()
})

test('an alias of no replica, or with the name of one, is none', () => {
  const catalog = new Catalog(['sql', 'HIVE'], [DEFAULT_TABLE], { SQL: 'HIVE', warehouse: 'hive', DOCS: 'MONGODB' })
  expect(catalog.replicas).toEqual(['SQL', 'HIVE'])
  expect(catalog.replica('SQL')).toBe(0)
  expect(catalog.replica('WAREHOUSE')).toBe(1)
  expect(catalog.replica('DOCS')).toBeUndefined()
  expect([...catalog.aliases]).toEqual([['WAREHOUSE', 'HIVE']])
})

test('a thousand names are told apart', () => {
  const names = Array.from({ length: 1000 }, (_, i) => `R${String(i)}`)
  const catalog = new Catalog(names, [ROOMS, PEOPLE])
  names.forEach((name, i) => {
    expect(catalog.replica(name.toLowerCase())).toBe(i)
  })
  expect(catalog.replica('R1000')).toBeUndefined()
})

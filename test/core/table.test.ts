import { describe, expect, test } from 'vitest'
import {
  checkSchema,
  DEFAULT_TABLE,
  keyBytes,
  keyTexts,
  MAX_NAME_LENGTH,
  type TableSchema,
} from '../../src/core/table.ts'
import type { ColumnType } from '../../src/core/types.ts'

const string: ColumnType = { name: 'string' }
const columns = (...names: string[]) => names.map((name) => ({ name, type: string }))
const table = (key: string[], values: string[], name = 'things'): TableSchema => ({
  name,
  key: columns(...key),
  values: columns(...values),
})

describe('schemas of tables', () => {
  test('the default table is the one that scripts know', () => {
    expect(checkSchema(DEFAULT_TABLE)).toBe(DEFAULT_TABLE)
    expect(keyTexts(DEFAULT_TABLE, keyBytes(DEFAULT_TABLE, ['SID1', 'CSE1']))).toEqual(['SID1', 'CSE1'])
  })

  test.each([
    ['no key column', table([], ['v'])],
    ['no value column', table(['k'], [])],
    ['a column twice', table(['k'], ['v', 'V'])],
    ['a key column again as value', table(['k'], ['k'])],
    ['a name with a blank', table(['k'], ['a b'])],
    ['a name that ends a statement', table(['k'], ['v"; DROP TABLE x'])],
    ['an empty name', table(['k'], [''])],
    ['a table name with a dot', table(['k'], ['v'], 'a.b')],
    ["a column that is another one's stamp", table(['k'], ['v', 'v_stamp'])],
    ['a key column that is a stamp', table(['v_stamp'], ['v'])],
    ['a column "deleted", whose stamp is the tombstone', table(['k'], ['deleted'])],
    ['names that documents use', table(['_id'], ['v'])],
    ['names that documents use for stamps', table(['k'], ['Stamps'])],
    ['names of Merganser', table(['k'], ['merganser_x'])],
    ['a table name of Merganser', table(['k'], ['v'], 'Merganser_meta')],
    ['a column that means something to JavaScript', table(['k'], ['__proto__'])],
    ['a table that means something to JavaScript', table(['k'], ['v'], '__proto__')],
    ['a column name that PostgreSQL would cut', table(['k'], ['v'.repeat(MAX_NAME_LENGTH + 1)])],
    ['a table name that PostgreSQL would cut', table(['k'], ['v'], 't'.repeat(MAX_NAME_LENGTH + 1))],
    [
      'too many columns',
      table(
        ['k'],
        Array.from({ length: 500 }, (_, i) => `v${String(i)}`),
      ),
    ],
    [
      'a float64 in the key',
      { name: 't', key: [{ name: 'k', type: { name: 'float64' } }], values: columns('v') } as const,
    ],
    ['json in the key', { name: 't', key: [{ name: 'k', type: { name: 'json' } }], values: columns('v') } as const],
    [
      'a decimal of 39 digits',
      {
        name: 't',
        key: columns('k'),
        values: [{ name: 'v', type: { name: 'decimal', precision: 39, scale: 0 } }],
      } as const,
    ],
    [
      'a type that is none',
      { name: 't', key: columns('k'), values: [{ name: 'v', type: { name: 'text' as 'string' } }] } as const,
    ],
  ])('%s is refused', (_, schema) => {
    expect(() => checkSchema(schema)).toThrow(expect.objectContaining({ code: 'BAD_SCHEMA' }))
  })

  test('names at their limit, and columns of every type, are accepted', () => {
    expect(checkSchema(table(['k'], ['v'.repeat(MAX_NAME_LENGTH)], 't'.repeat(MAX_NAME_LENGTH)))).toBeDefined()
    const names = ['string', 'int64', 'float64', 'decimal', 'boolean', 'bytes', 'date', 'timestamp', 'json'] as const
    expect(
      checkSchema({ name: 't', key: columns('k'), values: names.map((name) => ({ name, type: { name } })) }),
    ).toBeDefined()
  })
})

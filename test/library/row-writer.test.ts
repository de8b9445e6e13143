import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { MerganserError } from '../../src/core/errors.ts'
import { configOf } from '../../src/library/options.ts'
import { openTyped } from '../../src/library/session.ts'
import { Directories, DOCUMENTS, log, setupOf, Told, withoutTimes } from '../engine/support.ts'

const directories = new Directories()
afterAll(() => directories.remove())

const TABLES = {
  t: {
    key: { a: 'string', n: 'int64', b: 'string' },
    values: { s: 'string', i: 'int64', d: 'decimal(5,2)', flag: 'boolean', j: 'json', at: 'timestamp(3)' },
  },
} as const

const text = fc.oneof(
  fc.constantFrom(
    '',
    'x',
    'SID1',
    ' ',
    'none',
    '\\N',
    'a,b',
    '"',
    'é',
    '\0',
    '\x7f',
    '\ud800',
    'x'.repeat(1023),
    'x'.repeat(1025),
  ),
  fc.string({ maxLength: 8 }),
  fc.stringMatching(/^[a-zA-Z0-9 ]{1,12}$/),
  fc.string({ unit: 'grapheme', maxLength: 4 }),
)
const value = fc.oneof(
  { weight: 4, arbitrary: text },
  fc.constantFrom<unknown>(
    null,
    undefined,
    1,
    1.5,
    2n ** 63n,
    7n,
    true,
    false,
    '12.50',
    new Date(0),
    { x: [1] },
    '2026-11-22 15:11:21Z',
  ),
)
const member = (names: readonly string[]) =>
  fc.tuple(fc.constantFrom(...names), value).map(([name, given]) => [name, given] as const)
/** Objects as programs may give them: right ones mostly; more or fewer names, any order, names that are inherited. */
const object = (usual: fc.Arbitrary<object>, names: readonly string[]) =>
  fc.oneof(
    { weight: 3, arbitrary: usual },
    fc
      .array(member([...names, 'constructor', 'other']), { maxLength: 7 })
      .map((members) => Object.fromEntries(members)),
    usual.map((given) => Object.create(given) as object),
  )
const key = object(
  fc.record({ a: text, n: fc.oneof(fc.bigInt(-9n, 9n), fc.constantFrom<unknown>('12', 3)), b: text }),
  Object.keys(TABLES.t.key),
)
const values = object(
  fc.record(
    {
      s: fc.oneof(text, fc.constant(null)),
      i: fc.bigInt(-(2n ** 63n), 2n ** 63n),
      flag: fc.boolean(),
      d: fc.constantFrom<unknown>('12.50', '-1', null, undefined, 5n, '1.234'),
    },
    { requiredKeys: ['s'] },
  ),
  Object.keys(TABLES.t.values),
)

/** The same members the other way round: they take the general way. */
function reversed(given: object): object {
  const own = Object.fromEntries(Object.entries(given).reverse())
  return Object.setPrototypeOf(own, Object.getPrototypeOf(given) as object) as object
}

test('a SET is the same in the order of the table and in any other order, errors included', async () => {
  const directory = await directories.make()
  const replicas = { A: DOCUMENTS, B: DOCUMENTS }
  const { config } = configOf({ tables: TABLES })
  const limits = { keyBytes: 1100, valueBytes: 1050 }
  const options = { replicas, tables: config.tables, flush: false, limits }
  const session = await openTyped<typeof TABLES>(await setupOf(directory, new Told(), options))
  const set = (replica: string, [k, v]: readonly [object, object]) => {
    try {
      void session.set(replica, 't', k as never, v)
      return 'set'
    } catch (error) {
      if (!(error instanceof MerganserError)) throw error
      return [error.code, error.message.replace(/^[AB] |column \w+/, '')]
    }
  }
  let sets = 0
  fc.assert(
    fc.property(key, values, (k, v) => {
      const outcome = set('A', [k, v])
      if (outcome === 'set') sets++
      expect(set('B', [reversed(k), reversed(v)])).toEqual(outcome)
    }),
    { seed: 20_261_122, numRuns: 3_000 },
  )
  expect(sets).toBeGreaterThan(600)
  await session.close()
  const [a, b] = await Promise.all(['A', 'B'].map(async (name) => withoutTimes(await log(directory, name))))
  expect(a).toHaveLength(sets)
  expect(b!.map((line) => line.replace('B.SET', 'A.SET'))).toEqual(a)
})

import { expect, test } from 'vitest'
import { failure, parse } from './support.ts'

/** What is wrong: text (the caret's place marked by ^), message, advice. */
const CASES: [name: string, text: string, message: string | RegExp, advice?: string | RegExp][] = [
  ['an unknown section', '^workerz: 3', 'unknown key workerz', 'did you mean workers?'],
  ['a section unlike any', '^zebra: 3', 'unknown key zebra', /^known keys: tables, replicas, .*state$/],
  ['an unknown limit', 'limits: { ^keyByte: 3 }', 'unknown key keyByte in limits', 'did you mean keyBytes?'],
  [
    'an unknown key of a table',
    'tables:\n  t:\n    ^keys: {}\n    key: { a: string }\n    values: { b: string }',
    /^unknown key keys in tables\.t/,
    'did you mean key?',
  ],
  ['text for a number', 'workers: ^many', 'workers: expected a whole number from 1 to 1000'],
  ['a fraction', 'workers: ^1.5', 'workers: expected a whole number from 1 to 1000'],
  ['a number too small', 'retry: { seconds: ^-1 }', /^retry\.seconds: expected a whole number from 0/],
  ['a number too large', 'limits: { keyBytes: ^2001 }', 'limits.keyBytes: expected a whole number from 1 to 2000'],
  ['a number past 2^53', 'workers: ^99999999999999999999', /^workers: expected/],
  ['a number for text', 'state: ^12', 'state: expected text'],
  ['a list for a map', 'limits: ^[1]', 'limits: expected a map'],
  ['a scalar document', '^hello', 'expected a map'],
  ['a list document', '^- a\n- b', 'expected a map'],
  [
    'the first of several problems',
    'workers: ^x\nlimits: 3\nfoo: 1',
    /^workers: expected .* \(the first of 3 problems\)$/,
  ],
  ['a table without keys', 'tables: { ^t: { key: {}, values: { v: string } } }', 'table t: it needs a key column'],
  ['a table without values', 'tables: { t: ^{ key: { k: string } } }', 'tables.t.values: expected a map'],
  ['no tables', 'tables: ^{}', 'tables: at least one is needed'],
  [
    'an unknown type',
    'tables: { t: { key: { k: ^strin }, values: { v: string } } }',
    'column k: no such type',
    /^did you mean string\? types: /,
  ],
  [
    'a type unlike any',
    'tables: { t: { key: { k: ^blob }, values: { v: string } } }',
    'column k: no such type',
    /^types: string/,
  ],
  [
    'a type that is null',
    'tables: { t: { key: { ^k: }, values: { v: string } } }',
    /^tables\.t\.key\.k: expected text/,
  ],
  [
    "a key that can't be one",
    'tables: { t: { key: { ^k: json }, values: { v: string } } }',
    "table t: key column k: json can't be in a key",
  ],
  [
    'a column twice',
    'tables: { t: { key: { k: string }, values: { ^K: string } } }',
    'table t: column K: the name is taken',
  ],
  [
    'a bad table name',
    'tables: { ^a-b: { key: { k: string }, values: { v: string } } }',
    'table a-b: its name must be letters, digits and _',
  ],
  [
    'a table of ours',
    'tables: { ^merganser_meta: { key: { k: string }, values: { v: string } } }',
    /kept for Merganser/,
  ],
  [
    'a table named as a view',
    'tables:\n  t: &t { key: { k: string }, values: { v: string } }\n  ^t_live: *t',
    'table t_live: the name is taken by the view of t',
  ],
  [
    'two tables but for case',
    'tables:\n  t: &t { key: { k: string }, values: { v: string } }\n  ^T: *t',
    /^table T: the name is taken/,
  ],
  ['a replica without type', 'replicas: { A: ^{ url: x } }', 'replicas.A.type: expected text'],
  [
    'a replica of unknown type',
    'replicas: { A: { type: ^embedded-postgre } }',
    'replica A: no such type',
    'did you mean embedded-postgres?',
  ],
  ['no replicas', 'replicas: ^{}', 'replicas: at least one is needed'],
  ['a bad replica name', 'replicas: { ^a.b: { type: postgres } }', /^replica a\.b: its name must be/],
  ['a name that only folds to ASCII', 'replicas: { ^\u017f: { type: postgres } }', /^replica \u017f: its name must be/],
  ['a replica name that is a number', 'replicas: { ^1: { type: postgres } }', /^replica 1: its name must be/],
  [
    'a replica named as a statement',
    'replicas: { ^sync: { type: postgres } }',
    /^replica sync: the name is a statement/,
  ],
  [
    'two replicas but for case',
    'replicas:\n  A: { type: postgres }\n  ^a: { type: postgres }',
    /^replica a: the name is taken/,
  ],
  [
    'an alias of nothing',
    'aliases: { PG: ^POSTGRESQ }',
    'alias PG: there is no such replica',
    'did you mean POSTGRESQL?',
  ],
  ['an alias that is a replica', 'aliases: { ^HIVE: POSTGRESQL }', /^alias HIVE: the name is taken/],
  ['a key twice', 'workers: 1\n^workers: 2', 'the key stands here twice'],
  ['a tab that indents', 'limits:\n^\tkeyBytes: 3', 'tabs cannot indent: use blanks'],
  ['a missing brace', 'limits: { keyBytes: 3\n^workers: 2', /a bracket is open$/],
  ['a missing quote', 'state: "abc^', /^something is missing here/],
  ['two documents', 'workers: 1\n^---\nworkers: 2', 'a configuration file is one document'],
  ['a tag', 'state: ^!secret x', 'tags have no meaning here'],
  ['an alias without anchor', 'state: ^*x', 'an alias without its anchor before it'],
  ['__proto__', 'replicas:\n  A:\n    type: postgres\n    ^__proto__: { polluted: true }', "__proto__ can't be a key"],
  ['constructor', '^constructor: { prototype: 1 }', "constructor can't be a key"],
  [
    'a variable that is not set',
    'state: ^${NOT_THERE}',
    "the environment variable NOT_THERE isn't set",
    'set it, or write ${NOT_THERE:-default}',
  ],
  ['a variable inherited from Object', 'state: ^${toString}', "the environment variable toString isn't set"],
  ['a variable badly written', 'state: ^"${1A}"', 'a variable is written ${NAME} or ${NAME:-default}', /\$\$\{/],
  ['an empty state directory', 'state: ^""', 'state: expected a directory'],
]

test.each(CASES)('%s is an error that names its place', (_name, marked, message, advice) => {
  const caret = marked.indexOf('^')
  const text = marked.slice(0, caret) + marked.slice(caret + 1)
  const before = text.slice(0, caret).split('\n')
  const error = failure(() => parse(text))
  expect(error.message).toMatch(typeof message === 'string' ? exactly(message) : message)
  expect(['BAD_CONFIG', 'BAD_SCHEMA']).toContain(error.code)
  expect(error.exitStatus).toBe(2)
  expect(error.place).toMatchObject({
    file: 'merganser.yaml',
    line: before.length,
    column: before.at(-1)!.length + 1,
  })
  if (advice !== undefined) expect(error.advice).toMatch(typeof advice === 'string' ? exactly(advice) : advice)
})

function exactly(text: string): RegExp {
  return new RegExp(`^${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`)
}

test('an error shows its line', () => {
  const error = failure(() => parse('# first\nworkers: 3\nlimits: { keyByte: 3 } # why\n'))
  expect(error.place).toEqual({
    file: 'merganser.yaml',
    line: 3,
    column: 11,
    text: 'limits: { keyByte: 3 } # why',
  })
})

test('a bomb of aliases, a circle of them and deep nesting end with a coded error', () => {
  const levels = Array.from(
    { length: 9 },
    (_, i) =>
      `  l${String(i + 1)}: [${Array(9)
        .fill(`*a${String(i)}`)
        .join(', ')}]`,
  )
  const bomb = [
    'replicas:',
    '  l0: &a0 [x, x]',
    ...levels.map((line, i) => line.replace(': [', `: &a${String(i + 1)} [`)),
  ]
  expect(failure(() => parse(bomb.join('\n'))).message).toMatch(/more than 100 aliases/)
  expect(failure(() => parse('replicas: &a { A: *a }')).message).toMatch(/nested deeper|aliases/)
  expect(failure(() => parse('['.repeat(20_000))).code).toBe('BAD_CONFIG')
  expect(failure(() => parse('a: '.repeat(5_000))).code).toBe('BAD_CONFIG')
  expect(failure(() => parse(`replicas: { A: ${'['.repeat(500)}${']'.repeat(500)} }`)).code).toBe('BAD_CONFIG')
})

test('nothing reaches the prototype of objects', () => {
  failure(() => parse('replicas: { A: { type: postgres, o: { "__proto__": { polluted: 1 } } } }'))
  failure(() => parse('limits: { __proto__: { polluted: 1 } }'))
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
})

import fc from 'fast-check'
import { stringify } from 'yaml'
import { expect, test } from 'vitest'
import { printConfig } from '../../src/config/print.ts'
import { MerganserError } from '../../src/core/errors.ts'
import { parse } from './support.ts'

const seed = 20261122

const words = fc.constantFrom(
  ...['tables', 'replicas', 'aliases', 'workers', 'limits', 'durability', 'retry', 'state', 'type', 'key', 'values'],
  ...['HIVE', 'string', 'postgres', 'keyBytes', 'seconds', '__proto__', 'constructor', '${HOME}', '${', '', '1'],
)
const scalars = fc.oneof(words, fc.integer(), fc.double(), fc.boolean(), fc.constant(null), fc.string())
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof({ depthSize: 'small', withCrossShrink: true }, scalars, tie('map'), tie('list')),
  map: fc.dictionary(fc.oneof({ arbitrary: words, weight: 5 }, { arbitrary: fc.string(), weight: 1 }), tie('tree'), {
    maxKeys: 5,
  }),
  list: fc.array(tie('tree'), { maxLength: 3 }),
}))
const soup = fc
  .array(fc.oneof(words, fc.constantFrom(...': \n\t-{}[],&*#|>\'"%@!?~<'.split(''), '  ', '\n  ', '---', '&a', '*a')))
  .map((parts) => parts.join(''))

/** Either a configuration that can be printed and read again, or a coded error with a place. */
function check(text: string): void {
  try {
    const config = parse(text, { HOME: '/home/me' })
    parse(printConfig(config))
  } catch (error) {
    expect(error).toBeInstanceOf(MerganserError)
    const { code, place } = error as MerganserError
    expect(['BAD_CONFIG', 'BAD_SCHEMA']).toContain(code)
    expect(place).toMatchObject({ file: 'merganser.yaml' })
  }
}

test('any YAML gives a configuration or a coded error', () => {
  fc.assert(
    fc.property(tree, (value) => {
      check(stringify(value))
    }),
    { seed, numRuns: 1000 },
  )
})

test('any text gives a configuration or a coded error', () => {
  fc.assert(fc.property(fc.oneof(soup, fc.string({ unit: 'binary' })), check), { seed, numRuns: 2000 })
})

test('a good file with one character changed gives a configuration or a coded error', () => {
  const good = `
tables: { t: { key: { k: string }, values: { v: "decimal(10,2)" } } }
replicas:
  A: &a { type: postgres, url: "postgres://u:p@h/d" }
  B: *a
aliases: { Z: A }
limits: { keyBytes: 100 }
state: "\${HOME}/x"
`
  const place = fc.nat(good.length - 1)
  const piece = fc.oneof(
    fc.constant(''),
    fc.constantFrom(...':\n\t{}[],&*"\'$#-! 0'.split('')),
    fc.string({ maxLength: 2 }),
  )
  fc.assert(
    fc.property(place, piece, (at, text) => {
      check(good.slice(0, at) + text + good.slice(at + 1))
    }),
    { seed, numRuns: 1500 },
  )
})

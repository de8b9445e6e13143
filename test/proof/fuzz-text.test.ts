import { readFileSync } from 'node:fs'
import { afterAll, expect, test, vi } from 'vitest'
import { CsvReader } from '../../src/cli/load-csv.ts'
import { openJsonLines } from '../../src/cli/load-json-rows.ts'
import { JsonLineReader } from '../../src/cli/load-json.ts'
import { printConfig } from '../../src/config/print.ts'
import { MerganserError } from '../../src/core/errors.ts'
import { renderProblem } from '../../src/script/errors.ts'
import { LineParser } from '../../src/script/parser.ts'
import { printStatement } from '../../src/script/printer.ts'
import { Statement } from '../../src/script/statement.ts'
import { parse as parseConfigText } from '../config/support.ts'
import type { Draws } from '../core/random.ts'
import { contentsOf, Pair } from '../kernel/fast-pair.ts'
import { CATALOG, EVERYTHING, meaning, TOKENS } from '../script/support.ts'
import { corpus, fuzz, mutated, recordFed, type Fed, type Target } from './support/fuzz.ts'

// Many runs take their time, and so does a busy machine: a hang is seen by other means.
vi.setConfig({ testTimeout: 3_600_000 })

/*
 * Random and mutated text for whatever reads text: each input ends in a result or in an error with a code and a place,
 * in a time that nobody notices, and leaves nothing behind. Two million inputs in all.
 */

const fed: Fed[] = []
afterAll(() => {
  recordFed('random and mutated input: readers of text', fed)
})

/** Runs a target, and says how many inputs were accepted: there must be such and others. */
async function run(target: Target): Promise<void> {
  const one = await fuzz(target)
  fed.push(one)
  expect(one.accepted, `${target.name}: accepted`).toBeGreaterThan(0)
}

const linesOf = (bytes: Buffer) =>
  bytes
    .toString('latin1')
    .split('\n')
    .map((line) => Buffer.from(line, 'latin1'))
const example = (name: string) => readFileSync(new URL(`../../examples/${name}`, import.meta.url))
const LINES = [...corpus('.in'), example('ten-lines.in'), example('quickstart.in')]
  .flatMap(linesOf)
  .filter((line) => line.length > 0)
const PIECES = [
  ...TOKENS,
  ...['-', '\r', '\ufeff', '\u2028', '"\\ud83d"', '9'.repeat(40), '1e999', '0x', '__proto__', ' '.repeat(30)],
].map((piece) => Buffer.from(piece))

function drawLine(draws: Draws): Buffer {
  switch (draws.below(4)) {
    case 0:
      return Buffer.concat(Array.from({ length: draws.below(14) }, () => draws.of(PIECES)))
    case 1:
      return Buffer.from(Array.from({ length: draws.below(12) }, () => draws.below(256)))
    default:
      return mutated(draws, draws.of(LINES), PIECES, 3)
  }
}

const parser = new LineParser(CATALOG)
const general = new LineParser(CATALOG, undefined, false)
const [statement, other] = [new Statement(), new Statement()]

test('I8: the parser of scripts gives a statement that prints and parses the same, or an error with its place', async () => {
  await run({
    name: 'the parser of scripts',
    inputs: { ci: 1_312_000, nightly: 65_600_000 },
    feed: (draws) => {
      const line = drawLine(draws)
      try {
        parser.parse(line, 0, line.length, statement)
      } catch (error) {
        if (!(error instanceof MerganserError)) throw error
        if (error.place.column === undefined || error.place.column < 1 || renderProblem(error) === '')
          throw new Error(`no place for ${line.toString('hex')}`, { cause: error })
        throw error
      }
      // The whole check on some: what the fast path reads is what the parser reads, and what is printed reads back.
      if (draws.below(16) !== 0) return true
      const meant = meaning(statement)
      general.parse(line, 0, line.length, other)
      expect(meaning(other)).toEqual(meant)
      const printed = Buffer.from(printStatement(statement, CATALOG))
      parser.parse(printed, 0, printed.length, other)
      expect(meaning(other)).toEqual(meant)
      return true
    },
  })
})

test("I8: the kernel's scanner means what the parser means, or leaves the line to it", async () => {
  let pair = new Pair()
  let scripts = 0
  await run({
    name: "the kernel's scanner beside the parser",
    inputs: { ci: 200_000, nightly: 10_000_000 },
    feed: (draws) => {
      // The states grow: now and then a new pair.
      if (++scripts % 50 === 0) pair = new Pair({ build: scripts % 100 === 0 ? 'debug' : 'release' })
      const lines = Array.from({ length: 100 }, () => {
        const line = drawLine(draws)
        return Buffer.concat([Buffer.from(line.toString('latin1').replaceAll('\n', ' '), 'latin1'), Buffer.from('\n')])
      })
      pair.run(Buffer.concat(lines))
      for (const [replica, log] of pair.model.logs.entries()) {
        expect(pair.kernel.logs[replica]!.toString()).toBe(log.toString())
        log.clear()
        pair.kernel.logs[replica]!.clear()
      }
      expect(pair.kernel.results.toString()).toBe(pair.model.results.toString())
      pair.model.results.clear()
      pair.kernel.results.clear()
      pair.handedBack = []
      pair.stops = []
      if (scripts % 50 === 49) expect(contentsOf(pair.kernel.state)).toEqual(contentsOf(pair.model.state))
      return lines.length
    },
  })
})

const TABLES = corpus('.csv')
const CSV = ['"', '""', ',', '\n', '\r\n', '\r', '\\N', 'x', 'é', '\ufeff', '\0', ';'].map((piece) =>
  Buffer.from(piece),
)

test('I11: the reader of CSV takes any bytes apart, in blocks of any size, into no more than they are', async () => {
  await run({
    name: 'the reader of CSV',
    inputs: { ci: 250_000, nightly: 12_500_000 },
    feed: (draws) => {
      const bytes = mutated(draws, draws.of(TABLES), CSV)
      const reader = new CsvReader(',', draws.below(4) === 0 ? 20 : undefined)
      let [records, size] = [0, 0]
      const take = () => {
        while (reader.next()) {
          const { record } = reader
          for (let field = 0; field < record.fields; field++) record.text(field)
          size += record.raw.length
          if (++records > bytes.length + 1) throw new Error(`it goes on for ever over ${bytes.toString('hex')}`)
        }
      }
      const block = 1 + draws.below(bytes.length + 1)
      for (let from = 0; from < bytes.length; from += block) {
        reader.push(bytes.subarray(from, from + block))
        take()
      }
      reader.end()
      take()
      if (size > bytes.length) throw new Error(`more than there is in ${bytes.toString('hex')}`)
      return records > 0
    },
  })
})

const OBJECTS = corpus('.jsonl').flatMap(linesOf)
const JSONS = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ':',
  ',',
  '\\u0000',
  '\\',
  'null',
  'true',
  '1e5',
  '-',
  ' ',
  '\t',
  '\r',
  '\n',
  '__proto__',
].map((piece) => Buffer.from(piece))
const signal = new AbortController().signal

test('I11: the loader of JSON lines gives texts or a reason for every line', async () => {
  const input = { file: 'rows.jsonl', chunks: () => ({ [Symbol.asyncIterator]: () => ({}) }) } as unknown as Parameters<
    typeof openJsonLines
  >[0]
  await run({
    name: 'the loader of JSON lines',
    inputs: { ci: 230_000, nightly: 11_500_000 },
    feed: (draws) => {
      const bytes = mutated(draws, draws.of(OBJECTS), JSONS)
      const source = openJsonLines(input, EVERYTHING, new Map(), signal)
      const reader = new JsonLineReader(draws.below(8) === 0 ? 30 : undefined)
      const block = 1 + draws.below(bytes.length + 1)
      let [lines, good] = [0, 0]
      const take = () => {
        while (reader.next()) {
          const { record } = reader
          Object.assign(source.record, record)
          if (source.texts([]) === undefined) good++
          if (++lines > bytes.length + 1) throw new Error(`it goes on for ever over ${bytes.toString('hex')}`)
        }
      }
      for (let from = 0; from < bytes.length; from += block) {
        reader.push(bytes.subarray(from, from + block))
        take()
      }
      reader.end()
      take()
      return good > 0
    },
  })
})

const CONFIGURATIONS = [...corpus('.yaml'), ...yamlOf('README.md'), ...yamlOf('docs/connecting.md')]
const YAML = [
  ...[
    ': ',
    '- ',
    '\n  ',
    '{',
    '}',
    '[',
    ']',
    '&a ',
    '*a',
    '${HOME}',
    '${',
    '|',
    '>',
    '#',
    '!!js ',
    '!!binary ',
    '<<: ',
    '---\n',
  ],
  ...[
    '...',
    '%',
    '"',
    "'",
    '\t',
    '__proto__',
    'replicas',
    'tables',
    'type: ',
    '1e400',
    '0o7',
    '~',
    '\0',
    '?',
    '\ufeff',
  ],
].map((piece) => Buffer.from(piece))

const ENVIRONMENT = { HOME: '/home/me', POSTGRES_URL: 'postgres://u:p@h/d' }

/** The blocks of YAML in a document. */
function yamlOf(name: string): Buffer[] {
  const text = readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8')
  return [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => Buffer.from(match[1]!))
}

test('I8: a configuration is read and can be printed and read again, or is refused at its place', async () => {
  await run({
    name: 'the configuration',
    inputs: { ci: 8_000, nightly: 400_000 },
    feed: (draws) => {
      const text = mutated(draws, draws.of(CONFIGURATIONS), YAML).toString('utf8')
      let config
      try {
        config = parseConfigText(text, ENVIRONMENT)
      } catch (error) {
        const known = error instanceof MerganserError && ['BAD_CONFIG', 'BAD_SCHEMA'].includes(error.code)
        if (known && error.place.file !== undefined) return false
        throw new Error(JSON.stringify(text), { cause: error })
      }
      try {
        parseConfigText(printConfig(config))
      } catch (error) {
        throw new Error(`what is printed of ${JSON.stringify(text)} can't be read: ${String(error)}`, { cause: error })
      }
      return true
    },
  })
})

import { crc32 } from 'node:zlib'
import { afterAll, expect, test, vi } from 'vitest'
import { MerganserError } from '../../src/core/errors.ts'
import { ModelState } from '../../src/core/model/model-state.ts'
import type { ReplicaState } from '../../src/core/state.ts'
import { readBack } from '../../src/engine/recovery.ts'
import { decodePositions } from '../../src/engine/positions.ts'
import { headerLine, sealEnd, sealStart } from '../../src/oplog/format.ts'
import { readPositions } from '../../src/oplog/positions.ts'
import { readLog } from '../../src/oplog/read.ts'
import { inspectLog } from '../../src/oplog/recover.ts'
import { LOG_LIMITS } from '../../src/script/limits.ts'
import { LineParser } from '../../src/script/parser.ts'
import { Statement } from '../../src/script/statement.ts'
import type { Draws } from '../core/random.ts'
import { CATALOG, Pair, settingsOf, withTables } from '../kernel/fast-pair.ts'
import { newKernel } from '../kernel/subjects.ts'
import { OneFile } from '../oplog/support.ts'
import { corpus, fuzz, mutated, recordFed, type Fed } from './support/fuzz.ts'

// Many runs take their time, and so does a busy machine: a hang is seen by other means.
vi.setConfig({ testTimeout: 3_600_000 })

/*
 * Mutated logs for what reads logs back: whole files, whose seals say what is wrong with them; files whose seals were
 * made anew, as by somebody who edits them; and the lines that stand in them. Five million inputs in all. Whatever the
 * bytes are, it is an error with a code, or a prefix of what was written.
 */

const fed: Fed[] = []
afterAll(() => {
  recordFed('random and mutated input: the log decoder', fed)
})

const LOG_ID = '0123456789abcdef'
const HEADER = { replica: 'HIVE', logId: LOG_ID, segment: 1, from: 0, after: 0 }
const PIECES = [
  ...[
    '# seal ',
    '# seal 3 100 00000000\n',
    '\n',
    '# ',
    '#',
    '2026-11-22 15:11:21.956711651Z',
    '@HIVE',
    ',',
    'SET(',
    ')',
    '"',
    '\\',
  ],
  ...[
    '# merganser oplog 1 HIVE ',
    '# merganser oplog 2 ',
    '\0',
    '\r\n',
    'é',
    '9'.repeat(20),
    'DELETE(',
    'GET(',
    '{',
    '}',
    ':',
  ],
].map((piece) => Buffer.from(piece))

/** Real lines of the log: what a kernel wrote for the scripts of the corpus, and remarks as sessions write them. */
const WRITTEN = (() => {
  const pair = new Pair()
  for (const script of corpus('.in')) pair.run(script)
  const lines = pair.model.logs.flatMap((log) => log.toString().split('\n')).filter((line) => line !== '')
  return [
    ...lines,
    '# COMMIT',
    '# merge SQL 1..3 took 1 conflicts 0 at x.in:3',
    '# flush 1 upto 2 rows 1 tries 1 ms 0.5',
  ]
})()

/** A log with good seals over batches of lines. */
function sealed(batches: readonly (readonly string[])[]): Buffer {
  const parts = [headerLine(HEADER)]
  let [records, crc, pending] = [0, 0, parts[0]!]
  for (const lines of batches) {
    const body = Buffer.from(lines.map((line) => `${line}\n`).join(''))
    // A mutated line may hold line ends.
    for (const line of body.toString('latin1').split('\n').slice(0, -1)) if (!line.startsWith('#')) records++
    const batch = Buffer.concat([pending, body])
    const start = sealStart(records, batch.length)
    crc = crc32(start, crc32(batch, crc))
    parts.push(body, start, sealEnd(crc))
    pending = Buffer.alloc(0)
  }
  return Buffer.concat(parts)
}

const batchesOf = (draws: Draws, line: () => string): string[][] =>
  Array.from({ length: 1 + draws.below(3) }, () => Array.from({ length: 1 + draws.below(3) }, line))

const file = new OneFile('oplogs.hive', Buffer.alloc(0))
const disk = file.disk

async function linesRead(): Promise<string[]> {
  const report = await inspectLog(disk, '/state', 'HIVE')
  const lines: string[] = []
  for await (const { bytes, lines: count, starts, ends } of readLog(disk, report)) {
    for (let i = 0; i < count; i++) lines.push(bytes.toString('latin1', starts[i], ends[i]))
  }
  return lines
}

test('I7: a mutated log is refused with a code, or gives a prefix of what was written', async () => {
  const one = await fuzz({
    name: 'logs',
    inputs: { ci: 150_000, nightly: 3_000_000 },
    feed: async (draws) => {
      const batches = batchesOf(draws, () => draws.of(WRITTEN))
      const written = batches.flat().map((line) => Buffer.from(line).toString('latin1'))
      const whole = sealed(batches)
      file.bytes = mutated(draws, whole, PIECES, 2)
      const read = await linesRead()
      const wrong = read.findIndex((line, i) => line !== written[i])
      if (wrong >= 0) throw new Error(`line ${String(wrong)} of ${file.bytes.toString('latin1')}`)
      return true
    },
  })
  fed.push(one)
  expect(one.accepted).toBeGreaterThan(one.inputs / 100)
  expect(one.accepted).toBeLessThan(one.inputs)
})

test('I7: a log that was edited and sealed anew is read back as far as it can be understood', async () => {
  let state: ReplicaState = withTables(new ModelState())
  const one = await fuzz({
    name: 'edited logs with good seals, into a state',
    inputs: { ci: 50_000, nightly: 1_000_000 },
    feed: async (draws) => {
      if (draws.below(100) === 0) state = withTables(new ModelState())
      const line = () => {
        const text = draws.of(WRITTEN)
        return draws.below(3) === 0 ? mutated(draws, Buffer.from(text), PIECES, 2).toString('utf8') : text
      }
      file.bytes = sealed(batchesOf(draws, line))
      const report = await inspectLog(disk, '/state', 'HIVE')
      await readBack(disk, report, 0, Infinity, { catalog: CATALOG, state, replica: draws.below(3), count: false })
      return true
    },
  })
  fed.push(one)
  expect(one.accepted).toBeGreaterThan(0)
})

test('I7: the kernel reads mutated lines of a log back, or leaves them to the parser', async () => {
  const AT_ONCE = 500
  const parser = new LineParser(CATALOG, LOG_LIMITS)
  const statement = new Statement()
  let kernel = withTables(newKernel())
  kernel.fast.begin(settingsOf({}))
  const lines = WRITTEN.map((line) => Buffer.from(line))
  const end = Buffer.from('\n')
  let [turn, left] = [0, 0]
  const restored = (line: Buffer) => {
    left++
    try {
      parser.parse(line, 0, line.length, statement)
    } catch (error) {
      if (!(error instanceof MerganserError) || error.code === 'BUG') throw error
      return
    }
    const { op, stamp, table, input } = statement
    if (stamp !== undefined && (op === 'set' || op === 'delete'))
      kernel.restore(0, table, input, stamp, op === 'delete')
  }
  const one = await fuzz({
    name: 'lines of a log, into the kernel',
    inputs: { ci: 4_750_000, nightly: 95_000_000 },
    feed: (draws) => {
      if (++turn % 400 === 0) {
        kernel = withTables(newKernel())
        kernel.fast.begin(settingsOf({}))
      }
      const parts: Buffer[] = []
      // Most lines are changed where it hurts least to make them: one byte, in place.
      for (let i = 0; i < AT_ONCE; i++) {
        const line = draws.of(lines)
        if (draws.below(32) === 0) parts.push(mutated(draws, line, PIECES, 2), end)
        else {
          const changed = Buffer.from(line)
          changed[draws.below(changed.length)] = draws.below(256)
          parts.push(changed, end)
        }
      }
      const log = Buffer.concat(parts)
      kernel.fast.input(1).set(log)
      for (let at = 0; at < log.length;) {
        const result = kernel.fast.restore(1, at, log.length, 0, 1, Infinity, false)
        if (result.stop === 'end') break
        if (result.stop !== 'line' || result.at < at) throw new Error(`it stopped for ${result.stop}`)
        const lineEnd = log.indexOf(0x0a, result.at)
        restored(log.subarray(result.at, lineEnd))
        at = lineEnd + 1
      }
      return AT_ONCE
    },
  })
  fed.push(one)
  expect(left).toBeGreaterThan(0)
})

test('I7: mutated positions are refused, with their checksum made anew too', async () => {
  const content =
    '{"replicas":{"HIVE":{"log":"0123456789abcdef","records":7,"highWater":"2026-11-22 15:11:21.956711651Z","flushed":3,' +
    '"opened":true,"seen":{"SQL":{"log":"fedcba9876543210","position":4}},"vector":{"SQL":"2026-11-22 15:11:21.956711651Z"},' +
    '"quarantined":[{"table":"t","key":"(a)","reason":"x","since":2}]}}}'
  const pieces = ['{', '}', '[', ']', 'null', '1e999', '-1', '"', '\\u0000', '"__proto__":', ',', ':'].map((piece) =>
    Buffer.from(piece),
  )
  const one = await fuzz({
    name: 'positions',
    inputs: { ci: 50_000, nightly: 1_000_000 },
    feed: async (draws) => {
      const text = mutated(draws, Buffer.from(content), pieces, 3)
      const crc = crc32(text).toString(16).padStart(8, '0')
      const whole = Buffer.concat([Buffer.from(`{"format":1,"crc":"${crc}","content":`), text, Buffer.from('}\n')])
      const bytes = draws.below(4) === 0 ? mutated(draws, whole, pieces, 2) : whole
      const found = await readPositions(
        Object.assign(file.disk, { readFile: () => Promise.resolve(bytes) }),
        '/state/positions',
      )
      decodePositions(found!, '/state/positions')
      return true
    },
  })
  fed.push(one)
})

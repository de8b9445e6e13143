import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MerganserError } from '../../src/core/errors.ts'
import { ModelState } from '../../src/core/model/model-state.ts'
import type { ReplicaState } from '../../src/core/state.ts'
import type { KernelState } from '../../src/kernel/kernel-state.ts'
import { LOG_LIMITS } from '../../src/script/limits.ts'
import { LineParser } from '../../src/script/parser.ts'
import { Statement } from '../../src/script/statement.ts'
import { CATALOG, contentsOf, linesOf, NOW, Pair, settingsOf, withTables } from './fast-pair.ts'
import { commonScripts, edited, edits } from './scan-lines.ts'
import { newKernel, type Build } from './subjects.ts'

const SEED = 20261124
const REMARK = 0x23

/** Reads lines of a log back by parser and state, as the engine does where there is no fast path. */
class Reader {
  greatest = 0n
  readonly #parser = new LineParser(CATALOG, LOG_LIMITS, false)
  readonly #statement = new Statement()
  readonly #state: ReplicaState
  readonly #replica: number
  readonly #count: boolean

  constructor(state: ReplicaState, replica: number, count: boolean) {
    this.#state = state
    this.#replica = replica
    this.#count = count
  }

  /** False where the line is no record. */
  line(line: Buffer, record: number): boolean {
    if (line[0] === REMARK) return false
    const statement = this.#statement
    try {
      this.#parser.parse(line, 0, line.length, statement)
    } catch (error) {
      if (!(error instanceof MerganserError)) throw error
      return false
    }
    const { op, stamp, table, input } = statement
    if (stamp === undefined) return false
    if (stamp.time > this.greatest) this.greatest = stamp.time
    if (this.#count) this.#state.startAt(this.#replica, record)
    if (op !== 'get') this.#state.restore(this.#replica, table, input, stamp, op === 'delete')
    return true
  }
}

interface Options extends Build {
  readonly replica: number
  readonly count: boolean
  readonly upTo?: number
}

/** Reads a log back on both sides; gives how many lines the kernel left to the parser. */
function readBack(log: Buffer, { replica, count, upTo = Infinity, ...build }: Options): number {
  const model = withTables(new ModelState())
  const kernel: KernelState = withTables(newKernel(build))
  kernel.fast.begin(settingsOf({}))
  const expected = new Reader(model, replica, count)
  let record = 7
  for (const line of linesOf(log)) {
    if (record > upTo) break
    if (expected.line(line, record)) record++
  }
  const parser = new Reader(kernel, replica, count)
  let greatest = 0n
  let next = 7
  let left = 0
  kernel.fast.input(1).set(log)
  for (let at = 0; at < log.length;) {
    const result = kernel.fast.restore(1, at, log.length, replica, next, upTo, count)
    if (result.greatest > greatest) greatest = result.greatest
    expect(result.records[replica]).toBe(result.sets + result.deletes + result.gets)
    next += result.records[replica]!
    at = result.at
    if (result.stop === 'end') break
    expect(result.stop).toBe('line')
    const end = log.indexOf(0x0a, at)
    if (parser.line(log.subarray(at, end), next)) next++
    left++
    at = end + 1
  }
  expect(next).toBe(record)
  expect(greatest > parser.greatest ? greatest : parser.greatest).toBe(expected.greatest)
  expect(contentsOf(kernel)).toEqual(contentsOf(model))
  return left
}

/** The logs that a script leaves. */
function logsOf(script: Buffer): Buffer[] {
  const pair = new Pair()
  pair.run(script)
  return pair.kernel.logs.map((log) => Buffer.from(log.view()))
}

/** Whether a log's line has nothing in quotes, and nothing else that is read back by the parser. */
const isPlain = (line: Buffer) => !line.includes('"')

describe('the kernel reads its own log back', () => {
  test.each([true, false])('all plain lines are taken, each under its record (counted: %s)', (count) => {
    let lines = 0
    fc.assert(
      fc.property(commonScripts, fc.nat(2), (script, replica) => {
        const log = logsOf(script)[replica]!
        const quoted = linesOf(log).filter((line) => !isPlain(line)).length
        expect(readBack(log, { replica, count, build: 'debug' })).toBe(quoted)
        lines += linesOf(log).length
      }),
      { seed: SEED, numRuns: 60 },
    )
    expect(lines).toBeGreaterThan(1500)
  })

  test('remarks in any characters are skipped, and changed lines are left to the parser or mean the same', () => {
    const remarks = Buffer.from('# merganser oplog 1 HIVE x segment 1 from 0 after 00000000\n# flush ü, (1) "\n\n')
    fc.assert(
      fc.property(commonScripts, edits, (script, changes) => {
        const log = edited(logsOf(script)[0]!, changes)
        readBack(Buffer.concat([remarks, log]), { replica: 0, count: true })
      }),
      { seed: SEED + 1, numRuns: 60 },
    )
  })

  test('records after a given one are left', () => {
    fc.assert(
      fc.property(commonScripts, fc.nat(60), (script, records) => {
        readBack(logsOf(script)[0]!, { replica: 0, count: true, upTo: 6 + records })
      }),
      { seed: SEED + 2, numRuns: 40 },
    )
  })

  test('the stamp is needed, and the line is the replica’s own', () => {
    const stamp = '2026-11-22 15:11:21.956711651Z'
    const kernel = withTables(newKernel())
    kernel.fast.begin(settingsOf({}))
    const at = (line: string) => {
      const bytes = Buffer.from(`${line}\n`)
      kernel.fast.input(0).set(bytes)
      return kernel.fast.restore(0, 0, bytes.length, 0, 1, 9, true).stop
    }
    expect(at(`${stamp}, HIVE.SET((a,b), c)`)).toBe('end')
    expect(at(`${stamp}@OTHER, HIVE.SET((a,b), d)`)).toBe('end')
    expect(at(`${stamp}, MONGODB.SET((a,b), c)`)).toBe('line')
    expect(at('HIVE.SET((a,b), c)')).toBe('line')
    expect(at('1, HIVE.SET((a,b), c)')).toBe('line')
    expect(at(`${stamp}, HIVE.SET((a,b), "c")`)).toBe('line')
    expect(kernel.records(0)).toBe(1)
    expect(NOW).toBeGreaterThan(0n)
  })
})

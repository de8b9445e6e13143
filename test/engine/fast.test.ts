import { afterAll, describe, expect, test } from 'vitest'
import { ModelState, type ModelLimits } from '../../src/core/model/model-state.ts'
import { MerganserError } from '../../src/core/errors.ts'
import { finish } from '../../src/engine/finish.ts'
import { runScript } from '../../src/engine/run-script.ts'
import { openSession } from '../../src/engine/session.ts'
import type { EngineSetup } from '../../src/engine/setup.ts'
import { newKernel } from '../kernel/subjects.ts'
import { FastModel, Lent, type FastModelOptions } from './fast-model.ts'
import { Directories, log, ONE, PAIRS, setupOf, Told, type Hook, type Options } from './support.ts'

const directories = new Directories()
afterAll(() => directories.remove())

/** A clock that stands still, so that two runs give the same stamps. */
const clock = { nanoseconds: () => 1_795_000_000_000_000_000n, milliseconds: () => performance.now() }
const REPLICAS = { A: 'embedded-documents', B: 'embedded-documents' }
const TABLES = [ONE, PAIRS]

/** How a script comes in: in chunks of some bytes, cut where it says, or read into the state's own buffers. */
interface Input extends Options {
  readonly cuts?: readonly number[]
  /** Bytes of one read. */
  readonly reads?: number
  readonly signal?: AbortSignal
}

function source(script: string, { chunk = 64 * 1024, cuts, reads }: Input) {
  const bytes = Buffer.from(script)
  const ends = cuts ?? Array.from({ length: Math.ceil(bytes.length / chunk) }, (_, i) => (i + 1) * chunk)
  const chunks = [...ends, bytes.length].map((end, i, all) => bytes.subarray(i === 0 ? 0 : all[i - 1], end))
  let at = 0
  const reader = {
    read: (into: Uint8Array) => {
      const length = Math.min(reads ?? 0, into.length, bytes.length - at)
      // As a disk does: later, by another thread.
      return new Promise<number>((resolve) =>
        setImmediate(() => {
          into.set(bytes.subarray(at, at + length))
          at += length
          resolve(length)
        }),
      )
    },
    close: () => Promise.resolve(),
  }
  return { file: 'test.in', chunks, ...(reads === undefined ? {} : { reader }) }
}

/** The lines that a merge takes, and its conflicts, come in any order. */
function withMergesSorted(lines: readonly string[]): string[] {
  const taken = (line: string | undefined) => /^(?:\S+ \S+Z@|# conflict )/.test(line ?? '')
  const sorted: string[] = []
  for (let i = 0; i < lines.length;) {
    let end = i + 1
    if (taken(lines[i])) while (taken(lines[end])) end++
    sorted.push(...lines.slice(i, end).sort())
    i = end
  }
  return sorted
}

/** All that can be seen of a session over a script. */
async function seen(directory: string, script: string, options: Input = {}) {
  const told = new Told()
  const all = { replicas: REPLICAS, tables: TABLES, keepGoing: true, environment: { clock }, ...options }
  const session = await openSession(await setupOf(directory, told, all))
  let error: unknown
  let exited = false
  try {
    const { keepGoing } = all
    const signal = options.signal === undefined ? {} : { signal: options.signal }
    exited = await runScript(session, source(script, options), { keepGoing, ...signal })
  } catch (problem) {
    error = (problem as { code: string }).code
  }
  const report = await finish(session, () => 0)
  await session.close()
  const dry = options.dryRun === true
  const logs = await Promise.all(
    Object.keys(all.replicas).map(async (name) => (dry ? [] : await log(directory, name, true))),
  )
  const replicas = report.replicas.map(({ name, records, merged, flushed, written, digests, failure }) => {
    return { name, records, merged, flushed, written, digests, failure }
  })
  const { statements, found, conflicts, errors, expectationsFailed } = report
  return {
    lines: told.lines,
    problems: told.problems.map(({ code, place, message }) => [code, place.line, place.column, message]),
    failed: told.failed.map(({ line, expected, got }) => [line, expected, got]),
    error,
    exited,
    report: { statements, found, conflicts, errors, expectationsFailed, replicas },
    logs: logs.map((lines) => withMergesSorted(lines.filter((line) => !/^# (?:merganser|session|flush)/.test(line)))),
  }
}

const SCRIPT = [
  '\ufeffA.SET(a, 1)  # the first',
  'A.SET(b,2)\r',
  '',
  '  # nothing',
  'B.SET(a,3)',
  'A.GET(a)',
  'B.GET(a)\r',
  'A.GET(missing)',
  'A.SET("quoted key","quoted\\nvalue é")',
  'A.t.SET(k,{a: 1, b: \\N})',
  'A.t.GET(k)',
  'nonsense',
  'A.GET(a) = 1',
  'A.GET(a) = wrong',
  'A.DELETE(b)',
  'B.MERGE(A)',
  '17, B.GET(b)',
  'B.GET(a)',
  'B.SET(undone,1)',
  'B.UNDO',
  '2026-11-22 15:11:21.956711651Z@C, B.SET(z, stamped)',
  'B.GET(z)',
  'A.SET(é,ü)',
  'A.GET(é)',
  'FULL_SYNC',
  'COMMIT()',
  'A.SET(last,9)',
  'ROLLBACK',
  'A.GET(last)',
  'A.SET(unfinished,x)',
].join('\n')

/** What is tested, and over what. */
type Make = (options: FastModelOptions, lent: Lent) => EngineSetup['makeState']
interface Traits {
  /** Whether `FastModelOptions` mean anything to it: else what differs in nothing but them would be the same test again. */
  readonly heeds: boolean
  /** At every so many bytes a script is cut: memory that isn't shared is copied whole whenever it grows. */
  readonly step: number
}
const UNSHARED = { build: 'debug', shared: false } as const
const IMPLEMENTATIONS: readonly [string, Make, Traits][] = [
  ['a stand-in', (options, lent) => (limits) => new FastModel(limits, options, lent), { heeds: true, step: 1 }],
  ['the kernel', () => (limits) => newKernel(limits), { heeds: false, step: 1 }],
  [
    'the debug kernel in memory of its own',
    () => (limits) => newKernel({ ...UNSHARED, ...limits }),
    { heeds: false, step: 7 },
  ],
]

const isEmpty = (options: object): boolean => Object.keys(options).length === 0

/** The same over the model and over a fast path; all that was lent is given back. */
async function same(make: Make, script: string, options: Input, fast: FastModelOptions = {}): Promise<Lent> {
  const lent = new Lent()
  const [model, other] = [await directories.make(), await directories.make()]
  const expected = await seen(model, script, options)
  expect(await seen(other, script, { ...options, makeState: make(fast, lent) })).toEqual(expected)
  expect(lent.out).toBe(0)
  return lent
}

const WAYS: readonly (readonly [string, Input, FastModelOptions])[] = [
  ['all at once', {}, {}],
  ['in chunks of one byte', { chunk: 1 }, {}],
  ['in chunks larger than the buffers', {}, { input: 100 }],
  ['in buffers smaller than a line', {}, { input: 5 }],
  ['read into the buffers', { reads: 1000 }, { input: 200 }],
  ['read byte by byte', { reads: 1 }, {}],
  ['that move with every call', { chunk: 70 }, { moves: true }],
  ['that move, read into', { reads: 90 }, { moves: true, input: 64 }],
  ['of which no line is known', {}, { knows: () => false }],
  ['of which GETs are known', {}, { knows: (line: string) => line.includes('GET') }],
  ['of which SETs are known', {}, { knows: (line: string) => line.includes('SET(') }],
  ['with logs that are always full', {}, { logBytes: 0 }],
  ['with results that are always full', {}, { resultBytes: 0, logBytes: 150 }],
  ['without flushes', { flush: false }, {}],
  ['in a dry run', { dryRun: true }, {}],
]

describe.each(IMPLEMENTATIONS)('a script over %s', (_, make, { heeds, step }) => {
  const ways = WAYS.filter(([, options, fast]) => heeds || isEmpty(fast) || !isEmpty(options))

  test.each(ways)('gives what it gives over the model: %s', async (_what, options, fast) => {
    await same(make, SCRIPT, options, fast)
  })

  test(step === 1 ? 'is cut at every byte' : `is cut at every ${String(step)}th byte`, async () => {
    const model = await seen(await directories.make(), SCRIPT, { dryRun: true })
    const { length } = Buffer.from(SCRIPT)
    for (let cut = 0; cut <= length; cut += step) {
      const options = { dryRun: true, cuts: [cut], makeState: make({}, new Lent()) }
      expect(await seen('/nowhere', SCRIPT, options)).toEqual(model)
    }
  })

  if (heeds) {
    test('stops at any of its lines', async () => {
      const lines = SCRIPT.split('\n')
      for (const left of lines.keys()) {
        let at = 0
        // Lines that came once are known by their place: a line may be asked for more than once.
        const knows = (line: string) =>
          lines.findIndex((other) => other.replace('\r', '') === line) !== left || at++ < 0
        await same(make, SCRIPT, { flush: false }, { knows })
      }
    })
  }

  test('ends at the first error, at EXIT and at once, and what came before is kept', async () => {
    const head = 'A.SET(a,1)\nA.GET(a)\n'
    for (const rest of [
      'nonsense\nA.SET(a,2)\n',
      'EXIT\nnonsense',
      'A.SET(a,3)\nC.GET(a)',
      `A.SET(k,${'x'.repeat(99)})`,
    ]) {
      const options = { keepGoing: false, limits: { lineBytes: 60 } }
      await same(make, head + rest, options)
      await same(make, head + rest, { ...options, reads: 7 }, { input: 10 })
    }
  })

  test('counts its lines from the first to the last, whoever executed them', async () => {
    const script = Array.from({ length: 700 }, (_line, i) => (i % 97 === 96 ? 'wrong' : `A.SET(k${String(i)},v)`))
    const options = { dryRun: true, makeState: make({ input: 1000 }, new Lent()), chunk: 333 }
    const { problems } = await seen('/nowhere', script.join('\n'), options)
    expect(problems.map(([, line]) => line)).toEqual([97, 194, 291, 388, 485, 582, 679])
  })

  test('an oplog may hold longer lines than a script', async () => {
    const long = 'x'.repeat(3_000)
    const script = `# merganser oplog 1 A 00 segment 1 from 0 after 00000000\nA.SET(a,${long})\nA.GET(a)\n`
    await same(make, script, { limits: { lineBytes: 100 } }, { input: 256 })
    await same(make, script.slice(1), { limits: { lineBytes: 100 } }, { input: 256 })
  })

  test('I11: at the limit of rows a clear error, and everything before it is kept', async () => {
    const script = Array.from({ length: 50 }, (_line, i) => `A.SET(k${String(i)},v)`).join('\n')
    const rows = { limits: { memoryRows: 20 }, flush: false }
    const options = { ...rows, makeState: make({}, new Lent()) }
    const { error, logs, report } = await seen(await directories.make(), script, options)
    expect(error).toBe('MEMORY_LIMIT')
    expect(logs[0]).toHaveLength(20)
    expect(report.statements.set).toBe(20)
  })

  test('I11: where memory is full, a clear error, and everything before it is kept', async () => {
    const script = Array.from({ length: 50 }, (_line, i) => `A.SET(k${String(i)},v)`).join('\n')
    const makeState = (limits: ModelLimits) => new FastModel(limits, { memory: 20 }, new Lent())
    const { error, logs } = await seen(await directories.make(), script, { flush: false, makeState })
    expect(error).toBe('MEMORY_LIMIT')
    expect(logs[0]).toHaveLength(20)
  })

  test('an interruption ends it between two runs', async () => {
    const stop = new AbortController()
    stop.abort()
    for (const input of [{}, { reads: 1000 }]) {
      const options = { ...input, signal: stop.signal, dryRun: true, makeState: make({ input: 500 }, new Lent()) }
      const { exited, report } = await seen('/nowhere', 'A.SET(a,1)\n'.repeat(200_000), options)
      expect(exited).toBe(true)
      expect(report.statements.set).toBeLessThan(200_000)
    }
  })

  test('I13: lines and results keep their order while GETs wait for their answers', async () => {
    const results = []
    const before = Array.from({ length: 40 }, (_line, i) => `A.SET(k${String(i)},old)`).join('\n')
    const body = Array.from({ length: 400 }, (_line, i) => {
      const key = `k${String((i * 7) % 60)}`
      if (i % 9 === 0) return `A.GET(${key})`
      if (i % 31 === 0) return 'B.MERGE(A)'
      if (i % 53 === 0) return 'A.GET("k1") = old'
      return i % 3 === 0
        ? `B.GET(n${String(i % 5)})`
        : `${i % 2 === 0 ? 'A' : 'B'}.SET(n${String(i % 5)},v${String(i)})`
    }).join('\n')
    const lent = new Lent()
    const various = [
      { logBytes: 100, input: 300 },
      { moves: true, input: 90 },
    ]
    for (const fast of [undefined, {}, ...(heeds ? various : [])]) {
      const directory = await directories.make()
      await seen(directory, before)
      let calls = 0
      const hook: Hook = (_replica, call) =>
        call === 'readRows' ? new Promise((resolve) => setTimeout(resolve, (calls++ * 7) % 11)) : undefined
      const later = { ...clock, nanoseconds: () => clock.nanoseconds() + 1_000_000_000n }
      const state = fast === undefined ? {} : { makeState: make(fast, lent) }
      results.push(await seen(directory, body, { hook, environment: { clock: later }, ...state }))
    }
    expect(results[0]!.report.statements.get).toBeGreaterThan(100)
    for (const result of results) expect(result).toEqual(results[0])
    expect(lent.out).toBe(0)
  })

  test('I4: a log that fails gives everything back and acknowledges nothing more', async () => {
    const lent = new Lent()
    const directory = await directories.make()
    const told = new Told()
    const setup = await setupOf(directory, told, { replicas: REPLICAS, tables: TABLES, makeState: make({}, lent) })
    const real = setup.environment.disk
    let broken = false
    const disk = Object.assign(Object.create(real) as typeof real, {
      open: async (path: string, mode: 'read' | 'append' | 'create') => {
        const file = await real.open(path, mode)
        const append = file.append.bind(file)
        file.append = (buffers) =>
          broken ? Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' })) : append(buffers)
        return file
      },
    })
    const session = await openSession({ ...setup, environment: { ...setup.environment, disk } })
    const sets = Array.from({ length: 5_000 }, (_line, i) => `A.SET(k${String(i)},v)\n`).join('')
    broken = true
    const script = runScript(session, source(`${sets}A.GET(k1)\n`, {}), { keepGoing: false })
    await script.catch(() => undefined)
    await expect(session.engine.durable()).rejects.toMatchObject({ code: 'STATE_UNUSABLE' })
    await expect(session.close()).rejects.toMatchObject({ code: 'STATE_UNUSABLE' })
    expect(told.lines).toEqual([])
    expect(lent.out).toBe(0)
  })
})

test.each([
  ['is written', () => false],
  ['fails once', (call: number) => call === 1],
  ['fails for ever', () => true],
  ['fails after one was written', (call: number) => call > 1],
])('I11: every batch of a flush is given back once, also the one gathered ahead: the write %s', async (_, fails) => {
  const lent = new Lent()
  const directory = await directories.make()
  let calls = 0
  const hook: Hook = (replica, call) =>
    replica === 'A' && call === 'writeRows' && fails(++calls)
      ? Promise.reject(new MerganserError('CONNECTION_LOST', 'away'))
      : undefined
  const makeState = (limits: ModelLimits) => new FastModel(limits, {}, lent)
  const options = { replicas: REPLICAS, tables: TABLES, hook, makeState, retrySeconds: fails(3) ? 0 : 30 }
  const session = await openSession(await setupOf(directory, new Told(), options))
  const sets = Array.from({ length: 110_000 }, (_line, i) => `A.SET(k${String(i)},v)\n`).join('')
  await runScript(session, source(sets, {}), { keepGoing: false })
  const { replicas } = await finish(session, () => 0)
  await session.close()
  expect(replicas[0]).toMatchObject(fails(3) ? { failure: { code: 'DATABASE_UNREACHABLE' } } : { pending: 0 })
  expect(calls).toBeGreaterThan(fails(1) && fails(3) ? 0 : 1)
  expect(lent.out).toBe(0)
})

const RESTARTS: readonly (readonly [string, FastModelOptions])[] = [
  ['line by line', { input: 100 }],
  ['in one piece', {}],
  ['of which no line is known', { knows: () => false }],
  ['of which every other line is known', { knows: (line) => line.length % 2 === 0 }],
  ['that move', { moves: true, input: 150 }],
  ['smaller than a line', { input: 20 }],
]

describe.each(IMPLEMENTATIONS)('a restart over %s', (_, make, { heeds }) => {
  const state = async (directory: string, makeState: EngineSetup['makeState']) => {
    return await seen(directory, 'FULL_SYNC\nA.GET(a)\nB.GET(z)', { flush: false, makeState })
  }

  const ways = RESTARTS.filter(([, fast]) => heeds || isEmpty(fast))

  test.each(ways)('reads back what the model reads back: %s', async (_what, fast) => {
    const lent = new Lent()
    const results = []
    for (const makeState of [(limits: ModelLimits) => new ModelState(limits), make(fast, lent)]) {
      const directory = await directories.make()
      const script = `${SCRIPT}\nA.SET(long,${'x'.repeat(2_000)})\nB.t.SET(k2,{a: ":", b: x})`
      await seen(directory, script, { flush: false, segmentBytes: 700, commitMilliseconds: 1 })
      results.push(await state(directory, makeState))
    }
    expect(results[1]).toEqual(results[0])
    expect(lent.out).toBe(0)
  })
})

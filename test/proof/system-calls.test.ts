import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SeededRandom } from '../../src/core/seeded-random.ts'
import { firstSeed, record, runsOf } from '../support/proof.ts'
import { compileC, compilerMissing } from './support/writer/compiler.ts'
import { Judge } from './support/writer/judge.ts'
import { LIMIT } from './support/writer/limits.ts'
import { operations } from './support/writer/operations.ts'
import { expectSaid, stateOf, Writer, type Ended, type Plan, type Start } from './support/writer/process.ts'
import { reopen } from './support/writer/settle.ts'
import { callsOf, straceMissing, underStrace, type Call, type Injection } from './support/writer/strace.ts'

const REPLICAS = { A: 'embedded-documents', B: 'embedded-documents' }
const NAMES = Object.keys(REPLICAS)
const PROGRAMS = ['library', 'command'] as const
type Program = Plan['program']

/** The first so many calls, each with each of the four faults. */
const CALLS = runsOf({ ci: 60, nightly: 500 })
/** Acknowledgements of a run: three to five calls each. */
const BATCHES = Math.ceil(CALLS / 2)

const total = { runs: 0, failures: 0, acknowledged: 0 }
const injected = new Map<string, number>()
const count = (what: string) => injected.set(what, (injected.get(what) ?? 0) + 1)

let directory = ''
let missing: string | undefined
/** What the writers call when nothing fails, in order. */
const calls = new Map<Program, Call[]>()
let runs = 0

beforeAll(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'merganser-calls-')))
  missing = (await straceMissing()) ?? (await compilerMissing())
  if (missing !== undefined) return
  for (const program of PROGRAMS) {
    const { plan, judge } = await planOf(program)
    const trace = join(plan.directory, 'trace')
    const writer = await Writer.start(plan, traced(plan, trace))
    const ended = await writer.ended
    expect(ended, `${ended.err} ${writer.said.at(-1) ?? ''}`.slice(0, 1000)).toMatchObject({ status: 0 })
    writer.report(judge)
    expect(judge.counts.acknowledged).toBe(plan.operations.length)
    calls.set(program, await callsOf(trace))
    expect(calls.get(program)!.length).toBeGreaterThan(CALLS)
  }
})

afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
  record({
    name: 'each of the first calls of the system failing',
    invariants: ['I4', 'I7'],
    runs: total.runs,
    failures: total.failures,
    firstSeed: firstSeed(),
    injected: Object.fromEntries(injected),
    figures: { 'acknowledged operations': total.acknowledged },
  })
})

async function planOf(program: Program): Promise<{ plan: Plan; judge: Judge }> {
  const own = join(directory, String(runs++))
  await mkdir(own)
  const judge = new Judge(NAMES)
  const asked = operations(new SeededRandom(firstSeed()), NAMES, { first: 1, count: BATCHES * 3 })
  judge.asks(asked)
  // Databases come elsewhere: here it is about what is acknowledged.
  const plan: Plan = {
    ...{ program, directory: own, replicas: REPLICAS, operations: asked },
    ...{ batch: 3, flush: false, segmentBytes: program === 'library' ? 5_000 : 65_536 },
  }
  return { plan, judge }
}

const traced = (plan: Plan, trace: string, strike?: { readonly call: Call; readonly with: Injection }): Start =>
  underStrace({
    ...{ state: stateOf(plan), replicas: NAMES, names: runs.toString(16).padStart(4, '0'), trace },
    ...(strike === undefined ? {} : { strike }),
  })

/** Runs a writer to its end, whatever befalls it; then all that it acknowledged must be there. */
async function struckRun(
  program: Program,
  start: (plan: Plan) => Start,
): Promise<{ writer: Writer; ended: Ended; plan: Plan }> {
  const { plan, judge } = await planOf(program)
  const writer = await Writer.start(plan, start(plan))
  const ended = await writer.ended
  writer.report(judge)
  await reopen(stateOf(plan), REPLICAS, judge, { flush: false })
  total.runs++
  total.acknowledged += judge.counts.acknowledged
  return { writer, ended, plan }
}

/** Positions only save time: that they couldn't be written is said, and nothing else need fail. */
async function expectPositionsOnly(writer: Writer, call: Call): Promise<void> {
  expect(call.text, 'the run went on').toMatch(/positions|"\{\\"format|^\d+ +f(?:data)?sync/)
  expect(await writer.told()).toContain("the positions can't be written: ")
}

async function strike(at: number, injection: Injection): Promise<void> {
  // Both programs meet every kind of fault.
  const program = PROGRAMS[(at + (injection === 'ENOSPC' ? 1 : 0)) % 2]!
  const call = calls.get(program)![at]!
  const { writer, ended, plan } = await struckRun(program, (plan) =>
    traced(plan, join(plan.directory, 'trace'), { call, with: injection }),
  )
  const seen = await callsOf(join(plan.directory, 'trace'))
  const struck = injection === 'kill' ? ended.signal === 'SIGKILL' : seen.some((one) => one.injected)
  expect(struck, `the fault was injected into ${call.text}`).toBe(true)
  count(`${injection} at ${call.name}`)
  if (injection === 'kill') return
  const which = seen.find((one) => one.injected)!
  if (ended.status === 0) await expectPositionsOnly(writer, which)
  else await expectSaid(writer, 4, injection === 'EIO' ? 'STATE_UNUSABLE' : 'STATE_FULL')
}

async function named(what: string, work: Promise<void>): Promise<void> {
  try {
    await work
  } catch (error) {
    total.failures++
    throw new Error(`${what}, seed ${String(firstSeed())}`, { cause: error })
  }
}

test.for(['EIO', 'ENOSPC', 'kill'] as const)(
  'I4: %s at each of the first calls: nothing is acknowledged that is not there, and it is said',
  { timeout: LIMIT },
  async (injection, { skip }) => {
    if (missing !== undefined) skip(missing)
    for (let at = 0; at < CALLS; at++) await named(`${injection} at call ${String(at + 1)}`, strike(at, injection))
  },
)

test(
  'I4: each of the first writes being a short one: the rest follows, and nothing is lost',
  async ({ skip }) => {
    if (missing !== undefined) skip(missing)
    const library = await compileC('short-write.c', join(directory, 'short-write.so'), ['-shared', '-fPIC', '-ldl'])
    for (let at = 1; at <= CALLS; at++) {
      const program = PROGRAMS[at % 2]!
      await named(`short write ${String(at)}`, shortWrite(program, at, library))
    }
  },
  LIMIT,
)

async function shortWrite(program: Program, at: number, library: string): Promise<void> {
  const { writer, ended, plan } = await struckRun(program, (plan) => ({
    env: {
      LD_PRELOAD: library,
      SHORT_WRITE_BELOW: `${stateOf(plan)}/`,
      SHORT_WRITE_AT: String(at),
      SHORT_WRITE_TOLD: join(plan.directory, 'told'),
    },
  }))
  const told = join(plan.directory, 'told')
  expect(existsSync(told), 'the write was made short').toBe(true)
  count(`short ${(await readFile(told, 'utf8')).split(' ')[0]!}`)
  // A short write is no error: who writes goes on with the rest.
  expect(ended, ended.err + writer.said.join('\n').slice(-1000)).toMatchObject({ status: 0 })
}

import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SeededRandom } from '../../src/core/seeded-random.ts'
import { log } from '../engine/support.ts'
import { eachSeed, firstSeed, record, runsOf } from '../support/proof.ts'
import { checkState, Judge } from './support/writer/judge.ts'
import { LIMIT } from './support/writer/limits.ts'
import { operations } from './support/writer/operations.ts'
import { stateOf, Writer, type Plan } from './support/writer/process.ts'
import { settle } from './support/writer/settle.ts'

const { faketime } = (await import(new URL('../../scripts/services/faketime.mjs', import.meta.url).href)) as {
  faketime: (report: (text: string) => void) => Promise<{ library: string } | { missing: string }>
}

const COMMAND = fileURLToPath(new URL('../../bin/merganser.js', import.meta.url))
const REPLICAS = { A: 'embedded-documents', B: 'embedded-documents' }
const NAMES = Object.keys(REPLICAS)
const SESSIONS = runsOf({ ci: 12, nightly: 500 })
/** The wall clock against the true one: an hour on, an hour back, before all sessions there were, wild years. */
const STEPS = ['+1h', '-1h', '-400d', '+0', '-10s']
/** Once the clock was there, stamps stay: for the last sessions only. */
const WILD = [...STEPS, '+1d', '+3y', '+30y']

let directory = ''
let library = ''
let missing: string | undefined
const total = { sessions: 0, failures: 0, stamps: 0, refused: 0 }
const steps = new Map<string, number>()
const judge = new Judge(NAMES)

beforeAll(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'merganser-clock-')))
  const found = await faketime((text) => process.stderr.write(`libfaketime: ${text}\n`))
  if ('missing' in found) ({ missing } = found)
  else ({ library } = found)
}, LIMIT)

afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
  record({
    name: 'steps of the wall clock',
    invariants: ['I3', 'I4', 'I12'],
    runs: total.sessions,
    failures: total.failures,
    firstSeed: firstSeed(),
    injected: {
      ...Object.fromEntries([...steps].map(([step, times]) => [`clock set to ${step}`, times])),
      'stamp too far in the future refused': total.refused,
    },
    figures: { 'stamps compared': total.stamps, 'acknowledged operations': judge.counts.acknowledged },
  })
})

const clockFile = () => join(directory, 'clock')

/** Every process that has the library sees the step at its next look at the clock. */
async function setClock(to: string): Promise<void> {
  await writeFile(`${clockFile()}.new`, `${to}\n`)
  await rename(`${clockFile()}.new`, clockFile())
}

const fakeClock = () => ({
  LD_PRELOAD: library,
  FAKETIME_TIMESTAMP_FILE: clockFile(),
  FAKETIME_NO_CACHE: '1',
  FAKETIME_DONT_FAKE_MONOTONIC: '1',
})

test(
  'I3: stamps strictly rise and nothing is lost, whatever steps the wall clock takes',
  async ({ skip }) => {
    if (missing !== undefined) skip(missing)
    await eachSeed(total, SESSIONS, 'session', async (seed, session) => {
      await stepped(new SeededRandom(seed), session < SESSIONS / 2 ? STEPS : WILD)
      total.sessions++
    })
    const state = join(directory, 'state')
    await checkStamps(state)
    await settle(state, REPLICAS, judge)
  },
  LIMIT,
)

/** One session, through some steps of the clock; every third one is killed. */
async function stepped(random: SeededRandom, clocks: readonly string[]): Promise<void> {
  const asked = operations(random, NAMES, { first: judge.next, count: 200 })
  const plan: Plan = { program: 'library', directory, replicas: REPLICAS, operations: asked, batch: 5 }
  judge.asks(asked)
  const step = async () => {
    const to = random.pick(clocks)
    await setClock(to)
    steps.set(to, (steps.get(to) ?? 0) + 1)
  }
  await step()
  const writer = await Writer.start(plan, { env: fakeClock() })
  for (let lines = 4; lines < 40; lines += 1 + random.below(15)) {
    await writer.says(lines)
    await step()
  }
  const ended = random.below(3) === 0 ? await writer.kill() : await writer.ended
  writer.report(judge)
  if (ended.signal === null) expect(ended.status, await writer.told()).toBe(0)
  await checkState(stateOf(plan), NAMES)
}

/** Of all SETs in all logs, in the order of their stamps, the numbers rise: the order in which they were asked for. */
async function checkStamps(state: string): Promise<void> {
  const stamps = new Map<number, string>()
  for (const name of NAMES) {
    for (const line of await log(state, name)) {
      const found = /^([^,@]+Z)(?:@(\w+))?, *(\w+)\.(?:\w+\.)?SET\(.*?(\d+)-x*\./.exec(line)
      if (found === null) continue
      const [, time, origin = name, , n] = found
      const stamp = `${time!}@${origin}`
      const known = stamps.get(Number(n))
      expect(known ?? stamp, `I2: ${name} has operation ${n!} under its own stamp`).toBe(stamp)
      stamps.set(Number(n), stamp)
    }
  }
  const ordered = [...stamps].sort(([a], [b]) => a - b).map(([, stamp]) => stamp.split('@')[0]!)
  for (const [i, time] of ordered.entries())
    if (i > 0) expect(time > ordered[i - 1]!, `${ordered[i - 1]!} < ${time}`).toBe(true)
  total.stamps = ordered.length
  expect(ordered.length).toBeGreaterThan(SESSIONS * 20)
}

test('I3: a stamp that comes from elsewhere is refused where the clock says that it is too far ahead', async ({
  skip,
}) => {
  if (missing !== undefined) skip(missing)
  const own = join(directory, 'elsewhere')
  await mkdir(own)
  await writeFile(join(own, 'merganser.yaml'), JSON.stringify({ replicas: { A: { type: 'embedded-documents' } } }))
  const stamp = new Date().toISOString().replace('T', ' ').replace('Z', '000001Z')
  const input = `${stamp},A.SET((k,c),late)\nA.GET((k,c))\n`
  await setClock('-25h')
  const refused = await runCommand(own, input)
  expect(refused).toMatchObject({ status: 2, out: '' })
  expect(refused.err).toContain('FUTURE_STAMP: ')
  total.refused++
  await setClock('-23h')
  expect(await runCommand(own, input)).toMatchObject({ status: 0, out: 'A.GET((k,c)) = late\n' })
  // What was taken is our own now: the clock may go back as far as it likes.
  await setClock('-400d')
  const after = await runCommand(own, 'A.GET((k,c))\nA.SET((k,c),later)\nA.GET((k,c))\n')
  expect(after).toMatchObject({ status: 0, out: 'A.GET((k,c)) = late\nA.GET((k,c)) = later\n' })
})

/** `merganser run` of an input under the fake clock. */
async function runCommand(cwd: string, input: string): Promise<{ status: unknown; out: string; err: string }> {
  return await new Promise((resolve) => {
    const env = { ...process.env, ...fakeClock() }
    const child = execFile(process.execPath, [COMMAND, 'run'], { cwd, env, timeout: 60_000 }, (error, out, err) => {
      resolve({ status: error === null ? 0 : error.code, out, err })
    })
    child.stdin!.end(input)
  })
}

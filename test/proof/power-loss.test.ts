import { mkdir, mkdtemp, open, readFile, realpath, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SeededRandom } from '../../src/core/seeded-random.ts'
import { eachSeed, firstSeed, record, runsOf } from '../support/proof.ts'
import { compileC, compilerMissing } from './support/writer/compiler.ts'
import { checkState, Judge } from './support/writer/judge.ts'
import { Mounted, mountMissing, system } from './support/writer/mounted.ts'
import { LIMIT } from './support/writer/limits.ts'
import { operations } from './support/writer/operations.ts'
import { Writer, type Plan } from './support/writer/process.ts'
import { settle } from './support/writer/settle.ts'

const REPLICAS = { A: 'embedded-documents', B: 'embedded-documents' }
const NAMES = Object.keys(REPLICAS)
const RUNS = runsOf({ ci: 50, nightly: 5_000 })
/** Waits for what the system does at once. */
const STOP_LIMIT = 120_000

let directory = ''
let missing: string | undefined
let powerOff = ''
let disk: Mounted | undefined
const total = { runs: 0, failures: 0, torn: 0, unsynced: 0 }
const judge = new Judge(NAMES)

beforeAll(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'merganser-power-')))
  missing = (await mountMissing(directory)) ?? (await compilerMissing())
  if (missing !== undefined) return
  powerOff = await compileC('power-off.c', join(directory, 'power-off'))
  try {
    disk = await Mounted.ext4(join(directory, 'disk'), join(directory, 'image'), 96)
  } catch (error) {
    missing = `no ext4 on a loop device: ${(error as Error).message.split('\n')[0]!}`
  }
})

afterAll(async () => {
  await disk?.remove()
  await rm(directory, { recursive: true, force: true })
  record({
    name: 'power loss while writing, then reopened',
    invariants: ['I4', 'I6', 'I7', 'I12'],
    runs: total.runs,
    failures: total.failures,
    firstSeed: firstSeed(),
    injected: { 'power loss': total.runs, 'unsynced files lost': total.unsynced },
    figures: {
      'acknowledged operations': judge.counts.acknowledged,
      'rows compared': judge.counts.compared,
      'bytes of torn tails': total.torn,
    },
  })
})

/** Stopped, so that it says nothing more: what it has said until now is acknowledged. */
async function stop(writer: Writer): Promise<void> {
  writer.child.kill('SIGSTOP')
  const until = Date.now() + STOP_LIMIT
  for (;;) {
    const text = await readFile(`/proc/${String(writer.child.pid)}/stat`, 'utf8').catch(() => ') Z')
    if (/\) [TZX]/.test(text)) return
    expect(Date.now(), 'it stops').toBeLessThan(until)
    await pause(2)
  }
}

/** The power goes, and comes back. */
async function lose(): Promise<void> {
  await system(powerOff, disk!.path)
}

test(
  'I4: after a power loss at random moments every acknowledged operation is there',
  async ({ skip }) => {
    if (missing !== undefined) skip(missing)
    await eachSeed(total, RUNS, 'power loss', async (seed) => {
      await powerLoss(new SeededRandom(seed))
      total.runs++
    })
    await settle(join(disk!.path, 'state'), REPLICAS, judge)
    expect(judge.counts.acknowledged).toBeGreaterThan(RUNS)
    expect(total.unsynced, 'the power went').toBeGreaterThan(RUNS / 2)
  },
  LIMIT,
)

async function powerLoss(random: SeededRandom): Promise<void> {
  const own = join(directory, 'plan')
  await mkdir(own, { recursive: true })
  const state = join(disk!.path, 'state')
  const asked = operations(random, NAMES, { first: judge.next, count: 400 })
  const plan: Plan = {
    ...{ program: 'library', directory: own, state, replicas: REPLICAS, operations: asked },
    ...{ batch: 1 + random.below(8), segmentBytes: 40_000 },
  }
  judge.asks(asked)
  // What nobody synced is lost: or this would show nothing.
  const unsynced = join(disk!.path, 'unsynced')
  const writer = await Writer.start(plan)
  await writer.says(1 + random.below(3 + Math.floor(200 / plan.batch)))
  await pause(random.below(20))
  const file = await open(unsynced, 'w')
  await file.write('x'.repeat(5000))
  await file.close()
  await stop(writer)
  await lose()
  await writer.kill()
  writer.report(judge)
  await disk!.unmount()
  await disk!.mount()
  const left = await stat(unsynced).catch(() => undefined)
  if ((left?.size ?? 0) === 0) total.unsynced++
  await rm(unsynced, { force: true })
  total.torn += await checkState(state, NAMES)
}

import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SeededRandom } from '../../src/core/seeded-random.ts'
import { eachSeed, firstSeed, record, runsOf } from '../support/proof.ts'
import { checkState, Judge } from './support/writer/judge.ts'
import { Mounted, mountMissing } from './support/writer/mounted.ts'
import { LIMIT } from './support/writer/limits.ts'
import { operations } from './support/writer/operations.ts'
import { expectSaid, Writer, type Plan } from './support/writer/process.ts'
import { reopen, settle } from './support/writer/settle.ts'

const REPLICAS = { A: 'embedded-documents', B: 'embedded-documents' }
const NAMES = Object.keys(REPLICAS)
const RUNS = runsOf({ ci: 20, nightly: 500 })
const KIB = 1024
const ROOM = 64 * KIB * KIB

let directory = ''
let missing: string | undefined
const total = { runs: 0, failures: 0, refused: 0, acknowledged: 0 }

beforeAll(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'merganser-full-')))
  missing = await mountMissing(directory)
})

afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
  record({
    name: 'disk full',
    invariants: ['I4', 'I7', 'I12'],
    runs: total.runs,
    failures: total.failures,
    firstSeed: firstSeed(),
    injected: { 'disk full': total.runs, 'opened while it was full': total.refused },
    figures: { 'acknowledged operations': total.acknowledged },
  })
})

test(
  'I4: on a full disk nothing more is acknowledged, it is said, and with room it goes on',
  async ({ skip }) => {
    if (missing !== undefined) skip(missing)
    await eachSeed(total, RUNS, 'run', async (seed, run) => {
      await filled(seed, run)
      total.runs++
    })
  },
  LIMIT,
)

/** A disk of some size is written full, asked, written to once more, and then gets room. */
async function filled(seed: number, run: number): Promise<void> {
  const random = new SeededRandom(seed)
  const own = join(directory, `plan-${String(run)}`)
  await mkdir(own)
  // Every fourth one with databases, which want some room before they hold anything.
  const flush = run % 4 === 3
  const size = (flush ? 512 + random.below(2048) : 64 + random.below(256)) * KIB
  const disk = await Mounted.tmpfs(join(directory, `disk-${String(run)}`), size)
  const judge = new Judge(NAMES)
  const state = join(disk.path, 'state')
  const session = async (program: Plan['program'], count: number, batch: number): Promise<Writer> => {
    const asked = operations(random, NAMES, { first: judge.next, count })
    judge.asks(asked)
    const plan: Plan = { program, directory: own, state, replicas: REPLICAS, operations: asked, batch, flush }
    const writer = await Writer.start(plan)
    await writer.ended
    writer.report(judge)
    return writer
  }
  try {
    const program = run % 2 === 0 ? 'library' : 'command'
    await expectSaid(await session(program, flush ? 8_000 : 2_000, flush ? 100 : 10), 4, 'STATE_FULL')
    await checkState(state, NAMES)
    // Still full: it opens and gets no further, or doesn't open; and says the same.
    await expectSaid(await session('library', 6_000, 100), 4, 'STATE_FULL')
    total.refused++
    await checkState(state, NAMES)
    await disk.resize(ROOM)
    expect((await (await session(program, 50, 5)).ended).status).toBe(0)
    if (flush) await settle(state, REPLICAS, judge)
    else await reopen(state, REPLICAS, judge, { flush })
    total.acknowledged += judge.counts.acknowledged
  } finally {
    await disk.remove()
  }
}

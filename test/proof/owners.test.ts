import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SeededRandom } from '../../src/core/seeded-random.ts'
import { eachSeed, firstSeed, record, runsOf } from '../support/proof.ts'
import { checkState, Judge } from './support/writer/judge.ts'
import { Mounted, mountMissing } from './support/writer/mounted.ts'
import { LIMIT } from './support/writer/limits.ts'
import { operations, type Operation } from './support/writer/operations.ts'
import { expectSaid, Writer, type Plan } from './support/writer/process.ts'
import { settle } from './support/writer/settle.ts'

const DOCUMENTS = 'embedded-documents'
const WAREHOUSE = 'embedded-warehouse'
const REPLICAS = { A: DOCUMENTS, B: DOCUMENTS }
const NAMES = Object.keys(REPLICAS)
const RACES = runsOf({ ci: 20, nightly: 500 })
/** So many that none of them is done before the other one has come. */
const MANY = 4_000
/** So many that an owner is not done while another one waits for it, which takes seconds. */
const ENDLESS = 60_000

let directory = ''
const total = { races: 0, failures: 0, taken: 0, databases: 0 }

beforeAll(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'merganser-owners-')))
})

afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
  record({
    name: 'two owners at once',
    invariants: ['I9'],
    runs: total.races + total.databases,
    failures: total.failures,
    firstSeed: firstSeed(),
    injected: {
      'two starts on one state directory': total.races,
      'lock of a killed process taken over': total.taken,
      'two owners of one embedded database': total.databases,
    },
  })
})

test(
  'I9: of two that start at once on one state directory one wins, and the other says who; killed, it is followed',
  async () => {
    const judge = new Judge(NAMES)
    const state = join(directory, 'state')
    await eachSeed(total, RACES, 'race', async (seed, race) => {
      await raced(new SeededRandom(seed), state, judge, race)
      total.races++
      if (race > 0) total.taken++
    })
    await settle(state, REPLICAS, judge)
  },
  LIMIT,
)

/** Two at once; the one that wins is killed, so that the next two find a dead owner's lock. */
async function raced(random: SeededRandom, state: string, judge: Judge, race: number): Promise<void> {
  const contenders: { readonly writer: Writer; readonly asked: readonly Operation[] }[] = []
  for (let i = 0; i < 2; i++) {
    const asked = operations(random, NAMES, { first: judge.next + i * MANY, count: MANY })
    const own = join(directory, `contender-${String(i)}`)
    await mkdir(own, { recursive: true })
    const program = (race + i) % 4 === 3 ? 'command' : 'library'
    const plan: Plan = {
      program,
      directory: own,
      state,
      replicas: REPLICAS,
      operations: asked,
      batch: 4,
      flush: race % 2 === 0,
    }
    contenders.push({ writer: await Writer.start(plan), asked })
  }
  try {
    const lost = await Promise.race(contenders.map(({ writer }, i) => writer.ended.then(() => i)))
    const [loser, winner] = [contenders[lost]!, contenders[1 - lost]!]
    await expectSaid(loser.writer, 4, 'STATE_LOCKED')
    expect(await loser.writer.told()).toContain(`in use by pid ${String(winner.writer.child.pid)} on `)
    await winner.writer.says(3)
    expect(winner.writer.child.exitCode, 'the one that won goes on').toBe(null)
    judge.asks(winner.asked)
    await winner.writer.kill()
    winner.writer.report(judge)
    await checkState(state, NAMES)
  } finally {
    for (const { writer } of contenders) await writer.kill()
  }
}

test.for([DOCUMENTS, WAREHOUSE])(
  'I9: another state directory on the same database is refused while its owner lives: %s',
  { timeout: LIMIT },
  async (type, { skip }) => {
    const own = join(directory, type)
    await mkdir(own)
    const missing = await mountMissing(own)
    if (missing !== undefined) skip(missing)
    const replicas = { A: type, B: DOCUMENTS }
    const sides = await Promise.all([1, 2].map((n) => side(join(own, String(n)), replicas, n)))
    const [first, second] = [sides[0]!, sides[1]!]
    const owner = await Writer.start({ ...first, operations: first.operations, batch: 4 })
    // SYNC was acknowledged: the database is open.
    await owner.acknowledges()
    const shared = await Mounted.bind(
      join(second.directory, 'state/databases/a'),
      join(first.directory, 'state/databases/a'),
    )
    try {
      const other = await Writer.start({ ...second, batch: 50 })
      await other.ended
      await expectSaid(other, 3, 'DATABASE_LOCKED')
      expect(await other.told()).toContain(`pid ${String(owner.child.pid)}`)
      expect(owner.child.exitCode).toBe(null)
      await owner.kill()
      // The owner is gone: its lock is taken over, and the rows of both are joined there.
      const again = await Writer.start({ ...second, operations: [], batch: 1 })
      expect((await again.ended).status, await again.told()).toBe(0)
      total.databases++
    } finally {
      await owner.kill()
      await shared.unmount()
    }
  },
)

/** A configuration of its own over a database that another one may have. */
async function side(own: string, replicas: Plan['replicas'], n: number): Promise<Omit<Plan, 'batch'>> {
  await mkdir(own)
  const names = Object.keys(replicas)
  const sync: Operation = { n: n * ENDLESS, op: 'sync' }
  const asked = operations(new SeededRandom(firstSeed() + n), names, {
    first: n * ENDLESS + 1,
    count: n === 1 ? ENDLESS - 1 : 40,
  })
  return { program: 'library', directory: own, replicas, operations: [...asked.slice(0, 3), sync, ...asked.slice(3)] }
}

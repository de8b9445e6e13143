import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { SeededRandom } from '../../src/core/seeded-random.ts'
import { firstSeed, record, runsOf } from '../support/proof.ts'
import { checkState, Judge } from './support/writer/judge.ts'
import { LIMIT } from './support/writer/limits.ts'
import { operations } from './support/writer/operations.ts'
import { stateOf, Writer, type Plan } from './support/writer/process.ts'
import { settle } from './support/writer/settle.ts'

const DOCUMENTS = 'embedded-documents'
const WAREHOUSE = 'embedded-warehouse'

interface Case {
  readonly name: string
  readonly share: number
  readonly plan: Pick<Plan, 'program' | 'replicas' | 'segmentBytes'>
}

/** Each has one state directory, which lives through all its kills. */
const CASES: readonly Case[] = [
  {
    name: 'a program with three stores of documents, and short segments',
    share: 0.6,
    plan: {
      program: 'library',
      replicas: { A: DOCUMENTS, B: DOCUMENTS, C: DOCUMENTS },
      segmentBytes: 40_000,
    },
  },
  {
    name: 'a program with documents and a warehouse',
    share: 0.1,
    plan: { program: 'library', replicas: { A: DOCUMENTS, B: WAREHOUSE } },
  },
  {
    name: 'merganser run',
    share: 0.3,
    plan: { program: 'command', replicas: { A: DOCUMENTS, B: DOCUMENTS } },
  },
]

const total = { kills: 0, failures: 0, acknowledged: 0, compared: 0, torn: 0, processors: 0 }
const killed = new Map<string, number>()

afterAll(() => {
  record({
    name: 'kill -9 while writing, then reopened',
    invariants: ['I3', 'I4', 'I6', 'I7', 'I12'],
    runs: total.kills,
    failures: total.failures,
    firstSeed: firstSeed(),
    injected: Object.fromEntries([...killed].map(([moment, times]) => [`killed ${moment}`, times])),
    figures: {
      'acknowledged operations': total.acknowledged,
      'rows compared': total.compared,
      'bytes of torn tails': total.torn,
    },
  })
})

const runs = runsOf({ ci: 200, nightly: 10_000 })

test.each(CASES)(
  'I4: after kill -9 at random moments every acknowledged operation is there: $name',
  async (one) => {
    const directory = await realpath(await mkdtemp(join(tmpdir(), 'merganser-kill-')))
    const names = Object.keys(one.plan.replicas)
    const judge = new Judge(names)
    const kills = Math.ceil(runs * one.share)
    let done = 0
    try {
      // A writer that came to its end before the blow is no kill, but its state goes on.
      for (let tries = 0; done < kills; tries++) {
        expect(tries, 'most writers must live until they are killed').toBeLessThan(kills * 2 + 10)
        const seed = firstSeed() + CASES.indexOf(one) * 1_000_000 + tries
        try {
          if (await killedOnce({ ...one.plan, directory }, judge, seed)) done++
        } catch (error) {
          total.failures++
          throw new Error(`seed ${String(seed)}, kill ${String(done + 1)}, case ${one.name}`, { cause: error })
        }
      }
      await settle(join(directory, 'state'), one.plan.replicas, judge)
      expect(judge.counts.acknowledged).toBeGreaterThan(kills)
    } finally {
      total.kills += done
      total.acknowledged += judge.counts.acknowledged
      total.compared += judge.counts.compared
      await rm(directory, { recursive: true, force: true })
    }
  },
  LIMIT,
)

/** One session and its death; false where it ended in order before. */
async function killedOnce(where: Omit<Plan, 'operations' | 'batch'>, judge: Judge, seed: number): Promise<boolean> {
  const random = new SeededRandom(seed)
  const names = Object.keys(where.replicas)
  const asked = operations(random, names, { first: judge.next, count: 40 + random.below(160) })
  const plan: Plan = { ...where, operations: asked, batch: 1 + random.below(8) }
  judge.asks(asked)
  const writer = await Writer.start(plan)
  await moment(writer, plan, random)
  const ended = await writer.kill()
  writer.report(judge)
  if (ended.signal !== 'SIGKILL') {
    expect(ended, writer.said.at(-1)?.slice(0, 300)).toMatchObject({ status: 0, signal: null })
    return false
  }
  const what = wasDoing(writer, plan)
  killed.set(what, (killed.get(what) ?? 0) + 1)
  // Reads all of the logs again, which get long.
  if (seed % 5 === 0) total.torn += await checkState(stateOf(plan), names)
  return true
}

/** Waits until it is to be killed: some time after it began to work, or as soon as it has said so much. */
async function moment(writer: Writer, plan: Plan, random: SeededRandom): Promise<void> {
  const library = plan.program === 'library'
  const most = Math.floor(plan.operations.length / plan.batch) + (library ? 3 : 48)
  switch (random.below(4)) {
    case 0:
      // The command says nothing before its first result: it is killed anywhere between its start and its end.
      if (library) await writer.says(1)
      await pause(random.below(library ? 250 : 900))
      return
    case 1:
      await writer.says(most)
      await pause(random.below(60))
      return
    default:
      await writer.says(1 + random.below(most))
      await pause(random.below(4))
  }
}

function wasDoing(writer: Writer, plan: Plan): string {
  const said = writer.said.length
  const batches = Math.floor(plan.operations.length / plan.batch)
  const before = plan.program === 'library' ? 3 : Object.keys(plan.replicas).length * 24
  if (said < (plan.program === 'library' ? 2 : 1)) return 'while opening'
  if (said <= before) return 'while reading back'
  return said < before + batches ? 'while writing' : 'while ending'
}

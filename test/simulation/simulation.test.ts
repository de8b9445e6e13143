import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readRegression, regressionText } from '../../src/simulation/corpus.ts'
import { FAULT_KINDS, planOf, type FaultKind, type Plan } from '../../src/simulation/plan.ts'
import { simulate, type Outcome } from '../../src/simulation/run.ts'
import { Seeds } from '../../src/simulation/seeds.ts'
import { newKernel } from '../kernel/subjects.ts'

const CORPUS = new URL('../../simulation/corpus/', import.meta.url)
const ALL: ReadonlySet<FaultKind> = new Set(FAULT_KINDS)

const planFor = (seed: number, faults = ALL): Plan =>
  planOf(new Seeds(seed), { replicas: 3 + (seed % 3), operations: 1000, faults })

const run = (seed: number, plan = planFor(seed)): Promise<Outcome> =>
  simulate(seed, plan, (limits) => newKernel(limits))

test('without faults every promise is kept, too', async () => {
  for (let seed = 1; seed <= 5; seed++) {
    expect((await run(seed, planFor(seed, new Set()))).failure, `seed ${String(seed)}`).toBeUndefined()
  }
})

test('the same seed gives the same trace, another seed another one', async () => {
  const [one, again, other] = [await run(7), await run(7), await run(8)]
  expect(again.digest).toBe(one.digest)
  expect(again.events).toBe(one.events)
  expect(other.digest).not.toBe(one.digest)
})

const corpus = readdirSync(CORPUS).filter((name) => name.endsWith('.json'))

test.each(corpus)('what failed once holds: %s', async (name) => {
  const { seed, plan } = readRegression(readFileSync(new URL(name, CORPUS), 'utf8'))
  expect((await run(seed, plan)).failure).toBeUndefined()
})

test('a failure is kept as a text that runs the same again', async () => {
  const plan = planFor(3)
  const outcome = await run(3)
  const kept = readRegression(regressionText(outcome, plan))
  expect(kept.plan).toEqual(plan)
  expect((await run(kept.seed, kept.plan)).digest).toBe(outcome.digest)
})

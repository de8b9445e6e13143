import { existsSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { productionState } from '../dist/index.js'
import { campaign } from '../dist/simulation/campaign.js'
import { regressionText } from '../dist/simulation/corpus.js'
import { FAULT_KINDS, planOf } from '../dist/simulation/plan.js'
import { Seeds } from '../dist/simulation/seeds.js'
import { runSeeds } from './worker.mjs'

const CORPUS = fileURLToPath(new URL('../simulation/corpus/', import.meta.url))
const OPERATIONS = 1000
/** Runs that making a failure shorter may take. */
const SHRINK_RUNS = 200
const faults = new Set(FAULT_KINDS)
const replicasOf = (seed) => 3 + (seed % 3)

runSeeds(async (seed) => {
  const totals = await campaign({
    firstSeed: seed,
    seeds: 1,
    plan: (one) => planOf(new Seeds(one), { replicas: replicasOf(one), operations: OPERATIONS, faults }),
    makeState: productionState,
    shrinkRuns: SHRINK_RUNS,
  })
  const { statements, results, sessions, events, seconds, injected, failed } = totals
  const figures = { statements, results, sessions, events, 'seconds of their time': seconds }
  const [first] = failed
  return { figures, injected: Object.fromEntries(injected), failure: first && failureOf(first) }
})

function failureOf({ seed, outcome, plan, shrunk }) {
  const { invariant, message } = outcome.failure
  const again = `merganser simulate --replicas ${replicasOf(seed)} --operations ${OPERATIONS} --seed ${seed}`
  const shortest = shrunk ?? { plan, outcome }
  return { invariant, message, again, kept: keep(seed, invariant, regressionText(shortest.outcome, shortest.plan)) }
}

/** What broke a promise joins the corpus, which runs with every test; gives where. */
function keep(seed, invariant, text) {
  if (!existsSync(CORPUS)) return undefined
  const name = `seed-${seed}-${invariant.toLowerCase()}.json`
  writeFileSync(`${CORPUS}${name}`, text)
  return `simulation/corpus/${name}`
}

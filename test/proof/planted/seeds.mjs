import { readFileSync } from 'node:fs'

/*
 * A process of its own: runs seeds in the simulation that is compiled in a directory, until one breaks a promise that is
 * expected to be broken. Its one argument is JSON: `{ tree, seeds: [first, …], breaks, plan }`; it prints
 * `{ found, tried, others, cpu }`.
 */

const { tree, seeds, breaks, plan: special } = JSON.parse(process.argv[2])
const of = (path) => import(`file://${tree}/${path}.js`)
const { FAULT_KINDS, planOf } = await of('simulation/plan')
const { simulate } = await of('simulation/run')
const { Seeds } = await of('simulation/seeds')
const { KernelState } = await of('kernel/kernel-state')
const kernel = new WebAssembly.Module(readFileSync(`${tree}/kernel/kernel.wasm`))

// What a bug lets fall must not end the search.
process.on('unhandledRejection', () => undefined)

const faults = new Set(FAULT_KINDS)

function planFor(seed) {
  const plan = planOf(new Seeds(seed), { replicas: 3 + (seed % 3), operations: 1000, faults })
  if (special !== 'gets') return plan
  const steps = Array.from({ length: 300 }, (_, i) => ({ line: `HIVE.t.GET((k${String(i)}))` }))
  return { ...plan, steps, initialRows: 12, keys: 12, pendingReads: 3, link: { ...plan.link, latency: 3000 } }
}

const others = []
let found
let tried = 0
for (const seed of seeds) {
  const outcome = await simulate(seed, planFor(seed), ({ undoStatements, undoRows }) => {
    return new KernelState(kernel, { undoStatements, undoRows })
  })
  tried++
  const { failure } = outcome
  if (failure === undefined) continue
  // To wait for ever is I12's: it drains.
  const invariant = failure.invariant === 'stuck' ? 'I12' : failure.invariant
  const result = { seed, invariant, message: failure.message, events: outcome.events }
  if (breaks.includes(invariant)) {
    found = result
    break
  }
  others.push(result)
}
const { user, system } = process.cpuUsage()
process.stdout.write(`${JSON.stringify({ found, tried, others, cpu: (user + system) / 1e6 })}\n`, () => {
  // A bug may leave something that never ends.
  process.exit(0)
})

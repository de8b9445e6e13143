import { pathToFileURL } from 'node:url'
import { runSeeds } from './worker.mjs'

/** Operations of one session. */
const OPERATIONS = 2500
const [machine] = process.argv.slice(2)
const load = (name) => import(pathToFileURL(`${machine}/test/kernel/${name}.js`).href)
const [{ failureText, runSessions }, { SUBJECTS }] = await Promise.all([load('differential'), load('subjects')])
const names = Object.keys(SUBJECTS)

/** The builds of the kernel in turn: the seed says which. */
runSeeds((seed) => {
  const name = names[seed % names.length]
  const { operations, failure } = runSessions(seed, OPERATIONS, { make: SUBJECTS[name] })
  const again = `npm run proof -- --only kernel --first-seed ${seed} --seeds 1`
  const found = failure && { invariant: 'the model', message: `${name}: ${failureText(failure)}`, again }
  return { figures: { operations, [`sessions on ${name}`]: 1 }, injected: {}, failure: found }
})

import { ROOT } from './run.mjs'
import { setUpOrExit } from './setup.mjs'

/** `npm start`: sets up where needed, then runs the quick start, or what stands behind `npm start --`. */
process.chdir(ROOT)
await setUpOrExit()
const program = `${ROOT}bin/merganser.js`
const args = process.argv.length > 2 ? process.argv.slice(2) : ['run', 'examples/quickstart.in']
process.argv = [process.argv[0], program, ...args]
await import('../bin/merganser.js')

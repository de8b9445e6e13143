import { ROOT } from './run.mjs'
import { setUpOrExit } from './setup.mjs'

/** `npm run bench [-- options]`: sets up where needed, then measures. */
process.chdir(ROOT)
await setUpOrExit()
process.argv[1] = `${ROOT}bench/run.mjs`
await import('../bench/run.mjs')

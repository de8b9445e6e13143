import { ROOT } from './run.mjs'
import { setUpOrExit } from './setup.mjs'

/** `npm run proof [-- options]`: sets up where needed, then proves. */
process.chdir(ROOT)
await setUpOrExit()
process.argv[1] = `${ROOT}proof/run.mjs`
await import('../proof/run.mjs')

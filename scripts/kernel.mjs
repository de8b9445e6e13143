import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { bundle, BUNDLED } from './bundle.mjs'
import { compileRelease } from './compile-kernel.mjs'
import { say } from './run.mjs'
import { alone, setUpOrExit } from './setup.mjs'

/**
 * `node scripts/kernel.mjs` compiles what has changed, as `npm run build` does. For a turn of development `--release-only`
 * compiles that build alone, and `--names` keeps the names of its functions, for a profile.
 */
const { values } = parseArgs({ options: { 'release-only': { type: 'boolean' }, names: { type: 'boolean' } } })
if (values['release-only'] || values.names) {
  await setUpOrExit({ build: false })
  await alone(async () => {
    const failure = await compileRelease({ names: values.names })
    if (failure !== undefined) {
      say(failure)
      process.exitCode = 1
    } else if (existsSync(BUNDLED)) await bundle()
  })
} else {
  await setUpOrExit()
}

import { join } from 'node:path'
import { provision } from './cache.mjs'
import { ask, onPath, step } from './command.mjs'

const VERSION = '3.0.1'
/** Where the package has the sources of the library that it wraps. */
const SOURCES = 'libfaketime/vendor/libfaketime/src'
const LIBRARY = 'libfaketimeMT.so.1'

const recipe = {
  name: 'libfaketime',
  version: VERSION,
  files: [],
  also: [`${process.platform}-${process.arch}`],
  async build(directory, report) {
    // What the package was built with lacks the variant for threads.
    const args = ['-m', 'pip', 'install', '--no-deps', '--no-compile', '--only-binary', ':all:', '--progress-bar=off']
    await step('pip', 'python3', [...args, '--target', directory, `libfaketime==${VERSION}`])
    report('compiling')
    await step('make', 'make', ['-C', join(directory, SOURCES), LIBRARY])
  },
}

/**
 * A library that gives a process another wall clock when it is loaded before it: `{ library }`, built where it isn't there
 * yet, or `{ missing }`, the reason why there is none.
 */
export async function faketime(report) {
  if (process.platform !== 'linux') return { missing: 'libfaketime is built on Linux only' }
  for (const program of ['make', 'cc', 'python3']) {
    if (onPath(program) === undefined) return { missing: `libfaketime needs ${program} to be built` }
  }
  if ((await ask('python3', ['-m', 'pip', '--version'])) === undefined) return { missing: 'install pip for Python 3' }
  try {
    return { library: join(await provision(recipe, report), SOURCES, LIBRARY) }
  } catch (error) {
    return { missing: `libfaketime: ${error.message}` }
  }
}

import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { ROOT } from '../scripts/run.mjs'
import { spread } from './spread.mjs'

/** The differential test and what it takes from other tests; they import the product from `src`. */
const MACHINE = ['test/kernel', 'test/core']

/**
 * Node 20 loads no TypeScript: the machine is compiled into a temporary directory whose `src` is the built product, so
 * that what is proved is what ships.
 */
function compileMachine() {
  const target = realpathSync(mkdtempSync(join(tmpdir(), 'merganser-proof-kernel-')))
  writeFileSync(join(target, 'package.json'), '{"type":"module"}')
  symlinkSync(join(ROOT, 'node_modules'), join(target, 'node_modules'), 'junction')
  for (const name of ['src', 'dist']) symlinkSync(join(ROOT, 'dist'), join(target, name), 'junction')
  for (const folder of MACHINE) {
    for (const name of readdirSync(join(ROOT, folder), { recursive: true })) {
      if (!name.endsWith('.ts') || name.endsWith('.test.ts')) continue
      const { outputText } = ts.transpileModule(readFileSync(join(ROOT, folder, name), 'utf8'), {
        compilerOptions: {
          target: ts.ScriptTarget.ES2023,
          module: ts.ModuleKind.ESNext,
          verbatimModuleSyntax: true,
          rewriteRelativeImportExtensions: true,
        },
      })
      const path = join(target, folder, name.replace(/\.ts$/, '.js'))
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, outputText)
    }
  }
  return target
}

/** Random operations on the kernel and on the model, seed after seed. Options and result as of `spread`. */
export async function proveKernel(options) {
  const machine = compileMachine()
  try {
    return await spread(fileURLToPath(new URL('kernel-worker.mjs', import.meta.url)), [machine], options)
  } finally {
    rmSync(machine, { recursive: true, force: true })
  }
}

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Why there is no C compiler here; undefined where there is one. */
export async function compilerMissing(): Promise<string | undefined> {
  return await run('cc', ['--version'], { timeout: 20_000 }).then(
    () => undefined,
    () => 'there is no C compiler (cc)',
  )
}

/** Compiles a C file that lies beside this one. */
export async function compileC(name: string, target: string, args: readonly string[] = []): Promise<string> {
  const source = fileURLToPath(new URL(name, import.meta.url))
  await run('cc', ['-O1', '-Wall', '-o', target, source, ...args], { timeout: 60_000 })
  return target
}

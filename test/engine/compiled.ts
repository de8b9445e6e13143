import { copyFile, mkdir, mkdtemp, readdir, readFile, realpath, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { transpiled } from '../support/transpiled.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/**
 * Compiles all of `src/`, and more files beside it, into a temporary directory, for worker threads and child processes:
 * Node 20 loads no TypeScript. Returns the directory; the caller removes it.
 *
 * @param more source texts by file name; they import the product from `./src/…`
 */
export async function compileAll(more: Readonly<Record<string, string>> = {}): Promise<string> {
  const target = await realpath(await mkdtemp(join(tmpdir(), 'merganser-engine-')))
  await writeFile(join(target, 'package.json'), '{"type":"module"}')
  await symlink(join(ROOT, 'node_modules'), join(target, 'node_modules'))
  const names = await readdir(join(ROOT, 'src'), { recursive: true })
  for (const name of names) {
    if (!name.endsWith('.ts')) continue
    await write(join(target, 'src', name), await readFile(join(ROOT, 'src', name), 'utf8'))
  }
  await copyFile(join(ROOT, 'dist/kernel/kernel.wasm'), join(target, 'src/kernel/kernel.wasm'))
  for (const [name, text] of Object.entries(more)) await write(join(target, name), text)
  return target
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path.replace(/\.ts$/, '.js'), transpiled(text))
}

/** The start file of worker threads in a compiled directory. */
export const workerOf = (compiled: string): URL => pathToFileURL(join(compiled, 'src', 'worker.js'))

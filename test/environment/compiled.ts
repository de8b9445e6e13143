import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { transpiled } from '../support/transpiled.ts'

const SOURCE = fileURLToPath(new URL('../../src/', import.meta.url))

/**
 * Compiles folders of `src/` that need no package into a temporary directory, for child processes: Node 20 loads no
 * TypeScript. Returns the directory; the caller removes it.
 */
export async function compile(folders: readonly string[]): Promise<string> {
  const target = await mkdtemp(join(tmpdir(), 'merganser-compiled-'))
  await writeFile(join(target, 'package.json'), '{"type":"module"}')
  for (const folder of folders) {
    await mkdir(join(target, folder))
    for (const name of await readdir(join(SOURCE, folder))) {
      if (!name.endsWith('.ts')) continue
      const source = await readFile(join(SOURCE, folder, name), 'utf8')
      await writeFile(join(target, folder, name.replace(/\.ts$/, '.js')), transpiled(source))
    }
  }
  return target
}

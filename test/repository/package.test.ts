import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const run = promisify(execFile)

let directory: string
/** The package as it would be published, with the packages of this checkout. */
let unpacked: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'merganser-package-'))
  unpacked = join(directory, 'node_modules/merganser')
  await mkdir(unpacked, { recursive: true })
  await writeFile(join(directory, 'package.json'), '{}')
  const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', directory], {
    cwd: ROOT,
  })
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }]
  await run('tar', ['-xzf', join(directory, filename), '--strip-components=1', '-C', unpacked])
  await symlink(join(ROOT, 'node_modules'), join(unpacked, 'node_modules'))
})
afterAll(async () => {
  await rm(directory, { recursive: true })
})

/** What is read at once where a file is run or imported: our own files, and the packages. */
async function readAtOnce(file: string): Promise<{ files: Set<string>; packages: Set<string> }> {
  const files = new Set<string>()
  const packages = new Set<string>()
  const visit = async (path: string): Promise<void> => {
    if (files.has(path)) return
    files.add(path)
    const text = await readFile(path, 'utf8')
    for (const [, name] of text.matchAll(/^(?:import|export)\b[^'";]*['"]([^'"]+)['"]/gm)) {
      if (name!.startsWith('.')) await visit(resolve(dirname(path), name!))
      else if (!name!.startsWith('node:')) packages.add(name!)
    }
  }
  await visit(join(unpacked, file))
  return { files, packages }
}

test('what is published runs alone: the command with embedded databases, the library and its types', async () => {
  const script = join(directory, 'a.in')
  await writeFile(script, 'HIVE.SET((S1,C1),A)\nMONGODB.MERGE(HIVE)\nMONGODB.GET(S1,C1)\n')
  const command = [join(unpacked, 'bin/merganser.js'), 'run', '--state', join(directory, 'state'), script]
  const { stdout } = await run(process.execPath, command, { cwd: directory })
  expect(stdout).toContain('MONGODB.GET((S1,C1)) = A')
  const program =
    "import * as m from 'merganser'; import * as t from 'merganser/testkit'; console.log(Object.keys({...m, ...t}))"
  const imported = await run(process.execPath, ['--input-type=module', '-e', program], { cwd: directory })
  expect(imported.stdout).toMatch(/openSession/)
  for (const types of ['dist/index.d.ts', 'dist/testkit/index.d.ts']) {
    expect(await readFile(join(unpacked, types), 'utf8')).toContain('export')
  }
  expect((await readdir(join(unpacked, 'dist'), { recursive: true })).filter((name) => name.endsWith('.js'))).toEqual(
    [],
  )
})

test('a start reads few files, and no package of a database', async () => {
  const { files, packages } = await readAtOnce('lib/cli/main.js')
  expect([...packages].sort()).toEqual(['commander', 'picocolors'])
  expect(files.size).toBeLessThan(10)
  for (const file of ['lib/index.js', 'lib/worker.js', 'lib/environment/append-thread.js']) {
    const library = await readAtOnce(file)
    expect([...library.packages]).toEqual([])
    expect(library.files.size).toBeLessThan(5)
  }
})

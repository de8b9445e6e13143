import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { blocksOf, marked, merganser, node, read, ROOT, workspace } from './support.ts'

const readme = await read('README.md')
const directory = await workspace()

test('the example script of the README is examples/ten-lines.in', async () => {
  expect(marked(readme, 'example: examples/ten-lines.in')).toBe(await read('examples/ten-lines.in'))
})

test('the example script prints what the README says, again in a second run', async () => {
  const prints = marked(readme, 'output: examples/ten-lines.in')
  const run = ['run', join(ROOT, 'examples/ten-lines.in'), '--state', join(directory, 'ten-lines')]
  const first = await merganser(run, directory)
  expect(first).toMatchObject({ status: 0, out: prints })
  expect(first.err).toContain('converged: all replicas hold the same')
  expect(await merganser(run, directory)).toMatchObject({ status: 0, out: prints })
})

test('the quick start runs by npm start, says where the oplogs are, and goes on in a second run', async () => {
  const state = join(directory, 'quickstart')
  const start = ['scripts/start.mjs', 'run', 'examples/quickstart.in', '--state', state]
  const first = await node(start, ROOT)
  expect(first.status, first.err).toBe(0)
  expect(first.err).toContain('4 expectations, all met')
  for (const name of ['hive', 'postgresql', 'mongodb']) expect(first.err).toContain(join(state, `oplogs.${name}`))
  const second = await node(start, ROOT)
  expect(second.status, second.err).toBe(0)
})

test('the picture in the README shows what the quick start prints', async () => {
  const checked = await node(['scripts/picture.mjs', '--check'], ROOT)
  expect(checked.status, checked.err).toBe(0)
})

test('the configuration in the README is one', async () => {
  const { text } = blocksOf(readme).find(({ kind }) => kind === 'yaml')!
  const path = join(directory, 'orders.yaml')
  await writeFile(path, text)
  const { status, out, err } = await merganser(['config', '--config', path], directory)
  expect(status, err).toBe(0)
  expect(out).toContain('DWH: WAREHOUSE')
})

/** A project that has Merganser installed. */
async function project(program: string): Promise<string> {
  const path = join(directory, `project-${String(program.length)}`)
  await mkdir(join(path, 'node_modules'), { recursive: true })
  await symlink(ROOT, join(path, 'node_modules/merganser'))
  await writeFile(join(path, 'package.json'), '{"type":"module"}')
  await writeFile(join(path, 'library.ts'), program)
  return path
}

/** Compiles a project's program as its user would, against the types of the package; gives what is wrong. */
function compile(path: string): string[] {
  const program = ts.createProgram([join(path, 'library.ts')], {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: true,
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules/@types')],
  })
  program.emit()
  return ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
}

test('the program in the README is examples/library.ts, compiles against the package, and prints what it says', async () => {
  const program = await read('examples/library.ts')
  expect(marked(readme, 'program: examples/library.ts')).toBe(program)
  const path = await project(program)
  expect(compile(path)).toEqual([])
  const { status, out, err } = await node(['library.js'], path)
  expect(status, err).toBe(0)
  const says = [...program.matchAll(/^console\.log\(.*\) \/\/ (.*)$/gm)].map((match) => `${match[1]!}\n`)
  expect(out).toBe(says.join(''))
})

test('a session is typed by its schema: a wrong type, column, table or a missing key column does not compile', async () => {
  const program = await read('examples/library.ts')
  const change = (from: string, to: string) => {
    expect(program).toContain(from)
    return program.replace(from, to)
  }
  const wrong = [
    change('paid: true', "paid: 'yes'"),
    change("state: 'open'", "stat: 'open'"),
    change("'WAREHOUSE', 'orders'", "'WAREHOUSE', 'order_lines'"),
    change(", order_id: 'A1'", ''),
  ]
  for (const text of wrong) expect(compile(await project(text))).not.toEqual([])
})

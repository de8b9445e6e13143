import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '..', '..')
const load = (name: string): Promise<unknown> => import(pathToFileURL(join(ROOT, 'proof', name)).href)
const { document } = (await load('report.mjs')) as { document: (results: unknown) => string }
const { grouped } = (await load('tests.mjs')) as {
  grouped: (tests: { name: string; file: string }[]) => Record<string, { name: string; files: string[] }[]>
}
interface Sum {
  readonly runs: number
  readonly figures: Record<string, number>
  readonly failure?: { seed: number; message: string }
}
const { spread } = (await load('spread.mjs')) as {
  spread: (
    script: string,
    args: string[],
    options: { firstSeed: number; seeds: number; seconds: number },
  ) => Promise<Sum>
}

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'merganser-proof-test-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

const prove = (...args: string[]) => promisify(execFile)(process.execPath, [join(ROOT, 'proof', 'run.mjs'), ...args])

test('PROOF.md is what the kept results say', async () => {
  const results: unknown = JSON.parse(await readFile(join(ROOT, 'proof', 'results', 'latest.json'), 'utf8'))
  expect(await readFile(join(ROOT, 'PROOF.md'), 'utf8')).toBe(document(results))
})

test('a run keeps its seeds and what it met, and no path of the machine', async () => {
  const json = join(directory, 'results.json')
  await prove('--only', 'kernel,simulation', '--seeds', '2', '--first-seed', '7', '--json', json)
  const text = await readFile(json, 'utf8')
  expect(text).not.toContain(ROOT)
  const part = { firstSeed: 7, runs: 2, failures: [], interrupted: false }
  const results = JSON.parse(text) as object
  expect(results).toMatchObject({ parts: { kernel: part, simulation: part } })
  expect(document(results)).toMatch(/^2 seeds, 7 to 8, of 1,000 statements/m)
}, 600_000)

test('what a seed finds is told with the seed, and ends the run; a process that dies is found, too', async () => {
  const worker = (name: string, body: string) => {
    const path = join(directory, `${name}.mjs`)
    const start = `import { runSeeds } from ${JSON.stringify(pathToFileURL(join(ROOT, 'proof', 'worker.mjs')).href)}\n`
    return writeFile(path, `${start}runSeeds((seed) => ${body})\n`).then(() => path)
  }
  const options = { firstSeed: 10, seeds: 1000, seconds: 100 }
  const failing = "({ figures: { tried: 1 }, injected: {}, failure: seed === 14 ? { message: 'found' } : undefined })"
  const found = await spread(await worker('failing', failing), [], options)
  expect(found.failure).toMatchObject({ seed: 14, message: 'found' })
  expect(found.runs).toBeLessThan(100)
  expect(found.figures['tried']).toBe(found.runs)
  const dead = await spread(await worker('dying', 'process.exit(7)'), [], options)
  expect(dead.failure).toMatchObject({ seed: 10, message: 'its process ended: status 7' })
})

test('options that it does not know are refused, and a name of no proof', async () => {
  for (const args of [
    ['--tim', '1h'],
    ['--time', '1 hour'],
    ['--only', 'nothing'],
    ['--seeds', '0'],
  ]) {
    await expect(prove(...args)).rejects.toMatchObject({ code: 2 })
  }
})

test('tests are gathered by the invariants that their names begin with', () => {
  const found = grouped([
    { name: 'a suite > I2, I5: two', file: 'test/a.test.ts' },
    { name: 'I5: one', file: 'test/b.test.ts' },
    { name: 'another > I5: one', file: 'test/a.test.ts' },
    { name: 'I1-I3: some', file: 'test/a.test.ts' },
    { name: 'I6 I7: more', file: 'test/a.test.ts' },
    { name: 'none', file: 'test/a.test.ts' },
  ])
  expect(Object.keys(found).sort()).toEqual(['I1', 'I2', 'I3', 'I5', 'I6', 'I7'])
  expect(found['I5']).toEqual([
    { name: 'I2, I5: two', files: ['a.test.ts'] },
    { name: 'I5: one', files: ['a.test.ts', 'b.test.ts'] },
  ])
})

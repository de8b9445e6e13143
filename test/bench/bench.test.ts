import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { describeOn } from '../support/servers.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const run = promisify(execFile)
const SERVERS = ['POSTGRES', 'MONGODB', 'HIVE']

interface Results {
  readonly stdout: string
  readonly results: readonly { readonly work: string; readonly verdict: string }[]
}

/** Runs the bench at its least size, with the servers of these URLs only. */
async function bench(args: readonly string[], urls: Readonly<Record<string, string>> = {}): Promise<Results> {
  const directory = await mkdtemp(join(tmpdir(), 'merganser-bench-test-'))
  try {
    const json = join(directory, 'figures.json')
    const servers = SERVERS.map((name): [string, string] => [`MERGANSER_TEST_${name}_URL`, urls[name] ?? ''])
    const env = { ...process.env, ...Object.fromEntries(servers), TMPDIR: directory }
    const all = [join(ROOT, 'bench', 'run.mjs'), '--size', 'tiny', '--json', json, ...args]
    const { stdout } = await run(process.execPath, all, { env })
    const figures = JSON.parse(await readFile(json, 'utf8')) as Pick<Results, 'results'>
    return { stdout, results: figures.results }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

const measured = ({ results }: Results) => {
  return results.flatMap(({ work, verdict }) => (verdict === 'pass' || verdict === 'miss' ? [work] : []))
}

it('the whole bench runs, at its least size; what needs servers says that there are none', async () => {
  const all = await bench([])
  expect(measured(all)).toEqual([
    'replay in memory',
    'replay with durable oplogs',
    'replay in memory',
    'replay with durable oplogs',
    'memory of the replay in memory',
    'memory of the replay with durable oplogs',
    'restart: reading back those oplogs',
    'merge of changed keys',
    'merge of 100 changed keys among 200',
    'merge of 100 changed keys among 500',
    'single SETs of a program',
    'SETs of two of five columns of mixed types, per column',
    'values of 1 KB, each overwritten 10 times',
    'opening a session: time',
    'opening a session: memory',
    'flush into embedded PostgreSQL, fresh',
    'flush into embedded PostgreSQL, newer',
    'three flushes side by side',
    'merganser --version',
  ])
  for (const { work } of all.results) expect(all.stdout).toContain(work)
  const missing = all.results.filter(({ verdict }) => verdict === 'absent').map(({ work }) => work)
  expect(missing).toEqual(
    expect.arrayContaining([
      'flush into PostgreSQL, fresh',
      'flush into a MongoDB-protocol server, newer',
      'flush into Hive, fresh',
      'GET misses, Hive',
      'copy PostgreSQL to Hive',
    ]),
  )
})

describeOn(['postgres'], 'with a server', (url) => {
  it('a bench takes the server that a variable names', async () => {
    const works = measured(await bench(['--only', 'flush-postgres'], { POSTGRES: url }))
    // Without psql there is nothing to compare with.
    expect([[], ['flush into PostgreSQL, fresh', 'flush into PostgreSQL, newer']]).toContainEqual(works)
  })
})

it('an unknown bench or size is refused', async () => {
  const attempt = run(process.execPath, [join(ROOT, 'bench', 'run.mjs'), '--only', 'nothing'])
  const failure = (await attempt.catch((error: unknown) => error)) as { code: number; stderr: string }
  expect(failure.code).toBe(2)
  expect(failure.stderr).toContain('there is no bench nothing')
})

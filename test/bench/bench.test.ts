import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '..', '..')
const run = promisify(execFile)

it('the whole bench runs, at its least size', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'merganser-bench-test-'))
  try {
    const json = join(directory, 'figures.json')
    const args = [join(ROOT, 'bench', 'run.mjs'), '--size', 'tiny', '--json', json]
    const { stdout } = await run(process.execPath, args, { env: { ...process.env, TMPDIR: directory } })
    const figures = JSON.parse(await readFile(json, 'utf8')) as { results: { work: string; verdict: string }[] }
    const works = figures.results.filter(({ verdict }) => verdict === 'pass' || verdict === 'miss')
    expect(works.map(({ work }) => work)).toEqual([
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
    for (const work of works) expect(stdout).toContain(work.work)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})

it('an unknown bench or size is refused', async () => {
  const attempt = run(process.execPath, [join(ROOT, 'bench', 'run.mjs'), '--only', 'nothing'])
  const failure = (await attempt.catch((error: unknown) => error)) as { code: number; stderr: string }
  expect(failure.code).toBe(2)
  expect(failure.stderr).toContain('there is no bench nothing')
})

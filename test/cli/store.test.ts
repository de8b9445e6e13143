import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { Workspace } from './support.ts'

const workspace = await Workspace.create()

it('I5: a server that is killed during a flush costs nothing: the flush goes on, or the next one does it', async () => {
  await workspace.write('sql.yaml', 'replicas: { POSTGRESQL: { type: embedded-postgres } }\n')
  const flags = ['--config', 'sql.yaml', '--state', 'state']
  const keys = Array.from({ length: 150_000 }, (_, i) => `k${String(i)}`)
  const sets = keys.map((key) => `SQL.SET((${key},c), ${key})`)
  await workspace.write('store.in', ['SQL.SET((a,b), 1)', 'SQL.SYNC', ...sets, 'SQL.GET((a,b)) = 1'].join('\n'))
  const started = workspace.start(['run', 'store.in', ...flags])
  // The last line's result: the final flush has begun.
  await started.shows('POSTGRESQL.GET((a,b)) = 1')
  const pid = await readFile(workspace.path('state/databases/postgresql/server/data/postmaster.pid'), 'utf8')
  process.kill(Number(pid.split('\n')[0]), 'SIGKILL')
  const { status, err } = await started.ended
  expect([0, 3], err).toContain(status)
  expect(err).not.toMatch(/BUG|^\s+at /m)
  await workspace.done(['sync', ...flags])
  const some = keys.filter((_, i) => i % 1000 === 0).map((key) => `SQL.GET((${key},c)) = ${key}`)
  const read = await workspace.done(['run', ...flags, '--report', 'report.json'], some.join('\n'))
  expect(read.err).toContain('150 expectations, all met')
  expect(read.err).toContain('150 looked up')
})

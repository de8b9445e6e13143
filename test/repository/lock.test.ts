import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const LOCK = new URL('../../scripts/lock.mjs', import.meta.url).href

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'merganser-lock-'))
})
afterAll(async () => {
  await rm(root, { recursive: true })
})

/** Processes that each, under the lock at `path`, note in `log` when they begin and end. */
async function contend(path: string, log: string, processes: number): Promise<number[]> {
  const code = `
    import { appendFileSync } from 'node:fs'
    import { setTimeout as sleep } from 'node:timers/promises'
    import { withLock } from '${LOCK}'
    await withLock(process.argv[1], () => {}, async () => {
      appendFileSync(process.argv[2], 'begin ' + process.pid + '\\n')
      await sleep(20)
      appendFileSync(process.argv[2], 'end ' + process.pid + '\\n')
    })`
  const run = async () =>
    await new Promise<number>((resolve) => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', code, path, log], { stdio: 'inherit' })
      child.once('exit', (status) => {
        resolve(status ?? -1)
      })
    })
  return await Promise.all(Array.from({ length: processes }, run))
}

async function expectTurns(log: string, processes: number): Promise<void> {
  const lines = (await readFile(log, 'utf8')).trimEnd().split('\n')
  expect(lines).toHaveLength(processes * 2)
  for (let i = 0; i < lines.length; i += 2) {
    expect([lines[i], lines[i + 1]]).toEqual([lines[i], lines[i]!.replace('begin', 'end')])
  }
}

test('the set-up of two processes in one checkout goes one after the other', async () => {
  const log = join(root, 'turns')
  expect(await contend(join(root, 'lock'), log, 5)).toEqual([0, 0, 0, 0, 0])
  await expectTurns(log, 5)
})

test("a dead process's lock is taken over, by one of many", async () => {
  const path = join(root, 'stale')
  const log = join(root, 'stale-turns')
  const dead = spawn(process.execPath, ['-e', ''])
  await new Promise((resolve) => dead.once('exit', resolve))
  await mkdir(path)
  await writeFile(join(path, 'holder'), JSON.stringify({ pid: dead.pid, host: hostname() }))
  expect(await contend(path, log, 5)).toEqual([0, 0, 0, 0, 0])
  await expectTurns(log, 5)
})

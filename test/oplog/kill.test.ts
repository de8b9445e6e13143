import { spawn } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { compile } from '../environment/compiled.ts'
import { inDirectory, line, lines, openSession } from './support.ts'

// Writes as fast as it can and prints the last durable record of both logs.
const WRITER = `
import { NodeDisk } from './environment/node-disk.js'
import { NodeRandom } from './environment/node-random.js'
import { NodeTimers } from './environment/node-timers.js'
import { CommitGroup } from './oplog/commit.js'
import { openLog } from './oplog/recover.js'
const environment = { disk: new NodeDisk(), random: new NodeRandom(), timers: new NodeTimers() }
const logs = []
for (const replica of ['HIVE', 'MONGODB']) logs.push((await openLog(environment, process.argv[2], replica, { segmentBytes: 20000 })).writer)
const onDurable = ({ records }) => process.stdout.write(Math.min(...records.values()) + '\\n')
const group = new CommitGroup(environment, logs, { intervalMilliseconds: 1, bytes: 5000, fullBytes: 20000 }, { onDurable })
for (;;) {
  for (const log of logs) {
    const n = log.records + 1
    log.append(Buffer.from('2026-11-22 15:11:21.956711651Z,SET((SID' + n + ',CSE' + n % 7 + '),A' + n + ')\\n'), 1)
  }
  if (group.full) await group.room()
}
`

let compiled = ''
beforeAll(async () => {
  compiled = await compile(['core', 'environment', 'oplog'])
  await writeFile(join(compiled, 'writer.js'), WRITER)
})
afterAll(() => rm(compiled, { recursive: true, force: true }))

test('I4: after kill -9 of the writer, 20 times on one log, every acknowledged record is there', () =>
  inDirectory(async (directory) => {
    let least = 0
    for (let run = 0; run < 20; run++) {
      least = await killedAfter(directory, 3 + run)
      for (const replica of ['HIVE', 'MONGODB']) {
        const found = await lines(directory, replica)
        expect(found.length).toBeGreaterThanOrEqual(least)
        expect(found.every((text, i) => text === line(i + 1))).toBe(true)
      }
      // The logs may differ in length by what was never acknowledged: level them, as a session's merge would.
      const { group, logs } = await openSession(directory, {
        replicas: ['HIVE', 'MONGODB'],
        open: { segmentBytes: 20_000 },
      })
      const most = Math.max(...logs.map((log) => log.writer.records))
      for (const { writer } of logs) {
        while (writer.records < most) writer.append(Buffer.from(`${line(writer.records + 1)}\n`), 1)
      }
      await group.close()
    }
    expect(least).toBeGreaterThan(1_000)
  }))

/** Starts a writer, kills it after so many acknowledgements, and returns the last one that it printed. */
async function killedAfter(directory: string, acknowledgements: number): Promise<number> {
  const child = spawn(process.execPath, [join(compiled, 'writer.js'), directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = new Promise<string | null>((resolve) =>
    child.on('exit', (_, signal) => {
      resolve(signal)
    }),
  )
  let last = 0
  let count = 0
  for await (const text of createInterface({ input: child.stdout })) {
    last = Number(text)
    if (++count === acknowledgements) child.kill('SIGKILL')
  }
  expect(await exited).toBe('SIGKILL')
  return last
}

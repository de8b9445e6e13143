import { readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import type { Disk } from '../../src/environment/environment.ts'
import { inspectLog, openLog } from '../../src/oplog/recover.ts'
import { record } from '../support/proof.ts'
import { append, disk, environment, failureOf, inDirectory, line, lines, OneFile, openSession } from './support.ts'

/** A log of one segment of about 4 KiB with several seals; its bytes and its lines. */
async function smallLog(directory: string): Promise<{ path: string; bytes: Buffer; all: string[]; logId: string }> {
  const { group, log } = await openSession(directory)
  let n = 0
  for (const batch of [1, 7, 1, 12, 3, 40]) {
    append(log, n + 1, (n += batch))
    log.writer.remark(
      `merge SQL 1..${String(n)} took 1 conflicts 0 at ${'a/longer/path/to/'.repeat(3)}script.in:${String(n)}`,
    )
    await group.durable()
  }
  await group.close()
  const path = join(directory, 'oplogs.hive')
  const bytes = await readFile(path)
  return { path, bytes, all: await lines(directory), logId: log.writer.logId }
}

/** All of them gave what they should. */
function damaged(name: string, runs: number): void {
  record({ name, invariants: ['I7'], runs, failures: 0 })
}

/** What a changed log gives: an error's code, or its lines, which must be a prefix of what was written. */
async function readBack(on: Disk, all: readonly string[]): Promise<string | number> {
  let found
  try {
    found = await lines('/state', 'HIVE', 0, on)
  } catch (error) {
    return (error as { code: string }).code
  }
  expect(found).toEqual(all.slice(0, found.length))
  return found.length
}

test('I7: every bit flip of a 4 KiB log is detected or leaves a safe tail, never a wrong value', () =>
  inDirectory(async (directory) => {
    const { bytes, all, logId } = await smallLog(directory)
    const changed = new OneFile('oplogs.hive', bytes)
    expect(bytes.length).toBeGreaterThan(4_096)
    const last = bytes.lastIndexOf('# seal', bytes.lastIndexOf('# seal') - 1)
    const outcomes = new Set<string | number>()
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes)
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      changed.bytes = flipped
      const outcome = await readBack(changed.disk, all)
      outcomes.add(outcome)
      // What isn't in the last batch can't be torn; and a recorded position tells the rest.
      if (bit >> 3 < last) expect(['OPLOG_DAMAGED', 'OPLOG_MISSING', 'STATE_FORMAT']).toContain(outcome)
      if (bit % 64 === 0) {
        const failure = await failureOf(inspectLog(changed.disk, '/state', 'HIVE', { expect: { logId, records: 64 } }))
        expect(failure.exitStatus).toBe(4)
      }
    }
    expect(outcomes).toContain('OPLOG_DAMAGED')
    damaged('every bit flip of a log of 4 KiB', bytes.length * 8)
  }))

test('I7: every truncation of a log gives a prefix, and is refused where a position was recorded beyond it', () =>
  inDirectory(async (directory) => {
    const { bytes, all, logId } = await smallLog(directory)
    const changed = new OneFile('oplogs.hive', bytes)
    for (let length = bytes.length - 1; length >= 0; length--) {
      changed.bytes = bytes.subarray(0, length)
      expect(await readBack(changed.disk, all)).toBeTypeOf('number')
      const failure = await failureOf(inspectLog(changed.disk, '/state', 'HIVE', { expect: { logId, records: 64 } }))
      expect(failure).toMatchObject({ code: 'OPLOG_DAMAGED', exitStatus: 4 })
    }
    damaged('every truncation of a log of 4 KiB', bytes.length)
  }))

test('I7: zeros over any block of a log, as a power loss may leave them, are detected or leave a safe tail', () =>
  inDirectory(async (directory) => {
    const { bytes, all } = await smallLog(directory)
    const changed = new OneFile('oplogs.hive', bytes)
    for (let from = 0; from < bytes.length; from += 16) {
      for (const length of [16, 64, 512, bytes.length]) {
        changed.bytes = Buffer.from(bytes).fill(0, from, Math.min(from + length, bytes.length))
        await readBack(changed.disk, all)
      }
    }
    changed.bytes = Buffer.concat([bytes, Buffer.alloc(3_000_000)])
    expect(await readBack(changed.disk, all)).toBe(all.length)
  }))

test('I7: a torn tail is set aside, reported with its size, cut, and the log goes on', () =>
  inDirectory(async (directory) => {
    const { path, all } = await smallLog(directory)
    for (const [n, tail] of ['half a li', `${line(99)}\n`, `${line(99)}\n# seal 65 53 00000000\n`].entries()) {
      const before = await readFile(path)
      await writeFile(path, Buffer.concat([before, Buffer.from(tail)]))
      const inspected = await inspectLog(disk, directory, 'HIVE')
      expect(inspected.torn).toEqual({ path, byte: before.length, bytes: tail.length, setAside: undefined })
      const { group, log } = await openSession(directory)
      const setAside = join(directory, `oplogs.hive.torn-${String(n + 1)}`)
      expect(log.report.torn).toEqual({ path, byte: before.length, bytes: tail.length, setAside })
      expect(await readFile(setAside, 'latin1')).toBe(tail)
      append(log, 65 + n, 65 + n)
      all.push(line(65 + n))
      await group.close()
      expect(await lines(directory)).toEqual(all)
    }
  }))

test('I7: damage names segment, byte and line; --accept-loss keeps the good prefix and sets the rest aside', () =>
  inDirectory(async (directory) => {
    const { path, bytes, all, logId } = await smallLog(directory)
    // In the third batch: 8 records, 2 remarks, a header and 2 seals before it.
    const at = bytes.indexOf(line(9))
    bytes[at + 40]! ^= 1
    await writeFile(path, bytes)
    const start = bytes.lastIndexOf('\n', at - 1) + 1
    const failure = await failureOf(openLog(environment, directory, 'HIVE'))
    expect(failure).toMatchObject({
      code: 'OPLOG_DAMAGED',
      exitStatus: 4,
      place: { file: path, line: 14, replica: 'HIVE' },
    })
    expect(failure.message).toContain(`segment 1 (${path}), byte ${String(start)}, line 14`)
    expect(await readFile(path)).toEqual(bytes)
    const { group, log } = await openSession(directory, { open: { acceptLoss: true, expect: { logId, records: 64 } } })
    expect(log.report.loss).toMatchObject({ kept: 8, reached: 64, setAside: [join(directory, 'oplogs.hive.lost-1')] })
    expect(log.report.loss?.message).toBe(failure.message)
    expect(await readFile(join(directory, 'oplogs.hive.lost-1'))).toEqual(bytes.subarray(start))
    append(log, 9, 9)
    await group.close()
    expect(await lines(directory)).toEqual([...all.slice(0, 10), line(9)])
  }))

test('I7: a log of another replica, another id, or a newer format is refused', () =>
  inDirectory(async (directory) => {
    const { path, bytes, logId } = await smallLog(directory)
    await writeFile(join(directory, 'oplogs.mongodb'), bytes)
    const foreign = await failureOf(inspectLog(disk, directory, 'MONGODB'))
    expect(foreign).toMatchObject({
      code: 'OPLOG_DAMAGED',
      message: expect.stringContaining('of the replica HIVE') as string,
    })
    const other = await failureOf(inspectLog(disk, directory, 'HIVE', { expect: { logId: 'another', records: 1 } }))
    expect(other).toMatchObject({ code: 'OPLOG_DAMAGED', message: expect.stringContaining(logId) as string })
    await writeFile(path, bytes.toString('latin1').replace('oplog 1 ', 'oplog 2 '))
    for (const acceptLoss of [false, true]) {
      expect((await failureOf(openLog(environment, directory, 'HIVE', { acceptLoss }))).code).toBe('STATE_FORMAT')
    }
  }))

test('I7: a log that was there and is gone is refused; accepted, a new one begins', () =>
  inDirectory(async (directory) => {
    const options = { expect: { logId: 'gone', records: 7 } }
    expect(await failureOf(openLog(environment, directory, 'HIVE', options))).toMatchObject({
      code: 'OPLOG_MISSING',
      exitStatus: 4,
    })
    const { group, log } = await openSession(directory, { open: { ...options, acceptLoss: true } })
    expect(log).toMatchObject({ created: true, report: { loss: { kept: 0, reached: 7, setAside: [] } } })
    await group.close()
  }))

test('a symbolic link or a directory in the place of a log is refused', () =>
  inDirectory(async (directory) => {
    const { symlink, mkdir } = await import('node:fs/promises')
    await writeFile(join(directory, 'elsewhere'), '')
    await symlink(join(directory, 'elsewhere'), join(directory, 'oplogs.hive'))
    await mkdir(join(directory, 'oplogs.mongodb'))
    for (const replica of ['HIVE', 'MONGODB']) {
      const failure = await failureOf(openLog(environment, directory, replica))
      expect(failure).toMatchObject({ code: 'STATE_UNUSABLE', exitStatus: 4 })
    }
    expect(basename((await readFile(join(directory, 'elsewhere'), 'utf8')) || 'empty')).toBe('empty')
  }))

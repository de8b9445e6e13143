import { cp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { inspectLog, openLog } from '../../src/oplog/recover.ts'
import { readLog } from '../../src/oplog/read.ts'
import {
  append,
  disk,
  environment,
  failureOf,
  FaultyDisk,
  inDirectory,
  line,
  lines,
  openSession,
  type Session,
} from './support.ts'

const open = { segmentBytes: 600 }

/** Five records an epoch, so that each epoch fills a segment. */
async function rotatedLog(directory: string, epochs: number): Promise<string[]> {
  const { group, log } = await openSession(directory, { open })
  for (let epoch = 0; epoch < epochs; epoch++) {
    append(log, epoch * 10 + 1, epoch * 10 + 10)
    await group.durable()
  }
  await group.close()
  return Array.from({ length: epochs * 10 }, (_, i) => line(i + 1))
}

test('a segment that has its size gets its number, and the chain runs through', () =>
  inDirectory(async (directory) => {
    const all = await rotatedLog(directory, 4)
    expect((await readdir(directory)).sort()).toEqual(
      [1, 2, 3, 4].map((n) => `oplogs.hive.${String(n)}`).toSpliced(0, 0, 'oplogs.hive'),
    )
    expect(await lines(directory)).toEqual(all)
    expect((await readFile(join(directory, 'oplogs.hive.3'), 'latin1')).split('\n', 1)[0]).toMatch(
      / segment 3 from 20 after [0-9a-f]{8}$/,
    )
    const { group, log } = await openSession(directory, { open })
    expect(log.writer.segment).toBe(5)
    append(log, 41, 41)
    await group.close()
    expect(await lines(directory)).toEqual([...all, line(41)])
  }))

test('opening from a record reads only the segments from there on', () =>
  inDirectory(async (directory) => {
    const all = await rotatedLog(directory, 5)
    await writeFile(join(directory, 'oplogs.hive.1'), 'damaged')
    for (const from of [20, 25, 37, 50]) {
      const report = await inspectLog(disk, directory, 'HIVE', { from })
      expect(report.segments[0]?.segment).toBe(Math.min(Math.floor(from / 10) + 1, 5))
      expect(report.records).toBe(50)
      expect(await lines(directory, 'HIVE', from)).toEqual(all.slice(from))
    }
    expect((await failureOf(inspectLog(disk, directory, 'HIVE'))).code).toBe('OPLOG_DAMAGED')
    const report = await inspectLog(disk, directory, 'HIVE', { from: 30 })
    expect((await failureOf(readLog(disk, report, 3).next())).code).toBe('BUG')
  }))

test('I7: a missing segment is refused by its name; accepted, what follows it is set aside', () =>
  inDirectory(async (directory) => {
    const all = await rotatedLog(directory, 4)
    const gone = join(directory, 'oplogs.hive.3')
    const kept = await readFile(join(directory, 'oplogs.hive.4'), 'latin1')
    await rm(gone)
    for (const from of [0, 35]) {
      const failure = await failureOf(openLog(environment, directory, 'HIVE', { from }))
      expect(failure).toMatchObject({ code: 'OPLOG_MISSING', exitStatus: 4, place: { file: gone } })
    }
    const { group, log } = await openSession(directory, { open: { ...open, acceptLoss: true } })
    const [first, second] = log.report.loss!.setAside
    expect(first).toBe(join(directory, 'oplogs.hive.lost-1'))
    expect(await readFile(second!, 'latin1')).toBe(kept)
    expect(log.report.loss?.kept).toBe(20)
    append(log, 21, 21)
    await group.close()
    expect(await lines(directory)).toEqual([...all.slice(0, 20), line(21)])
  }))

test('I7: a live segment that is gone after others is refused where a position lies in it', () =>
  inDirectory(async (directory) => {
    await rotatedLog(directory, 2)
    const { group, log } = await openSession(directory, { open })
    append(log, 21, 22)
    await group.close()
    await rm(join(directory, 'oplogs.hive'))
    const expected = { logId: log.writer.logId, records: 22 }
    const failure = await failureOf(openLog(environment, directory, 'HIVE', { from: 20, expect: expected }))
    expect(failure).toMatchObject({
      code: 'OPLOG_DAMAGED',
      message: expect.stringContaining('after record 20') as string,
    })
  }))

test('I7: damage in a rotated segment, a rotated one put in another place, a doubled one: all refused', () =>
  inDirectory(async (directory) => {
    await rotatedLog(directory, 4)
    const path = (n: number) => join(directory, `oplogs.hive.${String(n)}`)
    const [second, third] = [await readFile(path(2)), await readFile(path(3))]
    const codes: string[] = []
    for (const changed of [second.subarray(0, -1), third, Buffer.alloc(0), Buffer.concat([second, Buffer.from('x')])]) {
      await writeFile(path(2), changed)
      codes.push((await failureOf(openLog(environment, directory, 'HIVE'))).code)
    }
    expect(codes).toEqual(Array(4).fill('OPLOG_DAMAGED'))
    await writeFile(path(2), second)
    await rename(path(3), path(5))
    expect((await failureOf(openLog(environment, directory, 'HIVE'))).code).toBe('OPLOG_MISSING')
  }))

test('I7: the chain runs through rotation: a segment that is good by itself but from another course is refused', () =>
  inDirectory(async (parent) => {
    const directory = join(parent, 'one')
    const copy = join(parent, 'other')
    await disk.makeDirectory(directory)
    await rotatedLog(directory, 1)
    await cp(directory, copy, { recursive: true })
    for (const [where, first] of [
      [directory, 11],
      [copy, 91],
    ] as const) {
      const { group, log } = await openSession(where, { open })
      append(log, first, first + 9)
      await group.durable()
      append(log, 21, 22)
      await group.close()
    }
    await cp(join(copy, 'oplogs.hive.2'), join(directory, 'oplogs.hive.2'))
    const failure = await failureOf(inspectLog(disk, directory, 'HIVE'))
    expect(failure).toMatchObject({ code: 'OPLOG_DAMAGED', place: { file: join(directory, 'oplogs.hive'), line: 1 } })
  }))

test('I4: a crash or power loss at any step of writing, rotating, opening and repairing loses nothing acknowledged', () =>
  inDirectory(async (directory) => {
    for (const fault of ['crash', 'tear', 'power'] as const) {
      for (let at = 1; ; at++) {
        const own = join(directory, `${fault}-${String(at)}`)
        await disk.makeDirectory(own)
        const faulty = new FaultyDisk(at, fault)
        const acknowledged = await writeUntilItFails(own, faulty)
        if (fault === 'power') await faulty.loseUnsynced()
        const found = await lines(own)
        expect(found.length).toBeGreaterThanOrEqual(acknowledged)
        expect(found).toEqual(found.map((_, i) => line(i + 1)))
        // It opens, also where the opening that repairs is cut short itself, and goes on.
        for (let again = 1; ; again++) {
          const repairing = new FaultyDisk(again, fault)
          await openSession(own, { on: repairing, open })
            .then(({ group }) => group.close())
            .catch(() => undefined)
          if (repairing.struck === undefined) break
        }
        const { group, log } = await openSession(own, { open })
        expect(log.writer.records).toBe(found.length)
        append(log, found.length + 1, found.length + 1)
        await group.close()
        expect(await lines(own)).toHaveLength(found.length + 1)
        if (faulty.struck === undefined) break
        expect(at).toBeLessThan(200)
      }
    }
  }))

test('I7: accepting a loss that is cut short at any step can be repeated', () =>
  inDirectory(async (directory) => {
    for (let at = 1; ; at++) {
      const own = join(directory, String(at))
      await disk.makeDirectory(own)
      await rotatedLog(own, 4)
      const path = join(own, 'oplogs.hive.2')
      const bytes = await readFile(path)
      bytes[200]! ^= 4
      await writeFile(path, bytes)
      const faulty = new FaultyDisk(at, 'tear')
      const accepting = { ...open, acceptLoss: true }
      await openSession(own, { on: faulty, open: accepting })
        .then(({ group }) => group.close())
        .catch(() => undefined)
      const { group, log } = await openSession(own, { open: accepting })
      append(log, 11, 12)
      await group.close()
      expect(await lines(own)).toEqual(Array.from({ length: 12 }, (_, i) => line(i + 1)))
      if (faulty.struck === undefined) break
    }
  }))

/** Returns the last record that was acknowledged. */
async function writeUntilItFails(directory: string, faulty: FaultyDisk): Promise<number> {
  let acknowledged = 0
  let session: Session | undefined
  try {
    for (let run = 0; run < 2; run++) {
      const listener = {
        onDurable: ({ records }: { records: ReadonlyMap<string, number> }) => {
          acknowledged = records.get('HIVE') ?? 0
        },
      }
      session = await openSession(directory, { on: faulty, open, listener })
      const { group, log } = session
      for (let epoch = 0; epoch < 3; epoch++) {
        append(log, log.writer.records + 1, log.writer.records + 6)
        await group.durable()
      }
      await group.close()
    }
  } catch {
    await session?.group.close().catch(() => undefined)
  }
  return acknowledged
}

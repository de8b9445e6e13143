import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { MerganserError } from '../../src/core/errors.ts'
import { append, disk, failureOf, FaultyDisk, inDirectory, line, lines, openSession, type Fault } from './support.ts'

const REPLICAS = ['HIVE', 'MONGODB']

test('I4: a write, sync or rotation that fails at any step is never followed by an acknowledgement', () =>
  inDirectory(async (directory) => {
    const struck = new Set<string>()
    for (const fault of ['EIO', 'ENOSPC', 'short'] satisfies Fault[]) {
      for (let at = 1; ; at++) {
        const own = join(directory, `${fault}-${String(at)}`)
        await disk.makeDirectory(own)
        const faulty = new FaultyDisk(at, fault)
        const { acknowledged, error } = await writeWith(own, faulty)
        if (faulty.struck === undefined) break
        struck.add(faulty.struck)
        expect(error?.code).toBe(fault === 'ENOSPC' ? 'STATE_FULL' : 'STATE_UNUSABLE')
        expect(error?.exitStatus).toBe(4)
        for (const replica of REPLICAS) {
          const found = await lines(own, replica)
          expect(found.length).toBeGreaterThanOrEqual(acknowledged)
          expect(found).toEqual(found.map((_, i) => line(i + 1)))
        }
      }
    }
    expect([...struck].sort()).toEqual(['append', 'datasync', 'open', 'rename', 'syncDirectory'])
  }))

/** Writes some epochs with rotation; after a failure tries on, in vain. */
async function writeWith(
  directory: string,
  faulty: FaultyDisk,
): Promise<{ acknowledged: number; error: MerganserError | undefined }> {
  let acknowledged = 0
  let failed = false
  const listener = {
    onDurable: ({ records }: { records: ReadonlyMap<string, number> }) => {
      expect(failed).toBe(false)
      acknowledged = Math.min(...records.values())
    },
    onFailure: () => {
      failed = true
    },
  }
  let session
  try {
    session = await openSession(directory, { on: faulty, replicas: REPLICAS, open: { segmentBytes: 500 }, listener })
  } catch (error) {
    return { acknowledged, error: error as MerganserError }
  }
  const { group, logs } = session
  let appended = 0
  try {
    for (let epoch = 0; epoch < 4; epoch++) {
      for (const log of logs) append(log, appended + 1, appended + 4)
      appended += 4
      const durable = group.durable()
      const both = await Promise.allSettled([durable, group.durable()])
      expect(both[0].status).toBe(both[1].status)
      await durable
      expect(acknowledged).toBe(appended)
    }
    await group.close()
    return { acknowledged, error: group.failure }
  } catch (error) {
    expect(error).toBe(group.failure)
    const after = acknowledged
    expect(() => logs[0]!.writer.append(Buffer.from(`${line(1)}\n`), 1)).toThrow(group.failure)
    expect(await failureOf(group.durable())).toBe(group.failure)
    expect(await failureOf(group.room())).toBe(group.failure)
    expect(await failureOf(group.close())).toBe(group.failure)
    expect(acknowledged).toBe(after)
    return { acknowledged, error: group.failure }
  }
}

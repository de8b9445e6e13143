import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import type { DiskFile } from '../../src/environment/environment.ts'
import { NodeDisk } from '../../src/environment/node-disk.ts'
import type { DurableEpoch } from '../../src/oplog/commit.ts'
import { append, failureOf, inDirectory, line, lines, openSession } from './support.ts'

test('a log is text: header, records, remarks, and a seal whose checksum covers what the format says', () =>
  inDirectory(async (directory) => {
    const { group, log } = await openSession(directory)
    append(log, 1, 2)
    log.writer.remark('flush 1 upto 2 rows 2 tries 1 ms 3')
    await group.durable()
    append(log, 3, 3)
    await group.close()
    const text = await readFile(join(directory, 'oplogs.hive'), 'latin1')
    const header = `# merganser oplog 1 HIVE ${log.writer.logId} segment 1 from 0 after 00000000\n`
    const first = `${header}${line(1)}\n${line(2)}\n# flush 1 upto 2 rows 2 tries 1 ms 3\n`
    const firstSeal = `# seal 2 ${String(first.length)} `
    const firstCrc = crc32(first + firstSeal)
    const second = `${line(3)}\n`
    const secondSeal = `# seal 3 ${String(second.length)} `
    const secondCrc = crc32(second + secondSeal, firstCrc)
    const hex = (crc: number) => crc.toString(16).padStart(8, '0')
    expect(text).toBe(`${first}${firstSeal}${hex(firstCrc)}\n${second}${secondSeal}${hex(secondCrc)}\n`)
  }))

test('I4: an epoch makes all logs durable at one moment and says up to which record', () =>
  inDirectory(async (directory) => {
    const epochs: DurableEpoch[] = []
    const replicas = ['HIVE', 'POSTGRESQL', 'MONGODB']
    const { group, logs } = await openSession(directory, {
      replicas,
      listener: { onDurable: (epoch) => epochs.push(epoch) },
    })
    await group.durable()
    append(logs[0]!, 1, 3)
    append(logs[2]!, 1, 1)
    expect(logs[0]!.writer.durableRecords).toBe(0)
    const first = group.durable()
    append(logs[1]!, 1, 5)
    await Promise.all([first, group.durable()])
    expect(epochs.map(({ epoch, records }) => [epoch, ...records.values()])).toEqual([
      [1, 0, 0, 0],
      [2, 3, 5, 1],
    ])
    expect(logs[0]!.writer.durableRecords).toBe(3)
    await group.close()
  }))

test('while one epoch is in flight the next gathers, and durable() waits for the right one', () =>
  inDirectory(async (directory) => {
    const gate = new GatedDisk()
    const epochs: number[] = []
    const listener = { onDurable: ({ records }: DurableEpoch) => epochs.push(records.get('HIVE') ?? -1) }
    const { group, log } = await openSession(directory, { on: gate, listener })
    append(log, 1, 1)
    const first = group.durable()
    await gate.reached()
    const sameAsFirst = group.durable()
    append(log, 2, 9)
    const second = group.durable()
    expect(epochs).toEqual([])
    gate.release()
    await Promise.all([first, sameAsFirst])
    expect(epochs[0]).toBe(1)
    await second
    expect(epochs).toEqual([1, 9])
    await group.close()
  }))

test('an epoch begins by itself, by time and by size', () =>
  inDirectory(async (directory) => {
    for (const commit of [{ intervalMilliseconds: 1 }, { bytes: 100 }]) {
      const reached = deferred()
      const listener = {
        onDurable: ({ records }: DurableEpoch) => {
          if (records.get('HIVE') === 50) reached.resolve()
        },
      }
      const sub = join(directory, Object.keys(commit).join())
      await new NodeDisk().makeDirectory(sub)
      const { group, log } = await openSession(sub, { commit, listener })
      append(log, 1, 50)
      await reached.promise
      await group.close()
    }
  }))

test('I11: append tells when the logs are full, room() waits, and ignoring it ends in MEMORY_LIMIT', () =>
  inDirectory(async (directory) => {
    const gate = new GatedDisk()
    const commit = { bytes: 200, fullBytes: 1_000, limitBytes: 2_000 }
    const { group, log } = await openSession(directory, { on: gate, commit })
    let n = 0
    const one = () => log.writer.append(Buffer.from(`${line(++n)}\n`), 1)
    while (one());
    expect(group.full).toBe(true)
    await gate.reached()
    const room = group.room()
    const refused = () => {
      for (;;) one()
    }
    expect(refused).toThrow(expect.objectContaining({ code: 'MEMORY_LIMIT' }))
    const kept = log.writer.records
    gate.release()
    await room
    expect(group.full).toBe(false)
    await group.close()
    expect(await lines(directory)).toHaveLength(kept)
  }))

test('callers of one moment share an epoch; nothing appended needs none', () =>
  inDirectory(async (directory) => {
    const { group, log } = await openSession(directory)
    append(log, 1, 1)
    await Promise.all(Array.from({ length: 100 }, () => group.durable()))
    expect(group.epoch).toBe(1)
    await group.durable()
    await group.room()
    expect(group.epoch).toBe(1)
    await group.close()
    await group.close()
    expect(() => log.writer.append(Buffer.from(`${line(1)}\n`), 1)).toThrow()
  }))

test('what may not stand in a log is refused before anything is appended', () =>
  inDirectory(async (directory) => {
    const { group, log } = await openSession(directory)
    for (const [bytes, records] of [
      ['no newline', 1],
      ['two\nlines\n', 1],
      ['# seal 1 2 00000000\n', 0],
    ] as const) {
      expect(() => log.writer.append(Buffer.from(bytes), records)).toThrow(expect.objectContaining({ code: 'BUG' }))
    }
    expect(() => log.writer.remark('seal 1 2 00000000')).toThrow()
    expect(() => log.writer.remark('a\nb')).toThrow()
    expect(log.writer.records).toBe(0)
    await group.close()
  }))

test('I4: bytes are copied at once, so that the caller may reuse them, whatever their length', () =>
  inDirectory(async (directory) => {
    const { group, log } = await openSession(directory, { commit: { bytes: 1e9, fullBytes: 1e9 } })
    const expected: string[] = []
    const buffer = Buffer.alloc(3_000_000)
    for (const length of [1, 1024 * 1024 - 1, 1024 * 1024, 2_500_000, 17]) {
      const text = `${String(length)}:`.padEnd(length, 'x')
      expected.push(text)
      buffer.write(`${text}\n`)
      log.writer.append(buffer.subarray(0, text.length + 1), 1)
    }
    buffer.fill(0)
    await group.close()
    expect((await lines(directory)).every((text, i) => text === expected[i])).toBe(true)
  }))

test('closing after a failure rejects with it', () =>
  inDirectory(async (directory) => {
    const gate = new GatedDisk()
    const failures: string[] = []
    const { group, log } = await openSession(directory, {
      on: gate,
      listener: { onFailure: ({ code }) => failures.push(code) },
    })
    append(log, 1, 1)
    const durable = failureOf(group.durable())
    await gate.reached()
    gate.fail('EIO')
    expect((await durable).code).toBe('STATE_UNUSABLE')
    expect((await failureOf(group.close())).code).toBe('STATE_UNUSABLE')
    expect(failures).toEqual(['STATE_UNUSABLE'])
  }))

function deferred(): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } {
  let resolve: () => void = () => undefined
  let reject: (error: Error) => void = () => undefined
  const promise = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

/** A disk whose syncs wait until it is opened. */
class GatedDisk extends NodeDisk {
  readonly #gate = deferred()
  readonly #reached = deferred()

  override async open(path: string, mode: 'read' | 'append' | 'create'): Promise<DiskFile> {
    const file = await super.open(path, mode)
    const datasync = file.datasync.bind(file)
    file.datasync = async () => {
      this.#reached.resolve()
      await this.#gate.promise
      await datasync()
    }
    return file
  }

  reached(): Promise<void> {
    return this.#reached.promise
  }
  release(): void {
    this.#gate.resolve()
  }
  fail(code: string): void {
    this.#gate.reject(Object.assign(new Error(code), { code }))
  }
}

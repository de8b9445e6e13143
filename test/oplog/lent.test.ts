import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Appender } from '../../src/environment/appender.ts'
import { NodeDisk } from '../../src/environment/node-disk.ts'
import { compile } from '../environment/compiled.ts'
import { failureOf, FaultyDisk, inDirectory, line, lines, openSession, type Fault } from './support.ts'

let compiled = ''
beforeAll(async () => {
  compiled = await compile(['environment'])
})
afterAll(() => rm(compiled, { recursive: true, force: true }))

const threaded = () => new Appender(pathToFileURL(join(compiled, 'environment', 'append-thread.js')))

/** Lines `from` to `to` in memory that others see. */
function shared(from: number, to: number): Uint8Array {
  const text = Array.from({ length: to - from + 1 }, (_, i) => `${line(from + i)}\n`).join('')
  const bytes = new Uint8Array(new SharedArrayBuffer(text.length))
  bytes.set(Buffer.from(text))
  return bytes
}

/** Bytes that are lent: overwritten once they are back. */
class Loan {
  back = 0
  readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  readonly release = () => {
    this.back++
    this.bytes.fill(0x21)
  }
}

test('I4: lent bytes stay where they are until they are durable, in order with copied ones; few are copied at once', () =>
  inDirectory(async (directory) => {
    const appender = threaded()
    const { group, log } = await openSession(directory, { on: new NodeDisk(appender), commit: { bytes: 1e9 } })
    const loans: Loan[] = []
    let last = 0
    const append = (count: number, lent: boolean) => {
      const bytes = shared(last + 1, last + count)
      const loan = new Loan(bytes)
      if (lent) loans.push(loan)
      log.writer.append(bytes, count, lent ? loan.release : undefined)
      if (!lent) bytes.fill(0)
      last += count
    }
    append(3, false)
    append(20_000, true)
    append(5, false)
    append(4, true)
    append(20_000, true)
    append(400, true)
    append(2, false)
    expect(loans.map(({ back }) => back)).toEqual([0, 1, 0, 0])
    await group.durable()
    expect(appender.started).toBe(true)
    expect(loans.map(({ back }) => back)).toEqual([1, 1, 1, 1])
    append(1, false)
    append(30_000, true)
    await group.close()
    expect(appender.started).toBe(false)
    expect(loans.map(({ back }) => back)).toEqual([1, 1, 1, 1, 1])
    expect(await lines(directory)).toEqual(Array.from({ length: last }, (_, i) => line(i + 1)))
  }))

test('I4: whatever fails, what was lent comes back once, also what is appended after it', () =>
  inDirectory(async (directory) => {
    for (const fault of ['EIO', 'ENOSPC', 'short'] satisfies Fault[]) {
      for (const at of [5, 6, 7, 8]) {
        const sub = join(directory, `${fault}${String(at)}`)
        await new NodeDisk().makeDirectory(sub)
        const { group, logs } = await openSession(sub, { on: new FaultyDisk(at, fault), replicas: ['HIVE', 'MONGODB'] })
        const loans: Loan[] = []
        const append = () => {
          for (const { writer } of logs) {
            const loan = new Loan(shared(writer.records + 1, writer.records + 1_000))
            loans.push(loan)
            writer.append(loan.bytes, 1_000, loan.release)
          }
        }
        append()
        const first = failureOf(group.durable())
        // Gathered for an epoch that never comes.
        await Promise.resolve().then(() => Promise.resolve())
        append()
        expect(await first).toBe(group.failure)
        expect(append).toThrow(group.failure)
        expect(loans.map(({ back }) => back)).toEqual(loans.map(() => 1))
        await failureOf(group.close())
        for (const replica of ['HIVE', 'MONGODB']) {
          const left = await lines(sub, replica).catch(() => [])
          expect(left.every((text, i) => text === line(i + 1))).toBe(true)
        }
      }
    }
  }))

test('I4: a thread that dies in the middle of a batch ends the group, and the log opens with what was acknowledged', () =>
  inDirectory(async (directory) => {
    for (let run = 0; run < 5; run++) {
      const appender = threaded()
      const session = await openSession(directory, { on: new NodeDisk(appender) })
      const { group, log } = session
      const { writer } = log
      const before = writer.records
      const append = (count: number) => {
        const loan = new Loan(shared(writer.records + 1, writer.records + count))
        writer.append(loan.bytes, count, loan.release)
      }
      append(20_000)
      await group.durable()
      expect(writer.durableRecords).toBe(before + 20_000)
      append(60_000)
      const failed = group.durable().then(
        () => undefined,
        (error: unknown) => error,
      )
      while (!appender.started) await new Promise((resolve) => setImmediate(resolve))
      for (let i = 0; i < run * 3; i++) await new Promise((resolve) => setImmediate(resolve))
      await appender.terminate()
      const error = await failed
      if (error !== undefined) expect(error).toMatchObject({ code: 'STATE_UNUSABLE' })
      await group.close().catch(() => undefined)
      const found = await lines(directory)
      expect(found.length).toBeGreaterThanOrEqual(before + 20_000)
      expect(found.every((text, i) => text === line(i + 1))).toBe(true)
    }
  }))

test('progress() waits for the epoch in flight only, and begins one where there is none', () =>
  inDirectory(async (directory) => {
    const { group, log } = await openSession(directory)
    await group.durable()
    const { epoch } = group
    await group.progress()
    expect(group.epoch).toBe(epoch)
    log.writer.append(Buffer.from(`${line(1)}\n`), 1)
    const first = group.progress()
    await Promise.resolve().then(() => Promise.resolve())
    log.writer.append(Buffer.from(`${line(2)}\n`), 1)
    await Promise.all([first, group.progress()])
    expect(group.epoch).toBe(epoch + 1)
    expect(log.writer.durableRecords).toBe(1)
    await group.close()
  }))

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { crc32 } from 'node:zlib'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { Appender } from '../../src/environment/appender.ts'
import type { DiskFile } from '../../src/environment/environment.ts'
import { NodeDisk } from '../../src/environment/node-disk.ts'
import { compile } from './compiled.ts'

const MiB = 1024 * 1024
const SEAL = Buffer.from('# seal ')

let compiled = ''
let directory = ''
let appender: Appender
let disk: NodeDisk
beforeAll(async () => {
  compiled = await compile(['environment'])
})
afterAll(() => rm(compiled, { recursive: true, force: true }))
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'merganser-appender-'))
  appender = new Appender(pathToFileURL(join(compiled, 'environment', 'append-thread.js')))
  disk = new NodeDisk(appender)
})
afterEach(async () => {
  await appender.terminate()
  await rm(directory, { recursive: true, force: true })
})

/** Bytes that other threads see. */
function shared(length: number, byte = 0x78): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(length + 16), 8, length).fill(byte)
}

const open = (name = 'file') => disk.open(join(directory, name), 'append')
const append = (file: DiskFile, buffers: readonly Uint8Array[], crc = 0) => file.appendSealed!(buffers, crc, SEAL)

test('large bytes in shared memory are written and checksummed by the thread, with others between them', async () => {
  const file = await open()
  const buffers = [Buffer.from('head\n'), shared(MiB, 0x61), new Uint8Array(0), Buffer.from('\n'), shared(17, 0x62)]
  const crc = await append(file, buffers, 12_345)
  expect(appender.started).toBe(true)
  const bytes = Buffer.concat([...buffers, SEAL])
  expect(crc).toBe(crc32(bytes, 12_345))
  await file.append([Buffer.from('more')])
  await file.datasync()
  await file.close()
  const end = `${crc!.toString(16).padStart(8, '0')}\nmore`
  expect((await readFile(join(directory, 'file'))).equals(Buffer.concat([bytes, Buffer.from(end)]))).toBe(true)
})

test('small bytes, and bytes that only this thread sees, start no thread', async () => {
  const file = await open()
  expect(append(file, [shared(MiB - 1)])).toBeUndefined()
  expect(append(file, [Buffer.alloc(4 * MiB)])).toBeUndefined()
  expect(appender.started).toBe(false)
  expect(await file.size()).toBe(0)
  await file.close()
  const without = await new NodeDisk().open(join(directory, 'file'), 'append')
  expect(append(without, [shared(MiB)])).toBeUndefined()
  await without.close()
})

test('the thread serves several files, keeps their order, and ends with the last of them', async () => {
  const files = await Promise.all(['a', 'b', 'c'].map(open))
  const crcs = await Promise.all(
    files.flatMap((file) => [0x61, 0x62].map((byte) => append(file, [shared(MiB, byte)], byte)!)),
  )
  expect(crcs).toEqual(
    files.flatMap(() => [0x61, 0x62].map((byte) => crc32(SEAL, crc32(Buffer.alloc(MiB, byte), byte)))),
  )
  await files[0]!.close()
  await files[1]!.close()
  expect(appender.started).toBe(true)
  expect(await append(files[2]!, [shared(MiB)])).toBeTypeOf('number')
  await files[2]!.close()
  expect(appender.started).toBe(false)
  const text = await readFile(join(directory, 'b'), 'latin1')
  expect([text.indexOf('b'), text.length]).toEqual([MiB + SEAL.length + 9, 2 * (MiB + SEAL.length + 9)])
})

test("what fails in the thread is the system's own error, and the thread goes on", async () => {
  const full = await disk.open('/dev/full', 'append').catch((error: unknown) => error as { code: string })
  // A device is no file here; so the thread is given the descriptor itself.
  expect(full).toMatchObject({ code: 'ENOTSUP' })
  const user = {}
  const request = { buffers: [shared(10)], crc: 0, seal: SEAL }
  await expect(appender.append(user, { ...request, descriptor: 999_999 })).rejects.toMatchObject({ code: 'EBADF' })
  const { open: openFile } = await import('node:fs/promises')
  const device = await openFile('/dev/full', 'a')
  await expect(appender.append(user, { ...request, descriptor: device.fd })).rejects.toMatchObject({ code: 'ENOSPC' })
  await device.close()
  const file = await open()
  expect(await append(file, [shared(MiB)])).toBeTypeOf('number')
  await file.close()
  await appender.leave(user)
})

test('a thread that is ended, or never began, rejects what waits for it', async () => {
  const file = await open()
  const waiting = append(file, [shared(8 * MiB)])
  const ended = expect(waiting).rejects.toThrow('the thread that writes the oplogs ended')
  await appender.terminate()
  await ended
  await file.close()
  const missing = new Appender(pathToFileURL(join(directory, 'missing.js')))
  await expect(missing.append({}, { descriptor: 1, buffers: [], crc: 0, seal: SEAL })).rejects.toThrow('ended')
})

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { NodeDisk } from '../../src/environment/node-disk.ts'
import { archive } from '../../src/oplog/archive.ts'
import { readPositions, writePositions, type Json } from '../../src/oplog/positions.ts'
import { disk, failureOf, FaultyDisk, inDirectory } from './support.ts'

test('positions read back what was written, whatever JSON it is, and nothing where there is no file', () =>
  inDirectory(async (directory) => {
    const path = join(directory, 'positions')
    expect(await readPositions(disk, path)).toBeUndefined()
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (content) => {
        await writePositions(disk, path, content as Json)
        expect(JSON.stringify(await readPositions(disk, path))).toBe(JSON.stringify(content))
        expect(JSON.parse(await readFile(path, 'utf8'))).toHaveProperty('format', 1)
      }),
      { seed: 6, numRuns: 100 },
    )
  }))

test('I7: every bit flip and every truncation of positions is refused', () =>
  inDirectory(async (directory) => {
    const path = join(directory, 'positions')
    const content = { replicas: { HIVE: { logId: '0123456789abcdef', seen: [['MONGODB', 17]] } } }
    await writePositions(disk, path, content)
    const bytes = await readFile(path)
    const codeOf = async (changed: Buffer) => {
      const holding = Object.assign(new NodeDisk(), { readFile: () => Promise.resolve(changed) })
      return (await failureOf(readPositions(holding, path))).code
    }
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes)
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      expect(['OPLOG_DAMAGED', 'STATE_FORMAT']).toContain(await codeOf(flipped))
    }
    for (let length = 0; length < bytes.length; length++) {
      expect(await codeOf(bytes.subarray(0, length))).toBe('OPLOG_DAMAGED')
    }
    expect(await codeOf(Buffer.from(bytes.toString().replace('"format":1', '"format":12')))).toBe('STATE_FORMAT')
  }))

test('a full disk leaves the old positions', () =>
  inDirectory(async (directory) => {
    const path = join(directory, 'positions')
    await writePositions(disk, path, 1)
    expect((await failureOf(writePositions(new FaultyDisk(1, 'ENOSPC'), path, 2))).code).toBe('STATE_FULL')
    expect(await readPositions(disk, path)).toBe(1)
  }))

test('old state is moved away whole, each time into an archive of its own, and nothing is deleted', () =>
  inDirectory(async (directory) => {
    const environment = { disk, clock: { nanoseconds: () => 1_795_360_281_956_711_651n, milliseconds: () => 0 } }
    expect(await archive(environment, directory, ['oplogs.hive'])).toBeUndefined()
    for (const n of [1, 2]) {
      await writeFile(join(directory, 'oplogs.hive'), `log ${String(n)}`)
      await mkdir(join(directory, 'warehouse'))
      await writeFile(join(directory, 'warehouse', 'data'), '')
      await writeFile(join(directory, 'kept'), '')
      const target = await archive(environment, directory, ['oplogs.hive', 'warehouse', 'not-there'])
      expect(target).toBe(join(directory, `archive-20261122T151121Z-${String(n)}`))
      expect((await readdir(target!)).sort()).toEqual(['oplogs.hive', 'warehouse'])
      expect(await readFile(join(target!, 'oplogs.hive'), 'utf8')).toBe(`log ${String(n)}`)
    }
    expect((await readdir(directory)).filter((name) => !name.startsWith('archive-'))).toEqual(['kept'])
  }))

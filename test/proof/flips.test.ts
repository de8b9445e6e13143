import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MerganserError } from '../../src/core/errors.ts'
import { CopyFile, type CopyProgress } from '../../src/engine/copy-progress.ts'
import { decodePositions } from '../../src/engine/positions.ts'
import { NodeDisk } from '../../src/environment/node-disk.ts'
import { readPositions } from '../../src/oplog/positions.ts'
import { run } from '../engine/support.ts'
import { record } from '../support/proof.ts'
import { LIMIT } from './support/writer/limits.ts'
import { TABLE } from './support/writer/operations.ts'

/*
 * Bit flips and truncations of what lies in a state directory beside the oplogs' own bytes (test/oplog/damage.test.ts has
 * every one of those), and of oplogs as whole sessions meet them.
 */
const REPLICAS = { A: 'embedded-documents', B: 'embedded-documents' }
/** One of so many bits, and lengths, of an oplog that a session is opened with. */
const BITS = 97
const LENGTHS = 17

const total = { flips: 0, truncations: 0, sessions: 0, refused: 0, failures: 0 }
let directory = ''

beforeAll(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'merganser-flips-')))
})

afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
  record({
    name: 'bit flips and truncations of positions, progress of copies, and logs under whole sessions',
    invariants: ['I7'],
    runs: total.flips + total.truncations + total.sessions,
    failures: total.failures,
    injected: { 'bit flips': total.flips, truncations: total.truncations, 'sessions on damaged logs': total.sessions },
    figures: { 'sessions refused': total.refused },
  })
})

/** Every bit of some bytes flipped, then every length of them that is shorter. */
function* damaged(bytes: Buffer): Generator<Buffer> {
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    total.flips++
    yield flipped(bytes, bit)
  }
  for (let length = 0; length < bytes.length; length++) {
    total.truncations++
    yield bytes.subarray(0, length)
  }
}

function flipped(bytes: Buffer, bit: number): Buffer {
  const changed = Buffer.from(bytes)
  changed[bit >> 3]! ^= 1 << (bit & 7)
  return changed
}

/** A disk with one file, from memory. */
class OneContent extends NodeDisk {
  bytes: Buffer = Buffer.alloc(0)

  override readFile(): Promise<Uint8Array> {
    return Promise.resolve(this.bytes)
  }
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    expect(error).toBeInstanceOf(MerganserError)
    expect(error).toMatchObject({ exitStatus: 4 })
    return (error as MerganserError).code
  }
  throw new Error('it was taken for good')
}

/** Counts what fails before it is thrown. */
async function counted(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    total.failures++
    throw error
  }
}

/** A state directory with some lines in its logs, and what its replicas show. */
async function stateOf(name: string): Promise<{ state: string; shown: readonly string[] }> {
  const state = join(directory, name)
  await mkdir(state)
  const sets = Array.from({ length: 30 }, (_, i) => `${i % 3 === 0 ? 'B' : 'A'}.SET(k${String(i % 11)},v${String(i)})`)
  await run(state, [...sets, 'A.DELETE(k3)', 'A.MERGE(B)'].join('\n'), {
    replicas: REPLICAS,
    tables: [TABLE],
    flush: false,
  })
  return { state, shown: await shownBy(state) }
}

async function shownBy(state: string): Promise<readonly string[]> {
  const looks = ['A', 'B'].flatMap((name) => Array.from({ length: 11 }, (_, i) => `${name}.GET(k${String(i)})`))
  const { lines, error } = await run(state, looks.join('\n'), { replicas: REPLICAS, tables: [TABLE], flush: false })
  expect(error).toBeUndefined()
  return lines
}

test(
  'I7: every bit flip and every truncation of the positions is detected',
  async () => {
    await counted(async () => {
      const { state } = await stateOf('positions')
      const path = join(state, 'positions')
      const disk = new OneContent()
      const read = async () => decodePositions((await readPositions(disk, path))!, path)
      const bytes = await readFile(path)
      disk.bytes = bytes
      expect((await read()).size).toBe(2)
      const codes = new Set<string>()
      for (disk.bytes of damaged(bytes)) codes.add(await codeOf(read()))
      expect([...codes].sort()).toEqual(['OPLOG_DAMAGED', 'STATE_FORMAT'])
    })
  },
  LIMIT,
)

test(
  'I7: after every bit flip and every truncation of its progress a copy begins anew, or is refused',
  async () => {
    await counted(async () => {
      const files = join(directory, 'copy')
      const progress: CopyProgress = {
        ...{ log: '0123456789abcdef', shape: 'k string -> v string', last: ['k77'], probe: ['k50'] },
        ...{ rows: 77, written: 70, rejected: 3, foreign: 1, rejectBytes: 120 },
      }
      await new CopyFile(new NodeDisk(), files, 'A', 'B', 't').write(progress)
      const bytes = await readFile(join(files, 'copies', 'a-b.t.json'))
      const disk = new OneContent()
      const copy = new CopyFile(disk, files, 'A', 'B', 't')
      disk.bytes = bytes
      expect(await copy.read()).toEqual(progress)
      for (disk.bytes of damaged(bytes)) {
        const found = await copy.read().catch((error: unknown) => (error as MerganserError).code)
        // Without its line end it is whole.
        if (disk.bytes.equals(bytes.subarray(0, -1))) expect(found).toEqual(progress)
        else expect([undefined, 'STATE_FORMAT']).toContain(found)
      }
    })
  },
  LIMIT,
)

test(
  'I7: a session on an oplog with a flipped bit or cut short shows what was written, or is refused',
  async () => {
    await counted(async () => {
      const { state, shown } = await stateOf('logs')
      const files = ['oplogs.a', 'oplogs.b', 'positions'].map((name) => join(state, name))
      const contents = await Promise.all(files.map((file) => readFile(file)))
      const log = contents[0]!
      const variants: Buffer[] = []
      for (let bit = 0; bit < log.length * 8; bit += BITS) variants.push(flipped(log, bit))
      for (let length = 0; length < log.length; length += LENGTHS) variants.push(log.subarray(0, length))
      for (const changed of variants) {
        for (const [i, file] of files.entries()) await writeFile(file, i === 0 ? changed : contents[i]!)
        total.sessions++
        const found = await shownBy(state).catch((error: unknown) => error)
        if (Array.isArray(found)) expect(found).toEqual(shown)
        else {
          expect(found).toMatchObject({ exitStatus: 4 })
          total.refused++
        }
      }
      expect(total.refused).toBeGreaterThan(variants.length / 2)
    })
  },
  LIMIT,
)

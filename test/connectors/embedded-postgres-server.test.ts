import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, chmod, mkdir, mkdtemp, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { prepareBinaries } from '../../src/connectors/embedded-postgres/binaries.ts'
import { embeddedPostgres } from '../../src/connectors/embedded-postgres/connector.ts'
import { findPostmaster } from '../../src/connectors/embedded-postgres/postmaster.ts'
import { batchOf, keysOf, rowAt, type StampedRow } from '../../src/core/batch.ts'
import { DEFAULT_TABLE } from '../../src/core/table.ts'
import type { ConnectorOptions, OpenContext, ReplicaStore } from '../../src/connectors/connector.ts'

// A folder of mode 0700, as root's home is: the server must work below it, whoever it runs as.
const root = await realpath(await mkdtemp(join(tmpdir(), 'merganser-server-')))
const isRoot = process.getuid?.() === 0
const opened: ReplicaStore[] = []
let count = 0

afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
})
afterAll(async () => {
  await rm(root, { recursive: true, force: true })
})

const freshDirectory = (): string => join(root, `replica${String(++count)}`)

async function open(
  directory: string,
  more: Partial<OpenContext> = {},
  raw: ConnectorOptions = {},
): Promise<ReplicaStore> {
  const context = {
    access: 'write',
    owner: { logId: 'log', name: 'the test' },
    directory,
    replica: 'POSTGRESQL',
    ...more,
  } as const
  const store = await embeddedPostgres.open(embeddedPostgres.options(raw), context)
  opened.push(store)
  return store
}

const row = (n: number, value = 'A'): StampedRow => ({
  key: [`SID${String(n)}`, 'CSE'],
  cells: [{ value, stamp: `2026-11-22 15:11:21.${String(n).padStart(9, '0')}Z@POSTGRESQL` }],
  deleted: null,
})

async function writeOne(store: ReplicaStore, n = 1): Promise<void> {
  await store.ensureTable(DEFAULT_TABLE)
  expect(await store.writeRows(DEFAULT_TABLE, batchOf(DEFAULT_TABLE, [row(n)]))).toMatchObject({ written: 1 })
}

async function readOne(store: ReplicaStore, n = 1): Promise<StampedRow | undefined> {
  const batch = await store.readRows(DEFAULT_TABLE, keysOf(DEFAULT_TABLE, [row(n).key]))
  return batch.rows === 0 ? undefined : rowAt(batch, 0)
}

async function serverOf(directory: string): Promise<number | undefined> {
  return (await findPostmaster(await realpath(join(directory, 'server', 'data'))))?.pid
}

/** A process that holds the server of a directory as a Merganser of its own does. */
async function otherHolder(directory: string): Promise<{ kill(): Promise<void> }> {
  const script = `const fs = require('fs')
    fs.openSync(process.argv[1], fs.constants.O_WRONLY | fs.constants.O_NONBLOCK)
    console.log('held')
    setInterval(() => undefined, 1000)`
  const child = spawn(process.execPath, ['-e', script, join(directory, 'server', 'guard')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  return {
    kill: async () => {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  await expect.poll(condition, { timeout: 60_000, interval: 20 }).toBe(true)
}

describe('the server of embedded-postgres', () => {
  it('outlives the one that started it while another one uses it, and stops when that one is killed with -9', async () => {
    const directory = freshDirectory()
    const store = await open(directory)
    await writeOne(store)
    const server = await serverOf(directory)
    const other = await otherHolder(directory)
    await store.close()
    expect(await serverOf(directory)).toBe(server)
    await other.kill()
    await until(async () => (await serverOf(directory)) === undefined)
    const again = await open(directory)
    expect(await readOne(again)).toEqual(row(1))
    expect(again.meta).toMatchObject({ logId: 'log', inUse: true })
  })

  it('stops on close, and reads without a database start nothing', async () => {
    const directory = freshDirectory()
    const empty = await open(directory, { access: 'read' })
    expect(await readOne(empty)).toBeUndefined()
    expect(await embeddedPostgres.absent?.({}, directory)).toBe(true)
    await expect(access(directory)).rejects.toThrow()
    const store = await open(directory)
    await writeOne(store)
    await Promise.all([store.close(), store.close()])
    expect(await serverOf(directory)).toBeUndefined()
    expect(await embeddedPostgres.absent?.({}, directory)).toBe(false)
    const reader = await open(directory, { access: 'read' })
    expect(await readOne(reader)).toEqual(row(1))
    await reader.close()
    expect(await serverOf(directory)).toBeUndefined()
  })

  it('is shared by readers while a session writes, below a path too long for a socket too', async () => {
    const directory = join(root, 'long'.repeat(30))
    const store = await open(directory)
    await writeOne(store)
    const reader = await open(directory, { access: 'read' })
    expect(await readOne(reader)).toEqual(row(1))
    await store.close()
    expect(await readOne(reader)).toEqual(row(1))
  })

  it('is started once by several that open it at the same moment; one of them owns it', async () => {
    const directory = freshDirectory()
    const results = await Promise.allSettled(
      [1, 2, 3].map((n) => open(directory, { owner: { logId: 'log', name: `owner ${String(n)}` } })),
    )
    const refused = results.flatMap((result) =>
      result.status === 'rejected' ? [result.reason as { code: string }] : [],
    )
    expect(refused.map((error) => error.code)).toEqual(['DATABASE_LOCKED', 'DATABASE_LOCKED'])
  })

  it('I5: killed during a write it loses the connection, and the next open finds all or nothing of the batch', async () => {
    const directory = freshDirectory()
    const store = await open(directory)
    await writeOne(store, 1)
    const rows = Array.from({ length: 50_000 }, (_, i) => row(i + 2))
    const writing = store.writeRows(DEFAULT_TABLE, batchOf(DEFAULT_TABLE, rows))
    process.kill((await serverOf(directory))!, 'SIGKILL')
    await expect(writing).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    await expect(store.writeRows(DEFAULT_TABLE, batchOf(DEFAULT_TABLE, rows))).rejects.toMatchObject({
      code: 'CONNECTION_LOST',
    })
    await store.close()
    await expect(readOne(store)).rejects.toMatchObject({ code: 'STORE_CLOSED' })
    const again = await open(directory)
    expect(await readOne(again, 1)).toEqual(row(1))
    const written = await again.writeRows(DEFAULT_TABLE, batchOf(DEFAULT_TABLE, rows))
    expect([0, rows.length]).toContain(written.stale)
  })

  it('is stopped and started again where its guard was killed', async () => {
    const directory = freshDirectory()
    const store = await open(directory)
    await writeOne(store)
    const server = (await serverOf(directory))!
    const listed = execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' }).split('\n')
    const data = await realpath(join(directory, 'server', 'data'))
    const guards = listed.filter((line) => line.includes('merganser-guard') && line.includes(data))
    expect(guards).toHaveLength(2)
    for (const line of guards) process.kill(Number.parseInt(line, 10), 'SIGKILL')
    const messages: string[] = []
    const next = open(directory, { access: 'read', progress: (message) => messages.push(message) })
    expect(await readOne(await next)).toEqual(row(1))
    expect(messages).toContain('waiting for the PostgreSQL server of POSTGRESQL to stop')
    expect(await serverOf(directory)).not.toBe(server)
    await expect(store.writeMeta({ inUse: true, highWater: '', position: 1 })).rejects.toMatchObject({
      code: 'CONNECTION_LOST',
    })
  })

  it('starts where a killed one left its pid file and the number belongs to another process now', async () => {
    const directory = freshDirectory()
    const store = await open(directory)
    await writeOne(store)
    const pidFile = join(directory, 'server', 'data', 'postmaster.pid')
    const text = await readFile(pidFile, 'utf8')
    await store.close()
    await writeFile(pidFile, text.replace(/^\d+/, String(process.pid)))
    expect(await readOne(await open(directory))).toEqual(row(1))
  })

  it('makes its data anew after an interrupted attempt', async () => {
    const directory = freshDirectory()
    const left = join(directory, 'server', 'data.new-999999999-0')
    await mkdir(left, { recursive: true })
    await writeFile(join(left, 'PG_VERSION'), '18\n')
    expect(await embeddedPostgres.absent?.({}, directory)).toBe(true)
    await writeOne(await open(directory))
    await expect(access(left)).rejects.toThrow()
  })

  if (isRoot) {
    it('runs below a folder of mode 0700 as a system user, and as that one again', async () => {
      const directory = freshDirectory()
      const systemDirectory = await mkdtemp(join(tmpdir(), 'merganser-system-'))
      await chmod(systemDirectory, 0o711)
      try {
        const store = await open(directory, {}, { systemUser: 'nobody', systemDirectory })
        await writeOne(store)
        const data = await realpath(join(directory, 'server', 'data'))
        expect(data.startsWith(systemDirectory)).toBe(true)
        expect((await stat(data)).uid).not.toBe(0)
        await store.close()
        expect(await readOne(await open(directory))).toEqual(row(1))
        for (const one of opened.splice(0)) await one.close()
      } finally {
        await rm(systemDirectory, { recursive: true, force: true })
      }
    })
  }
})

describe('the binaries of embedded-postgres', () => {
  it('get the links that a refused install script would have made, by two at once', async () => {
    const directory = join(root, 'package', 'native')
    await mkdir(join(directory, 'bin'), { recursive: true })
    await mkdir(join(directory, 'lib'))
    for (const file of ['bin/initdb', 'bin/postgres', 'lib/libx.so.1.2']) await writeFile(join(directory, file), '')
    const links = [{ source: 'native/lib/libx.so.1.2', target: 'native/lib/libx.so.1' }]
    await writeFile(join(directory, 'pg-symlinks.json'), JSON.stringify(links))
    const prepare = (): Promise<string> => prepareBinaries({ version: '18', root: directory }, join(root, 'copy'))
    expect(await Promise.all([prepare(), prepare()])).toEqual([directory, directory])
    await access(join(directory, 'lib', 'libx.so.1'))
    expect((await stat(join(directory, 'bin', 'postgres'))).mode & 0o555).toBe(0o555)
  })
})

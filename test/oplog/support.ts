import { mkdtemp, rm, stat, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Disk, DiskFile } from '../../src/environment/environment.ts'
import { NodeDisk } from '../../src/environment/node-disk.ts'
import { NodeRandom } from '../../src/environment/node-random.ts'
import { NodeTimers } from '../../src/environment/node-timers.ts'
import { CommitGroup, type CommitListener, type CommitOptions } from '../../src/oplog/commit.ts'
import { inspectLog, openLog, type OpenedLog, type OpenLogOptions } from '../../src/oplog/recover.ts'
import { readLog } from '../../src/oplog/read.ts'

export const disk = new NodeDisk()
export const environment = { disk, timers: new NodeTimers(), random: new NodeRandom() }

/** Runs with a directory of its own. */
export async function inDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'merganser-oplog-'))
  try {
    return await work(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

export interface Session {
  readonly group: CommitGroup
  readonly logs: readonly OpenedLog[]
  /** The log of the first replica. */
  readonly log: OpenedLog
}

export interface SessionOptions {
  readonly on?: Disk
  readonly replicas?: readonly string[]
  readonly open?: OpenLogOptions
  readonly commit?: Partial<CommitOptions>
  readonly listener?: CommitListener
}

export async function openSession(directory: string, options: SessionOptions = {}): Promise<Session> {
  const world = { ...environment, disk: options.on ?? disk }
  const logs: OpenedLog[] = []
  try {
    for (const replica of options.replicas ?? ['HIVE']) {
      logs.push(await openLog(world, directory, replica, { checkAppends: true, ...options.open }))
    }
  } catch (error) {
    await Promise.all(logs.map((log) => log.writer.close()))
    throw error
  }
  const writers = logs.map((log) => log.writer)
  const group = new CommitGroup(
    world,
    writers,
    { intervalMilliseconds: 3_600_000, ...options.commit },
    options.listener,
  )
  return { group, logs, log: logs[0]! }
}

/** Record `n` of these tests. */
export function line(n: number): string {
  return `2026-11-22 15:11:21.956711651Z,SET((SID${String(n)},CSE${String(n % 7)}),A${String(n)})`
}

/** Appends records `from` to `to`, each line on its own. */
export function append(log: OpenedLog, from: number, to: number): void {
  for (let n = from; n <= to; n++) log.writer.append(Buffer.from(`${line(n)}\n`), 1)
}

/** All lines of a log after a record, as text, seals and headers left out. */
export async function lines(directory: string, replica = 'HIVE', from = 0, on: Disk = disk): Promise<string[]> {
  const texts: string[] = []
  let record = from
  const report = await inspectLog(on, directory, replica, from === 0 ? {} : { from })
  for await (const chunk of readLog(on, report, from)) {
    if (chunk.firstRecord !== record + 1)
      throw new Error(`chunk begins at ${String(chunk.firstRecord)}, not ${String(record + 1)}`)
    record += chunk.records
    for (let i = 0; i < chunk.lines; i++) texts.push(chunk.bytes.toString('utf8', chunk.starts[i], chunk.ends[i]))
  }
  if (record < report.records) throw new Error('records are missing')
  return texts
}

/** The error that a promise rejects with. */
export async function failureOf(
  work: Promise<unknown>,
): Promise<{ code: string; message: string; exitStatus?: number }> {
  try {
    await work
  } catch (error) {
    return error as { code: string; message: string; exitStatus?: number }
  }
  throw new Error('it did not fail')
}

export type Operation =
  'open' | 'append' | 'datasync' | 'rewrite' | 'truncate' | 'rename' | 'syncDirectory' | 'replaceFile' | 'remove'
/**
 * `short`: half of the bytes are written, then EIO. `crash`: this and every later call fails, nothing done; `tear`: both. `power`: as
 * `crash`, and `loseUnsynced` then takes away what no sync made durable.
 */
export type Fault = 'EIO' | 'ENOSPC' | 'short' | 'crash' | 'tear' | 'power'

/** A real disk of which one call that changes something fails. */
export class FaultyDisk implements Disk {
  readonly #at: number
  readonly #fault: Fault
  #dead = false
  /** Durable sizes of the files that were written to. */
  readonly #durable = new Map<string, number>()
  /** Calls so far. */
  steps = 0
  /** The one that failed. */
  struck: Operation | undefined

  constructor(at: number, fault: Fault) {
    this.#at = at
    this.#fault = fault
  }

  async open(path: string, mode: 'read' | 'append' | 'create'): Promise<DiskFile> {
    if (mode !== 'read') await this.step('open')
    this.alive()
    const file = await disk.open(path, mode)
    if (mode !== 'read' && !this.#durable.has(path)) this.#durable.set(path, await file.size())
    return {
      size: () => file.size(),
      read: (position, length) => file.read(position, length),
      readInto: (into, position) => file.readInto(into, position),
      append: (buffers) => this.step('append', () => file.append(halfOf(buffers))).then(() => file.append(buffers)),
      truncate: (size) => this.step('truncate').then(() => file.truncate(size)),
      datasync: async () => {
        await this.step('datasync')
        await file.datasync()
        this.#durable.set(path, await file.size())
      },
      close: () => file.close(),
    }
  }

  async readFile(path: string): Promise<Uint8Array | undefined> {
    return disk.readFile(path)
  }
  async rewrite(path: string, from: number): Promise<void> {
    await this.step('rewrite')
    await disk.rewrite(path, from)
  }
  async replaceFile(path: string, contents: Uint8Array): Promise<void> {
    await this.step('replaceFile')
    await disk.replaceFile(path, contents)
  }
  async list(directory: string): Promise<string[]> {
    return disk.list(directory)
  }
  async makeDirectory(path: string): Promise<void> {
    await disk.makeDirectory(path)
  }
  async rename(from: string, to: string): Promise<void> {
    await this.step('rename')
    await disk.rename(from, to)
    const size = this.#durable.get(from)
    if (size !== undefined) this.#durable.set(to, size)
    this.#durable.delete(from)
  }
  async syncDirectory(path: string): Promise<void> {
    await this.step('syncDirectory')
    await disk.syncDirectory(path)
  }
  async remove(path: string): Promise<void> {
    await this.step('remove')
    await disk.remove(path)
  }

  async loseUnsynced(): Promise<void> {
    for (const [path, size] of this.#durable) {
      if ((await stat(path)).size > size) await truncate(path, size)
    }
  }

  private alive(): void {
    if (this.#dead) throw failure('EIO')
  }

  private async step(operation: Operation, half?: () => Promise<void>): Promise<void> {
    this.alive()
    if (++this.steps !== this.#at) return
    this.struck = operation
    if (this.#fault === 'crash' || this.#fault === 'tear' || this.#fault === 'power') this.#dead = true
    if (this.#fault === 'short' || this.#fault === 'tear') await half?.()
    throw failure(this.#fault === 'ENOSPC' ? 'ENOSPC' : 'EIO')
  }
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code })
}

function halfOf(buffers: readonly Uint8Array[]): Uint8Array[] {
  const all = Buffer.concat(buffers)
  return [all.subarray(0, all.length >> 1)]
}

/** A disk that holds one file, in memory: thousands of changed logs are read from it. */
export class OneFile implements Pick<Disk, 'open' | 'list'> {
  readonly #name: string
  bytes: Buffer

  constructor(name: string, bytes: Buffer) {
    this.#name = name
    this.bytes = bytes
  }

  get disk(): Disk {
    return Object.assign(new NodeDisk(), { open: () => this.open(), list: () => this.list() })
  }

  open(): Promise<DiskFile> {
    const never = () => Promise.reject(new Error('read only'))
    return Promise.resolve({
      size: () => Promise.resolve(this.bytes.length),
      read: (position, length) => Promise.resolve(this.bytes.subarray(position, position + length)),
      readInto: (into, position) => Promise.resolve(this.bytes.copy(into, 0, position)),
      append: never,
      truncate: never,
      datasync: never,
      close: () => Promise.resolve(),
    })
  }

  list(): Promise<string[]> {
    return Promise.resolve([this.#name])
  }
}

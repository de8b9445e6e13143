import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rowAt, type StampedRow } from '../../src/core/batch.ts'
import { MerganserError } from '../../src/core/errors.ts'
import { ModelState } from '../../src/core/model/model-state.ts'
import { DEFAULT_TABLE, type TableSchema } from '../../src/core/table.ts'
import { parseType } from '../../src/core/types.ts'
import { DEFAULT_DURABILITY, DEFAULT_LIMITS, type Limits } from '../../src/config/config.ts'
import type { Connector, ReplicaStore } from '../../src/connectors/connector.ts'
import { loadConnector } from '../../src/connectors/registry.ts'
import type { FailedExpectation } from '../../src/engine/events.ts'
import { finish } from '../../src/engine/finish.ts'
import type { Report } from '../../src/engine/report.ts'
import { runScript } from '../../src/engine/run-script.ts'
import { openSession, type Session } from '../../src/engine/session.ts'
import type { EngineSetup } from '../../src/engine/setup.ts'
import type { Environment } from '../../src/environment/environment.ts'
import { NodeDisk } from '../../src/environment/node-disk.ts'
import { inlineThreads } from '../../src/environment/node-threads.ts'
import { nodeEnvironment } from '../../src/environment/node.ts'
import { hostStores } from '../../src/lanes/host.ts'

export const DOCUMENTS = 'embedded-documents'
export const WAREHOUSE = 'embedded-warehouse'
export const POSTGRES = 'embedded-postgres'

/** What a store does before a call, by its replica: waits, or throws instead of it. */
export type Hook = (replica: string, call: keyof ReplicaStore | 'open') => Promise<void> | undefined

export interface Options {
  /** Name to type; by default three document stores A, B, C. */
  readonly replicas?: Readonly<Record<string, string>>
  readonly tables?: readonly TableSchema[]
  readonly hook?: Hook
  readonly environment?: Partial<Environment>
  readonly limits?: Partial<Limits>
  readonly segmentBytes?: number
  readonly commitMilliseconds?: number
  readonly retrySeconds?: number
  readonly workers?: number
  readonly dryRun?: boolean
  readonly flush?: boolean
  readonly fresh?: boolean
  readonly acceptLoss?: boolean
  readonly keepGoing?: boolean
  /** Bytes of a script's chunks. */
  readonly chunk?: number
  /** The implementation of the state; the model by default. */
  readonly makeState?: EngineSetup['makeState']
}

export const THREE = { A: DOCUMENTS, B: DOCUMENTS, C: DOCUMENTS }

/** A table `t (k) -> (a, b)` of strings. */
export const PAIRS: TableSchema = {
  name: 't',
  key: [{ name: 'k', type: parseType('string')! }],
  values: [
    { name: 'a', type: parseType('string')! },
    { name: 'b', type: parseType('string')! },
  ],
}
/** A table `one (k) -> v` of strings. */
export const ONE: TableSchema = {
  name: 'one',
  key: [{ name: 'k', type: parseType('string')! }],
  values: [{ name: 'v', type: parseType('string')! }],
}

/** Temporary directories that a test file removes at its end. */
export class Directories {
  readonly #paths: string[] = []

  async make(): Promise<string> {
    const path = await realpath(await mkdtemp(join(tmpdir(), 'merganser-engine-')))
    this.#paths.push(path)
    return path
  }

  async remove(): Promise<void> {
    for (const path of this.#paths.splice(0)) await rm(path, { recursive: true, force: true })
  }
}

/** What a session told. */
export class Told {
  readonly messages: string[] = []
  readonly failed: FailedExpectation[] = []
  readonly problems: MerganserError[] = []
  output = ''

  get lines(): string[] {
    return this.output.split('\n').slice(0, -1)
  }

  /** What of a setup makes a session tell it. */
  get heard(): Pick<EngineSetup, 'sink' | 'events'> {
    return {
      sink: (bytes) => {
        this.output += Buffer.from(bytes).toString()
        return undefined
      },
      events: {
        message: (text) => this.messages.push(text),
        expectationFailed: (failed) => this.failed.push(failed),
        problem: (problem) => this.problems.push(problem),
      },
    }
  }
}

export function hooked(connector: Connector, hook: Hook): Connector {
  return {
    ...connector,
    options: (raw) => connector.options(raw),
    open: async (options, context) => {
      await hook(context.replica, 'open')
      return hookedStore(await connector.open(options, context), context.replica, hook)
    },
  }
}

function hookedStore(store: ReplicaStore, replica: string, hook: Hook): ReplicaStore {
  return {
    meta: store.meta,
    greatestStamp: async (tables) => {
      await hook(replica, 'greatestStamp')
      return await store.greatestStamp(tables)
    },
    ensureTable: async (table) => {
      await hook(replica, 'ensureTable')
      await store.ensureTable(table)
    },
    readRows: async (table, keys) => {
      await hook(replica, 'readRows')
      return await store.readRows(table, keys)
    },
    scanRows: (table, after) => store.scanRows(table, after),
    writeRows: async (table, batch) => {
      await hook(replica, 'writeRows')
      return await store.writeRows(table, batch)
    },
    writeMeta: async (meta) => {
      await hook(replica, 'writeMeta')
      await store.writeMeta(meta)
    },
    close: async () => {
      await hook(replica, 'close')
      await store.close()
    },
  }
}

export async function setupOf(directory: string, told: Told, options: Options = {}): Promise<EngineSetup> {
  const hook = options.hook ?? (() => undefined)
  const load = async (type: string) => {
    const connector = await loadConnector(type)
    return connector === undefined ? undefined : hooked(connector, hook)
  }
  const environment: Environment = {
    ...nodeEnvironment(new URL('file:///nowhere')),
    disk: new NodeDisk(),
    threads: inlineThreads((port) => {
      hostStores(port, load)
    }),
    ...options.environment,
  }
  const replicas = Object.entries(options.replicas ?? THREE).map(async ([name, type]) => {
    const connector = (await loadConnector(type))!
    return { name, connector, options: connector.options({}) }
  })
  return {
    environment,
    stateDirectory: directory,
    tables: options.tables ?? [DEFAULT_TABLE],
    replicas: await Promise.all(replicas),
    aliases: {},
    dryRun: options.dryRun ?? false,
    flush: options.flush ?? true,
    fresh: options.fresh ?? false,
    acceptLoss: options.acceptLoss ?? false,
    workers: options.workers ?? 50,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    durability: {
      ...DEFAULT_DURABILITY,
      commitMilliseconds: options.commitMilliseconds ?? 1,
      segmentBytes: options.segmentBytes ?? DEFAULT_DURABILITY.segmentBytes,
    },
    retrySeconds: options.retrySeconds ?? 30,
    makeState: options.makeState ?? ((limits) => new ModelState(limits)),
    ...told.heard,
  }
}

/** Executes lines of a script in an open session. */
export async function execute(session: Session, script: string, options: Options = {}): Promise<void> {
  const bytes = Buffer.from(script)
  const size = options.chunk ?? 64 * 1024
  const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    bytes.subarray(i * size, (i + 1) * size),
  )
  await runScript(session, { file: 'test.in', chunks }, { keepGoing: options.keepGoing ?? false })
}

export interface Ran {
  readonly told: Told
  readonly lines: string[]
  readonly report: Report
  /** What the script ended with. */
  readonly error: MerganserError | undefined
}

/** A whole session: a script, the end, the close. As the command line does it, an error of the script doesn't end it. */
export async function run(directory: string, script: string, options: Options = {}): Promise<Ran> {
  const told = new Told()
  const session = await openSession(await setupOf(directory, told, options))
  let error: MerganserError | undefined
  try {
    try {
      await execute(session, script, options)
    } catch (problem) {
      if (!(problem instanceof MerganserError)) throw problem
      error = problem
    }
    const report = await finish(session, () => 0)
    await session.close()
    return { told, lines: told.lines, report, error }
  } catch (problem) {
    await session.close().catch(() => undefined)
    throw problem
  }
}

/** The rows that a replica's database holds. */
async function* scanned(directory: string, name: string, type: string, table: TableSchema): AsyncGenerator<StampedRow> {
  const connector = (await loadConnector(type))!
  const place = join(directory, 'databases', name.toLowerCase())
  const store = await connector.open(connector.options({}), { access: 'read', directory: place, replica: name })
  try {
    for await (const batch of store.scanRows(table)) {
      for (let i = 0; i < batch.rows; i++) yield rowAt(batch, i)
    }
  } finally {
    await store.close()
  }
}

/** The rows that a replica's database holds, by key: `value other deleted`, `-` where there is no register. */
export async function stored(
  directory: string,
  name: string,
  type = DOCUMENTS,
  table: TableSchema = DEFAULT_TABLE,
  stamps = false,
): Promise<Record<string, string>> {
  const rows: Record<string, string> = {}
  for await (const { key, cells, deleted } of scanned(directory, name, type, table)) {
    const shown = cells.map((cell) => (cell === null ? '-' : `${cell.value ?? '\\N'}${stamps ? `@${cell.stamp}` : ''}`))
    if (deleted !== null) shown.push(`deleted${stamps ? ` ${deleted}` : ''}`)
    rows[key.join()] = shown.join(' ')
  }
  return rows
}

/** What the rows of documents show, by key; undefined where a row is deleted. */
export async function storedCells(
  directory: string,
  name: string,
  table: TableSchema,
): Promise<Map<string, (string | null)[] | undefined>> {
  const rows = new Map<string, (string | null)[] | undefined>()
  for await (const { key, cells } of scanned(directory, name, DOCUMENTS, table)) {
    const none = cells.every((cell) => cell === null)
    rows.set(key.join(), none ? undefined : cells.map((cell) => cell?.value ?? null))
  }
  return rows
}

/** The lines of a replica's oplog. */
export async function log(directory: string, name: string, remarks = false): Promise<string[]> {
  const stem = `oplogs.${name.toLowerCase()}`
  const names = (await readdir(directory)).filter((file) => file === stem || /^\.\d+$/.test(file.slice(stem.length)))
  const number = (file: string) => Number(file.slice(stem.length + 1) || Infinity)
  const lines: string[] = []
  for (const file of names.filter((file) => file.startsWith(stem)).sort((a, b) => number(a) - number(b))) {
    lines.push(...(await readFile(join(directory, file), 'utf8')).split('\n').slice(0, -1))
  }
  return remarks ? lines.filter((line) => !line.startsWith('# seal ')) : lines.filter((line) => !line.startsWith('#'))
}

/** Log lines without the stamps' times, which differ between runs. */
export const withoutTimes = (lines: readonly string[]): string[] =>
  lines.map((line) => line.replace(/^\S+ [0-9:.]+Z/, ''))

/** Every file below a directory with its content, but for LMDB's tables of readers: to see that nothing was changed. */
export async function snapshot(directory: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {}
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (entry.name.endsWith('.mdb-lock')) continue
    const path = join(entry.parentPath, entry.name)
    files[path.slice(directory.length)] = entry.isFile()
      ? createHash('sha256')
          .update(await readFile(path))
          .digest('hex')
      : 'directory'
  }
  return files
}

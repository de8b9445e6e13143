import { access, chmod, mkdir, mkdtemp, open, readdir, readFile, readlink, realpath, rm } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import type { DirectoryLock } from '../../environment/environment.ts'
import { lockHolder as fileHolder, NodeProcesses } from '../../environment/node-processes.ts'
import type { OpenContext } from '../connector.ts'
import { refuseLinks } from '../links.ts'
import { locked, lockHolder, translated } from './errors.ts'

const FILE = 'warehouse.duckdb'
const LOCK = 'lock'
/** What DuckDB has no room for in memory. */
const TEMPORARY = 'temporary'
/** How long an owner that is still stopping is waited for, in milliseconds, and how often it is asked. */
const LOCK_WAIT = 3000
const LOCK_PAUSE = 50
/** DuckDB moves its write-ahead log into the file when it has grown to this, and at closing. */
const CHECKPOINT_BYTES = '64MB'

export interface WarehouseOptions {
  /** Most memory of DuckDB, like `1GB`. What doesn't fit is spilled to files. */
  readonly memory: string
  readonly threads: number
}

/** Databases of this thread by path. DuckDB must have a file open once only in one process, so stores share it. */
const opened = new Map<string, Promise<SharedDatabase>>()

/**
 * One open DuckDB file. POSIX gives up a process's lock of a file when any of its descriptors is closed, so a second
 * instance in one process would undo DuckDB's own lock: the lock file beside it keeps other threads away too.
 */
export class SharedDatabase {
  readonly #instance: DuckDBInstance
  readonly #lock: DirectoryLock | undefined
  readonly #temporary: string | undefined
  /** The owner's name, while a store of this thread writes. */
  writer: string | undefined
  users = 0
  closing: Promise<void> | undefined

  /** @param temporary a directory that goes with it */
  constructor(instance: DuckDBInstance, lock: DirectoryLock | undefined, temporary?: string) {
    this.#instance = instance
    this.#lock = lock
    this.#temporary = temporary
  }

  get writable(): boolean {
    return this.#lock !== undefined
  }

  async connect(): Promise<DuckDBConnection> {
    return await this.#instance.connect()
  }

  /** Closes the file: its connections are closed before. */
  async end(): Promise<void> {
    if (this.writable) await this.#checkpoint()
    this.#instance.closeSync()
    await this.#lock?.release()
    if (this.#temporary !== undefined) await rm(this.#temporary, { recursive: true, force: true })
  }

  /** In a thread of DuckDB's; closing would do it in this one. */
  async #checkpoint(): Promise<void> {
    const connection = await this.connect()
    try {
      await connection.run('CHECKPOINT')
    } catch {
      // Everything is in the write-ahead log, which the next opening reads.
    } finally {
      connection.disconnectSync()
    }
  }
}

/** Whether there is a database in a directory. */
export async function isThere(directory: string): Promise<boolean> {
  return await access(join(directory, FILE)).then(
    () => true,
    () => false,
  )
}

/** The name of the process that has the database of a directory open for writing, if one has. */
export async function ownerOf(directory: string): Promise<string | undefined> {
  const lock = await fileHolder(join(directory, LOCK))
  return lock?.alive === true ? lock.holder : undefined
}

/** Opens the file, or joins those of this thread that have it open. Undefined where there is none to be read. */
export async function openDatabase(
  options: WarehouseOptions,
  context: OpenContext,
): Promise<SharedDatabase | undefined> {
  const path = resolve(context.directory, FILE)
  for (;;) {
    const present = opened.get(path)
    if (present === undefined) break
    const database = await present.catch(() => undefined)
    if (database?.closing !== undefined) await database.closing
    else if (database !== undefined && opened.get(path) === present) return joined(database, context)
    // Else it failed to open, and was taken from the list.
  }
  const opening =
    context.access === 'write' ? openWritable(path, options, context) : openReadable(path, options, context)
  const shared = opening.then((database) => database ?? Promise.reject(new Error('no database')))
  opened.set(path, shared)
  try {
    const database = await opening
    if (database === undefined) opened.delete(path)
    return database === undefined ? undefined : joined(database, context)
  } catch (error) {
    opened.delete(path)
    throw error
  } finally {
    shared.catch(() => undefined)
  }
}

function joined(database: SharedDatabase, context: OpenContext): SharedDatabase {
  if (context.access === 'write') {
    if (database.writer !== undefined) throw locked(context.replica, database.writer)
    if (!database.writable) throw locked(context.replica, 'a reader of this process')
    database.writer = context.owner?.name ?? 'this process'
  }
  database.users++
  return database
}

/** Gives up one use of a database; the last one closes it. */
export async function releaseDatabase(directory: string, database: SharedDatabase, wrote: boolean): Promise<void> {
  if (wrote) database.writer = undefined
  if (--database.users > 0) return
  const path = resolve(directory, FILE)
  database.closing = database.end().finally(() => opened.delete(path))
  await database.closing
}

/** What is in the directory of a database; each a file or directory of its own, never a link to one. */
function ownPaths(directory: string): string[] {
  return [FILE, `${FILE}.wal`, LOCK, TEMPORARY].map((name) => join(directory, name))
}

async function openWritable(path: string, options: WarehouseOptions, context: OpenContext): Promise<SharedDatabase> {
  const directory = resolve(context.directory)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await refuseLinks(context.replica, ...ownPaths(directory))
  const until = performance.now() + LOCK_WAIT
  const processes = new NodeProcesses()
  const { lock } = await patiently(context, until, () => processes.lock(join(directory, LOCK), context.owner?.session))
  if (lock === undefined) throw locked(context.replica, 'another process')
  try {
    const isNew = !(await isThere(directory))
    // What a killed owner left there is of no use to anyone.
    const temporary = join(directory, TEMPORARY)
    await rm(temporary, { recursive: true, force: true })
    const settings = { ...common(options, temporary), checkpoint_threshold: CHECKPOINT_BYTES }
    const { instance } = await patiently(context, until, () => created(path, settings, context.replica))
    if (instance === undefined) throw locked(context.replica, 'another process')
    if (isNew) {
      // DuckDB has no say in it, only the process's umask.
      await chmod(path, 0o600)
      await syncDirectory(directory)
    }
    return new SharedDatabase(instance, lock)
  } catch (error) {
    await lock.release()
    throw error
  }
}

async function openReadable(
  path: string,
  options: WarehouseOptions,
  context: OpenContext,
): Promise<SharedDatabase | undefined> {
  const directory = resolve(context.directory)
  if (!(await isThere(directory))) return undefined
  await refuseLinks(context.replica, ...ownPaths(directory))
  if (await heldByThisProcess(join(directory, LOCK), path)) {
    throw locked(context.replica, `another thread of ${new NodeProcesses().self}`)
  }
  const temporary = await temporaryDirectory()
  try {
    const settings = { ...common(options, temporary), access_mode: 'READ_ONLY' }
    const { instance, holder } = await created(path, settings, context.replica)
    if (instance === undefined) throw locked(context.replica, holder ?? 'another process')
    return new SharedDatabase(instance, undefined, temporary)
  } catch (error) {
    await rm(temporary, { recursive: true, force: true })
    throw error
  }
}

function common(options: WarehouseOptions, temporary: string): Record<string, string> {
  return {
    threads: String(options.threads),
    memory_limit: options.memory,
    temp_directory: temporary,
    // The order of rows is always asked for; keeping it otherwise costs memory.
    preserve_insertion_order: 'false',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  }
}

/**
 * Where a database spills to that must not write beside its file. Of its own: DuckDB's files in it have fixed names.
 * It is there, so that nobody else can have put anything there; who asks for it takes it away.
 */
export async function temporaryDirectory(): Promise<string> {
  return await mkdtemp(join(tmpdir(), 'merganser-warehouse-'))
}

interface Attempt {
  readonly holder?: string
}

/** Tries until nobody holds what is wanted, or time is up: throws DATABASE_LOCKED. */
async function patiently<T extends Attempt>(
  context: OpenContext,
  until: number,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let said = false; ; said = true) {
    context.signal?.throwIfAborted()
    const outcome = await attempt()
    if (outcome.holder === undefined) return outcome
    if (performance.now() > until) throw locked(context.replica, outcome.holder)
    if (!said) context.progress?.(`waiting for the warehouse of ${context.replica}, in use by ${outcome.holder}`)
    await sleep(LOCK_PAUSE, undefined, context.signal === undefined ? {} : { signal: context.signal })
  }
}

async function created(
  path: string,
  settings: Record<string, string>,
  replica: string,
): Promise<{ readonly instance?: DuckDBInstance; readonly holder?: string }> {
  const duckdb = await import('@duckdb/node-api')
  try {
    return { instance: await duckdb.DuckDBInstance.create(path, settings) }
  } catch (error) {
    const holder = lockHolder(error)
    if (holder === undefined) throw translated(error, replica)
    return { holder }
  }
}

/** Whether a store of another thread of this process has the database open for writing. */
async function heldByThisProcess(lock: string, path: string): Promise<boolean> {
  try {
    const { host, pid } = JSON.parse(await readFile(lock, 'utf8')) as { host?: unknown; pid?: unknown }
    return host === hostname() && pid === process.pid && (await hasOpen(path))
  } catch {
    return false
  }
}

/** Whether this process has a file open; where the system doesn't say, it may have. A dead one may have had its pid. */
async function hasOpen(path: string): Promise<boolean> {
  const descriptors = await readdir('/proc/self/fd').catch(() => undefined)
  if (descriptors === undefined) return true
  const real = await realpath(path)
  const targets = await Promise.all(descriptors.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')))
  return targets.includes(real)
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

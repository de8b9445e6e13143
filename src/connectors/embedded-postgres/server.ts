import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { open, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { MerganserError } from '../../core/errors.ts'
import { attach, isGuarded, startGuarded, type Hold } from './guard.ts'
import { exists, programsOf, publishData, removeUnfinished, socketDirectory, type Place } from './place.ts'
import { findPostmaster, removeStalePidFile, type Postmaster } from './postmaster.ts'
import type { ChildProcess } from 'node:child_process'

/** How long a start may take: it includes the recovery after a crash, and the end of a server before. */
const START_MILLISECONDS = 120_000
/** How long `release` waits for the server to stop, which it does without us as well. */
const STOP_MILLISECONDS = 30_000
const INITDB_MILLISECONDS = 120_000
const STEP = 10
const LOG_BYTES = 1024 * 1024

/** The user that owns everything in the database; only who can enter the socket's directory can connect. */
export const SERVER_USER = 'merganser'
export const SERVER_DATABASE = 'postgres'
const PORT = 5432

const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  // Safety: what is acknowledged is on disk.
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  // Bulk: staged rows stay in memory, checkpoints are rare; nobody replicates from here.
  shared_buffers: '256MB',
  temp_buffers: '64MB',
  work_mem: '32MB',
  maintenance_work_mem: '128MB',
  max_wal_size: '2GB',
  checkpoint_timeout: '15min',
  wal_level: 'minimal',
  max_wal_senders: '0',
  // Containers often have a small /dev/shm.
  max_parallel_workers_per_gather: '0',
  max_connections: '100',
  // The log names no values.
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_checkpoints: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
}

export interface Waiting {
  readonly replica: string
  readonly signal?: AbortSignal | undefined
  readonly progress?: ((message: string) => void) | undefined
}

/** A server that runs at least until `release`. */
export interface RunningServer {
  readonly host: string
  readonly port: number
  /** Lets it stop, and waits for that where nobody else uses it. */
  release(): Promise<void>
}

/**
 * Finds the server of a place running, or starts it; makes its data where there is none. Waits for one that is stopping,
 * takes over after one that was killed. Throws DATABASE_UNREACHABLE where it doesn't get ready in time.
 */
export async function useServer(place: Place, waiting: Waiting): Promise<RunningServer> {
  const deadline = performance.now() + START_MILLISECONDS
  if (!(await exists(place.data))) await makeData(place, waiting)
  let stopping = 0
  for (let attempt = 0; performance.now() < deadline; attempt++) {
    waiting.signal?.throwIfAborted()
    let hold = attach(place.fifo)
    let guard: ChildProcess | undefined
    if (hold === undefined) {
      const unguarded = await findPostmaster(place.data)
      // Looked for again after the server was seen: a guard is there before its server is, and until it told it to stop.
      if (unguarded !== undefined && !isGuarded(place.fifo)) {
        if (stopping !== unguarded.pid)
          waiting.progress?.(`waiting for the PostgreSQL server of ${waiting.replica} to stop`)
        stop(unguarded.pid)
        stopping = unguarded.pid
        await sleep(STEP * 2)
        continue
      }
      if (unguarded !== undefined) continue
      await removeStalePidFile(place.data)
      ;({ hold, guard } = await startServer(place))
    }
    const ready = await untilReady(place, guard, deadline, waiting).catch((error: unknown) => {
      hold.release()
      throw error
    })
    if (ready !== undefined)
      return { host: ready.socketDirectory, port: ready.port, release: () => release(place, hold) }
    hold.release()
    await sleep(STEP * Math.min(20, attempt))
  }
  throw await unreachable(place, waiting, "didn't get ready in time")
}

/** The server's processes see nothing of our environment but where programs are found. */
const environment = (): NodeJS.ProcessEnv => ({ PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' })

async function startServer(place: Place): Promise<{ hold: Hold; guard: ChildProcess }> {
  const [programs, sockets] = await Promise.all([programsOf(place), socketDirectory(place)])
  const size = await stat(place.log).then(
    (found) => found.size,
    () => 0,
  )
  if (size > LOG_BYTES) await truncate(place.log)
  const settings = { ...SETTINGS, unix_socket_directories: sockets, port: String(PORT) }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  return await startGuarded(place.fifo, {
    command: [join(programs, 'postgres'), '-D', place.data, ...flags],
    account: place.account,
    environment: environment(),
    log: place.log,
  })
}

/** Undefined where the server that we waited for is gone: the caller begins again. */
async function untilReady(
  place: Place,
  guard: ChildProcess | undefined,
  deadline: number,
  waiting: Waiting,
): Promise<Postmaster | undefined> {
  let ended: number | null | undefined
  let broken: Error | undefined
  guard?.once('exit', (code) => {
    ended = code ?? 1
  })
  guard?.once('error', (error) => {
    broken = error
  })
  const patience = performance.now() + 1000
  let told = false
  while (performance.now() < deadline) {
    waiting.signal?.throwIfAborted()
    if (broken !== undefined) throw await unreachable(place, waiting, "can't be started", broken)
    const found = await findPostmaster(place.data)
    if (found?.ready === true) return found
    // Ours failed: because another one was first, or because an ended one's processes are still ending; or for good.
    if (ended !== undefined && found === undefined && !(await failedForAnother(place))) {
      throw await unreachable(place, waiting, "can't be started")
    }
    if (ended !== undefined && found === undefined) return undefined
    if (!isGuarded(place.fifo)) return undefined
    if (!told && performance.now() > patience) {
      waiting.progress?.(`waiting for the PostgreSQL server of ${waiting.replica} to get ready`)
      told = true
    }
    await sleep(STEP)
  }
  throw await unreachable(place, waiting, "didn't get ready in time")
}

async function failedForAnother(place: Place): Promise<boolean> {
  return /lock file|shared memory block/.test(await lastFatal(place))
}

async function lastFatal(place: Place): Promise<string> {
  try {
    const handle = await open(place.log, 'r')
    try {
      const { size } = await handle.stat()
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(4096), 0, 4096, Math.max(0, size - 4096))
      const lines = buffer.toString('utf8', 0, bytesRead).split('\n')
      return lines.findLast((line) => /FATAL|PANIC|error while loading|not found/.test(line)) ?? ''
    } finally {
      await handle.close()
    }
  } catch {
    return ''
  }
}

async function unreachable(place: Place, waiting: Waiting, what: string, cause?: unknown): Promise<MerganserError> {
  const said = (await lastFatal(place)).replace(/^.*?(?:FATAL|PANIC):\s*/, '')
  return new MerganserError(
    'DATABASE_UNREACHABLE',
    `the PostgreSQL server of ${waiting.replica} ${what}${said === '' ? '' : `: ${said}`}`,
    { place: { replica: waiting.replica }, advice: `see ${place.log}`, cause },
  )
}

/** Asks for a fast shutdown; repeated, it changes nothing. */
function stop(pid: number): void {
  try {
    process.kill(pid, 'SIGINT')
  } catch {
    // It is gone already.
  }
}

async function release(place: Place, hold: Hold): Promise<void> {
  const server = await findPostmaster(place.data)
  hold.release()
  const deadline = performance.now() + STOP_MILLISECONDS
  const shared = performance.now() + 100
  while (server !== undefined && performance.now() < deadline) {
    const now = await findPostmaster(place.data)
    if (now?.pid !== server.pid) return
    const guarded = isGuarded(place.fifo)
    // Somebody else still holds it.
    if (guarded && performance.now() > shared) return
    // The guard told it to stop, unless it was killed itself.
    if (!guarded) stop(server.pid)
    await sleep(STEP)
  }
}

/** Makes the data directory under another name first: one that was interrupted is never taken for a whole one. */
async function makeData(place: Place, waiting: Waiting): Promise<void> {
  waiting.progress?.('preparing a new PostgreSQL database')
  await removeUnfinished(place)
  const programs = await programsOf(place)
  const made = join(place.base, `data.new-${String(process.pid)}-${randomBytes(4).toString('hex')}`)
  const command = [
    ...place.account.prefix,
    join(programs, 'initdb'),
    ...['-D', made, '-U', SERVER_USER, '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-instructions'],
  ]
  try {
    await run(command, place, waiting)
    await publishData(place, made)
  } finally {
    await rm(made, { recursive: true, force: true })
  }
}

async function run(command: readonly string[], place: Place, waiting: Waiting): Promise<void> {
  const { uid, gid } = place.account
  await new Promise<void>((resolve, reject) => {
    const options = {
      cwd: '/',
      env: environment(),
      timeout: INITDB_MILLISECONDS,
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
      ...(waiting.signal === undefined ? {} : { signal: waiting.signal }),
    }
    execFile(command[0]!, command.slice(1), options, (error, _, said) => {
      if (error === null) {
        resolve()
        return
      }
      const place = { replica: waiting.replica }
      const line = said.trim().split('\n')[0] ?? ''
      const message = `the PostgreSQL database of ${waiting.replica} can't be made: ${line === '' ? error.message : line}`
      reject(new MerganserError('DATABASE_UNREACHABLE', message, { place, cause: error }))
    })
  })
}

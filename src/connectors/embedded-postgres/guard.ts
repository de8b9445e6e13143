import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import { lchown } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { Account } from './account.ts'

/*
 * Who stops the server? Everyone who uses it holds the writing end of one FIFO open; a guard process waits at its reading
 * end. The system closes the ends of whoever ends, in whatever way, kill -9 too. When the last one is closed the guard
 * reads the end of the file and stops the server. So threads and processes share one server without counting.
 *
 * The guard is a shell of a few lines, because it must outlive us and costs a thousandth of another Node.
 */

/**
 * The guard proper: starts the server given as its arguments, with the FIFO as standard input. `read` returns at the end
 * of the file only: nobody writes there. SIGINT asks for PostgreSQL's fast shutdown. The reading end is closed before,
 * so that nobody can attach to a server that is about to stop.
 */
const SCRIPT = `exec 3<&0 </dev/null
"$@" 3<&- &
server=$!
( while read -r line <&3; do :; done; exec 3<&-; kill -INT "$server" ) &
watcher=$!
exec 3<&-
wait "$server"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"`

/** The writing end of a guard's FIFO: as long as it is open, the server isn't stopped. */
export class Hold {
  #descriptor: number | undefined

  constructor(descriptor: number) {
    this.#descriptor = descriptor
  }

  release(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#descriptor = undefined
  }
}

/** Attaches to the guard at a FIFO; undefined where there is none. */
export function attach(fifo: string): Hold | undefined {
  try {
    // Without a reader this fails (ENXIO) instead of waiting for one.
    return new Hold(openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENXIO' || code === 'ENOENT') return undefined
    throw error
  }
}

/** Whether a guard is there. */
export function isGuarded(fifo: string): boolean {
  const hold = attach(fifo)
  hold?.release()
  return hold !== undefined
}

export interface GuardedCommand {
  readonly command: readonly string[]
  readonly account: Account
  readonly environment: NodeJS.ProcessEnv
  /** The file that takes what the server says. */
  readonly log: string
}

/**
 * Starts a guard with its server, in a session of their own, which a Ctrl-C at our terminal doesn't reach. Who dies in
 * between leaves nothing behind: the guard then finds the FIFO without writers.
 */
export async function startGuarded(fifo: string, server: GuardedCommand): Promise<{ hold: Hold; guard: ChildProcess }> {
  await makeFifo(fifo, server.account)
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK)
  // Its directory may belong to the server's user: a link that was put there isn't followed.
  const flags =
    constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const log = openSync(server.log, flags, 0o600)
  try {
    const hold = new Hold(openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK))
    const guard = spawn('/bin/sh', ['-c', SCRIPT, 'merganser-guard', ...server.account.prefix, ...server.command], {
      cwd: '/',
      detached: true,
      env: server.environment,
      stdio: [reader, log, log],
      ...(server.account.uid === undefined ? {} : { uid: server.account.uid }),
      ...(server.account.gid === undefined ? {} : { gid: server.account.gid }),
    })
    guard.unref()
    return { hold, guard }
  } finally {
    closeSync(reader)
    closeSync(log)
  }
}

async function makeFifo(fifo: string, account: Account): Promise<void> {
  try {
    await promisify(execFile)('mkfifo', ['-m', '600', fifo])
    if (account.uid !== undefined) await lchown(fifo, account.uid, account.gid ?? -1)
  } catch (error) {
    // It stays where it was made once; who comes second finds it.
    if (!isThere(fifo)) throw error
  }
}

function isThere(fifo: string): boolean {
  try {
    closeSync(openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK))
    return true
  } catch {
    return false
  }
}

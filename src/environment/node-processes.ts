import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { link, open, readFile, rename, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import type { DirectoryLock, Processes } from './environment.ts'
import { hasCode } from './node-disk.ts'

/** What a lock file says about the process that holds it. */
interface Holder {
  readonly host: string
  readonly pid: number
  /** Boot id and start time, which tell a process from a later one of the same pid; '' where the system has none. */
  readonly started: string
  /** One for each lock that is taken. */
  readonly id: string
  /** Of the process's sessions, the one that took it; '' for none. */
  readonly session?: string
}

type Taken = { readonly lock: FileLock } | { readonly holder: string }

/**
 * Locks between processes of one host, by files that appear with link(2), whole and at once.
 *
 * A dead process's lock S is taken over by one process only: the one that holds the lock file `<path>.after-<id of S>`
 * (a lock like any other, so the death of its holder is no end) and then still finds S at `<path>`. Only such a process
 * replaces S, and it gives up the second lock after that: who gets it later no longer finds S.
 */
export class NodeProcesses implements Processes {
  readonly self = `pid ${String(process.pid)} on ${hostname()}`

  async lock(path: string, session = ''): Promise<{ readonly lock?: DirectoryLock; readonly holder?: string }> {
    return take(path, session)
  }
}

/** Who holds the lock at `path`, and whether that process still runs; undefined where nobody does. Changes nothing. */
export async function lockHolder(
  path: string,
): Promise<{ readonly holder: string; readonly alive: boolean } | undefined> {
  const found = await read(path)
  if (found === undefined) return undefined
  if (found === 'unreadable') return { holder: 'an unknown process', alive: true }
  return { holder: nameOf(found), alive: await alive(found) }
}

class FileLock implements DirectoryLock {
  readonly #path: string
  readonly #id: string

  constructor(path: string, id: string) {
    this.#path = path
    this.#id = id
  }

  /** Removes the lock file if it is still this lock's; a second call does nothing. */
  async release(): Promise<void> {
    const found = await read(this.#path)
    if (found !== undefined && found !== 'unreadable' && found.id === this.#id) await unlink(this.#path)
  }
}

async function take(path: string, session = ''): Promise<Taken> {
  const own: Holder = {
    host: hostname(),
    pid: process.pid,
    started: (await startOf(process.pid)) ?? '',
    id: randomBytes(8).toString('hex'),
    session,
  }
  const draft = `${path}.${own.id}.tmp`
  await write(draft, own)
  try {
    for (;;) {
      if (await place(draft, path)) return { lock: new FileLock(path, own.id) }
      const found = await read(path)
      if (found === undefined) continue
      if (found === 'unreadable')
        return { holder: `an unknown process (${path} can't be read; remove it if none runs)` }
      if (!isOurs(found, own) && (await alive(found))) return { holder: nameOf(found) }
      const outcome = await takeOver(path, found, draft)
      if (outcome === 'mine') return { lock: new FileLock(path, own.id) }
      if (outcome !== 'gone') return outcome
    }
  } finally {
    await unlink(draft).catch(() => undefined)
  }
}

/** Whether a lock was taken by this process for the same session, in a thread that is gone. */
function isOurs(found: Holder, own: Holder): boolean {
  if (own.session === '' || found.session !== own.session) return false
  return found.host === own.host && found.pid === own.pid && found.started === own.started
}

/** Replaces a dead process's lock; 'gone' where it isn't there any more. */
async function takeOver(
  path: string,
  dead: Holder,
  draft: string,
): Promise<'mine' | 'gone' | { readonly holder: string }> {
  const turn = await take(`${path}.after-${dead.id}`)
  if ('holder' in turn) return turn
  try {
    const found = await read(path)
    if (found === undefined || found === 'unreadable' || found.id !== dead.id) return 'gone'
    await rename(draft, path)
    return 'mine'
  } finally {
    await turn.lock.release()
  }
}

/** False where there is a lock already. */
async function place(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path)
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  }
}

async function write(path: string, holder: Holder): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
  const file = await open(path, flags, 0o600)
  try {
    await file.writeFile(JSON.stringify(holder) + '\n')
    // After a power loss the lock is there whole or not at all.
    await file.sync()
  } finally {
    await file.close()
  }
}

async function read(path: string): Promise<Holder | 'unreadable' | undefined> {
  let text
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      text = await file.readFile('utf8')
    } finally {
      await file.close()
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
  try {
    const value: unknown = JSON.parse(text)
    return isHolder(value) ? value : 'unreadable'
  } catch {
    return 'unreadable'
  }
}

function isHolder(value: unknown): value is Holder {
  if (typeof value !== 'object' || value === null) return false
  const { host, pid, started, id } = value as Record<string, unknown>
  return (
    typeof host === 'string' &&
    Number.isSafeInteger(pid) &&
    (pid as number) > 0 &&
    typeof started === 'string' &&
    typeof id === 'string' &&
    /^[0-9a-f]{16}$/.test(id)
  )
}

function nameOf(holder: Holder): string {
  return `pid ${String(holder.pid)} on ${holder.host}`
}

/** Whether a lock's process may still run. That of another host can't be seen from here and counts as living. */
async function alive(holder: Holder): Promise<boolean> {
  if (holder.host !== hostname()) return true
  let ours = true
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    if (hasCode(error, 'ESRCH')) return false
    ours = false
  }
  const started = await startOf(holder.pid)
  // Another user's process may be hidden from us in /proc.
  if (started === undefined) return !ours
  return started === '' || holder.started === '' || started === holder.started
}

let bootId: string | undefined

/**
 * What tells a process from any other of its pid: boot id and start time. Undefined where it has ended (a zombie has),
 * '' where the system doesn't say.
 */
async function startOf(pid: number): Promise<string | undefined> {
  try {
    bootId ??= (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
  } catch {
    return ''
  }
  let stat
  try {
    stat = await readFile(`/proc/${String(pid)}/stat`, 'utf8')
  } catch (error) {
    return hasCode(error, 'ENOENT') || hasCode(error, 'ESRCH') ? undefined : ''
  }
  // The name, in parentheses, may hold anything; state is the first field after it, the start time the 20th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined
  return `${bootId}/${fields[19] ?? ''}`
}

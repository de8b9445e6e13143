import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startOf } from './services/processes.mjs'

const TAKEOVER_LIMIT_MS = 10_000
const OTHER_HOST_LIMIT_MS = 30 * 60_000

/**
 * Runs `work` while no other process runs its own under the same lock: a directory at `path` that names its holder.
 * One that a dead process left is taken over. `waiting` is called once, with the holder, if there is one to wait for.
 */
export async function withLock(path, waiting, work) {
  let told = false
  while (!take(path)) {
    const holder = readHolder(path)
    if (isDead(path, holder)) {
      takeOver(path, holder)
      continue
    }
    if (!told && holder !== undefined) waiting(holder)
    told ||= holder !== undefined
    await sleep(50)
  }
  const onExit = () => release(path)
  process.once('exit', onExit)
  try {
    return await work()
  } finally {
    process.off('exit', onExit)
    release(path)
  }
}

/** A directory that already names its holder is renamed into place, so that no lock without a holder is ever seen. */
function take(path) {
  const prepared = `${path}.${String(process.pid)}`
  rmSync(prepared, { recursive: true, force: true })
  mkdirSync(prepared)
  writeFileSync(
    join(prepared, 'holder'),
    JSON.stringify({ pid: process.pid, started: startOf(process.pid), host: hostname() }),
  )
  try {
    renameSync(prepared, path)
    return true
  } catch (error) {
    rmSync(prepared, { recursive: true, force: true })
    if (['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(error.code)) return false
    throw error
  }
}

function readHolder(path) {
  try {
    return JSON.parse(readFileSync(join(path, 'holder'), 'utf8'))
  } catch {
    return undefined
  }
}

function isDead(path, holder) {
  try {
    if (holder === undefined) return Date.now() - statSync(path).mtimeMs > TAKEOVER_LIMIT_MS
    if (holder.host !== hostname()) return Date.now() - statSync(path).mtimeMs > OTHER_HOST_LIMIT_MS
    // The number may have come to another process since.
    if (holder.started !== undefined) return startOf(holder.pid) !== holder.started
    process.kill(holder.pid, 0)
    return false
  } catch (error) {
    return error.code === 'ESRCH'
  }
}

/** Only one process at a time removes a dead one's lock, and looks again first: it must not remove its successor's. */
function takeOver(path, holder) {
  const guard = `${path}.takeover`
  try {
    mkdirSync(guard)
  } catch {
    const age = statSync(guard, { throwIfNoEntry: false })
    if (age !== undefined && Date.now() - age.mtimeMs > TAKEOVER_LIMIT_MS)
      rmSync(guard, { recursive: true, force: true })
    return
  }
  try {
    const now = readHolder(path)
    if (now?.pid === holder?.pid && now?.host === holder?.host) release(path)
  } finally {
    rmSync(guard, { recursive: true, force: true })
  }
}

function release(path) {
  const leaving = `${path}.${String(process.pid)}.old`
  try {
    renameSync(path, leaving)
  } catch {
    return
  }
  rmSync(leaving, { recursive: true, force: true })
}

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const KILL_MS = 5_000

/**
 * When a process started, in words that only equal themselves: a number alone may have come to another process since.
 * Undefined where there is no such process, or it has ended and only waits to be counted out.
 */
export function startOf(pid) {
  try {
    if (process.platform !== 'linux') return startByPs(pid)
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
    // The name, in brackets, may hold anything. After it: state, parent, …, and as the 20th the start in ticks.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${fields[19]}`
  } catch {
    return undefined
  }
}

function startByPs(pid) {
  const options = { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' }, stdio: ['ignore', 'pipe', 'ignore'] }
  const [state, ...start] = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], options)
    .trim()
    .split(/\s+/)
  return state === '' || state.startsWith('Z') ? undefined : start.join(' ')
}

/** Whether `{ pid, started }` still runs. */
export function isRunning({ pid, started }) {
  return started !== undefined && startOf(pid) === started
}

/**
 * Ends a process `{ pid, started }` and its group: asks with `signal`, kills what is left after `limitMs`. Does nothing
 * where the number belongs to another process by now. Throws where it can't be ended.
 */
export async function stopProcess(target, { signal = 'SIGTERM', limitMs = 15_000 } = {}) {
  if (!isRunning(target)) return
  send(target.pid, signal)
  if (!(await ended(target, limitMs))) {
    killGroup(target)
    if (!(await ended(target, KILL_MS))) throw new Error(`process ${String(target.pid)} can't be ended`)
  }
  // Its children, if it left any: their group keeps its number as long as one of them lives.
  send(-target.pid, 'SIGKILL')
}

/** At once, without a question. */
export function killGroup(target) {
  if (!isRunning(target)) return
  send(-target.pid, 'SIGKILL')
  send(target.pid, 'SIGKILL')
}

async function ended(target, limitMs) {
  const until = performance.now() + limitMs
  while (isRunning(target)) {
    if (performance.now() > until) return false
    await sleep(20)
  }
  return true
}

function send(pid, signal) {
  try {
    process.kill(pid, signal)
  } catch (error) {
    // macOS says EPERM of a group whose members have all ended.
    if (error.code !== 'ESRCH' && error.code !== 'EPERM') throw error
  }
}

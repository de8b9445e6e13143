import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Milliseconds between two looks at a process's memory. */
const LOOK = 50

/**
 * Runs a program to its end: its wall time in seconds, start and end of the process included, the most memory that it
 * had (MB; undefined where the system doesn't tell), and its output. Throws with that where it fails.
 */
export async function runProcess(program, args, options = {}) {
  const started = performance.now()
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  const output = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => output.push(bytes))
  let peak
  const look = () => {
    peak = peakOf(child.pid) ?? peak
  }
  const looking = setInterval(look, LOOK)
  const status = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  clearInterval(looking)
  const seconds = (performance.now() - started) / 1000
  const text = Buffer.concat(output).toString()
  if (status === 0) return { seconds, peak, output: text }
  throw new Error(`${program} ${args.join(' ')} ended with ${String(status)}: ${text}`)
}

/** Its wall time alone. */
export async function timeProcess(program, args, options) {
  return (await runProcess(program, args, options)).seconds
}

/** The most memory that a running process has had resident, in MB; undefined where the system doesn't tell. */
export function peakOf(pid) {
  try {
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))
    return Number(kilobytes) / 1000
  } catch {
    return undefined
  }
}

/** The seconds that `work` takes. */
export async function timed(work) {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1000
}

import { spawn } from 'node:child_process'

/**
 * Runs a program to its end and gives its wall time in seconds, start and end of the process included. Throws with its
 * output where it fails.
 */
export async function timeProcess(program, args, options = {}) {
  const started = performance.now()
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  const output = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => output.push(bytes))
  const status = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const seconds = (performance.now() - started) / 1000
  if (status === 0) return seconds
  throw new Error(`${program} ${args.join(' ')} ended with ${String(status)}: ${Buffer.concat(output).toString()}`)
}

/** The seconds that `work` takes. */
export async function timed(work) {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1000
}

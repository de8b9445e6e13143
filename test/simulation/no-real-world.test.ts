import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const PROGRAM = fileURLToPath(new URL('trapped.mjs', import.meta.url))
const LIMIT = 300_000

interface Trapped {
  /** Where each call of the real world came from, by its name. */
  readonly called: Readonly<Record<string, string>>
  readonly failures: readonly unknown[]
  readonly injected: readonly string[]
}

/** The simulation as it is built, in a process of its own where the real world is out of bounds. */
async function trapped(...args: string[]): Promise<Trapped> {
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, ...args], { timeout: LIMIT })
  return JSON.parse(stdout) as Trapped
}

test(
  'in the simulated world nothing reaches a real clock, timer, random number, disk, thread, process or connection',
  async () => {
    const { called, failures, injected } = await trapped('1', '2', '3')
    expect(called).toEqual({})
    expect(failures).toEqual([])
    // It was a world with faults and restarts, in which production does what it does.
    expect(injected).toEqual(expect.arrayContaining(['kill', 'lost answer', 'power loss', 'restart', 'thread ended']))
  },
  LIMIT,
)

test(
  'what a production module takes from the real world is found, whichever it is',
  async () => {
    const { called } = await trapped('1', 'plant')
    expect(Object.keys(called).sort()).toEqual([
      ...['Date()', 'Date.now', 'Math.random', 'child_process.spawn', 'crypto.randomBytes', 'crypto.randomUUID'],
      ...['dns.lookup', 'fetch', 'fs.readFileSync', 'fs/promises.readFile', 'net.connect', 'new Date()'],
      ...['performance.now', 'process.hrtime', 'process.hrtime.bigint', 'setImmediate', 'setInterval', 'setTimeout'],
      'worker_threads.Worker',
    ])
    expect(called['Date.now']).toContain('/dist/engine/flusher.js')
  },
  LIMIT,
)

import { readFileSync, readdirSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Worker } from 'node:worker_threads'
import { MerganserError } from '../../../src/core/errors.ts'
import { Draws } from '../../core/random.ts'
import { firstSeed, record, runsOf } from '../../support/proof.ts'

/** How long one input may take before it counts as a hang, in milliseconds; generous, as the machine may be busy. */
const HANG = 30_000
/** What the heap may grow by after the first tenth of the inputs, in MiB. */
const MOST_GROWTH = 48
const MIB = 1024 * 1024

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function heap(): number {
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return (heapUsed + arrayBuffers) / MIB
}

/** What is fed with inputs. An input that it takes badly makes it throw anything but a coded error. */
export interface Target {
  readonly name: string
  readonly inputs: { readonly ci: number; readonly nightly: number }
  /** Feeds it with one input, drawn; true where it was accepted. Gives how many inputs that were, if more than one. */
  readonly feed: (draws: Draws) => boolean | number | Promise<boolean | number>
}

export interface Fed {
  readonly name: string
  readonly inputs: number
  readonly accepted: number
  readonly slowest: number
  readonly growth: number
  readonly seconds: number
}

/** Feeds a target; fails where it crashes, hangs (the process is then ended, saying which input it was) or keeps memory. */
export async function fuzz(target: Target): Promise<Fed> {
  const seed = firstSeed()
  // One input alone, to look into it: with its seed in MERGANSER_PROOF_SEED.
  const alone = Number(process.env['MERGANSER_FUZZ_INPUT'] ?? 0)
  const inputs = alone > 0 ? 1 : runsOf(target.inputs)
  const watch = watchdog(`${target.name}, seed ${String(seed)}`)
  const [cpu, warm] = [process.cpuUsage(), Math.ceil(inputs / 10)]
  let [done, accepted, slowest, base, number] = [0, 0, 0, -1, Math.max(0, alone - 1)]
  const { stackTraceLimit } = Error
  // Most inputs are refused, and what an error costs is its stack.
  Error.stackTraceLimit = 0
  try {
    while (done < inputs) {
      if (done >= warm && base < 0) base = heap()
      watch.now(++number)
      const before = performance.now()
      const taken = await fedOne(target, seed, number)
      slowest = Math.max(slowest, performance.now() - before)
      done += typeof taken === 'number' ? taken : 1
      if (taken !== false) accepted += typeof taken === 'number' ? taken : 1
    }
  } finally {
    Error.stackTraceLimit = stackTraceLimit
    await watch.end()
  }
  const growth = heap() - base
  if (growth > MOST_GROWTH) throw new Error(`${target.name}: the heap grew by ${growth.toFixed(0)} MiB`)
  const { user, system } = process.cpuUsage(cpu)
  return { name: target.name, inputs: done, accepted, slowest, growth, seconds: (user + system) / 1e6 }
}

/** Every input has a seed of its own, so that it can be repeated alone. */
async function fedOne({ name, feed }: Target, seed: number, number: number): Promise<boolean | number> {
  try {
    // Most are synchronous: no turn of the event loop is spent on them.
    const taken = feed(new Draws(Math.imul(seed, 0x9e3779b1) ^ number))
    return taken instanceof Promise ? await taken : taken
  } catch (error) {
    if (error instanceof MerganserError && error.code !== 'BUG') return false
    Error.stackTraceLimit = 50
    throw new Error(`${name}: input ${String(number)} of seed ${String(seed)}`, { cause: error })
  }
}

/** Keeps the row of the report: `fed` in one process. */
export function recordFed(name: string, fed: readonly Fed[]): void {
  const sum = (of: (one: Fed) => number) => fed.reduce((total, one) => total + of(one), 0)
  record({
    name,
    invariants: ['I7', 'I8', 'I11'],
    runs: sum((one) => one.inputs),
    failures: 0,
    firstSeed: firstSeed(),
    injected: Object.fromEntries(fed.map((one) => [`inputs: ${one.name}`, one.inputs])),
    figures: {
      ...Object.fromEntries(fed.map((one) => [`accepted: ${one.name}`, one.accepted])),
      'slowest input, milliseconds': Math.round(Math.max(...fed.map((one) => one.slowest))),
      'greatest growth of the heap after warm-up, MiB': Math.round(Math.max(0, ...fed.map((one) => one.growth))),
      'resident at the end, MiB': Math.round(process.memoryUsage().rss / MIB),
      'CPU seconds': Math.round(sum((one) => one.seconds)),
    },
  })
}

const WATCH = `
const { workerData: { ticks, what, hang }, parentPort } = require('node:worker_threads')
let [seen, since] = [-1, Date.now()]
setInterval(() => {
  const now = Atomics.load(ticks, 0)
  if (now !== seen) [seen, since] = [now, Date.now()]
  else if (Date.now() - since > hang) {
    require('node:fs').writeSync(2, what + ': input ' + now + ' hangs\\n')
    process.kill(process.pid, 'SIGKILL')
  }
}, 1000)
parentPort.on('message', () => process.exit(0))`

/** Another thread that ends the process where the number of the input doesn't move. */
function watchdog(what: string): { now(input: number): void; end(): Promise<void> } {
  const ticks = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(WATCH, { eval: true, execArgv: [], workerData: { ticks, what, hang: HANG } })
  return {
    now: (input) => {
      Atomics.store(ticks, 0, input)
    },
    end: async () => {
      await worker.terminate()
    },
  }
}

const CORPUS = new URL('../corpus/', import.meta.url)

/** The files of the corpus whose names end so. */
export function corpus(ending: string): Buffer[] {
  const names = readdirSync(CORPUS).filter((name) => name.endsWith(ending))
  return names.sort().map((name) => readFileSync(new URL(name, CORPUS)))
}

/** Bytes with some changes: flipped, replaced, put in, left out, doubled, cut, or with a piece of another one. */
export function mutated(draws: Draws, bytes: Buffer, pieces: readonly Buffer[], most = 4): Buffer {
  let now = bytes
  for (let edits = 1 + draws.below(most); edits > 0; edits--) {
    const at = draws.below(now.length + 1)
    const end = Math.min(now.length, at + 1 + draws.below(12))
    const [head, tail] = [now.subarray(0, at), now.subarray(end)]
    switch (draws.below(8)) {
      case 0:
        if (at === now.length) break
        now = Buffer.from(now)
        now[at]! ^= 1 << draws.below(8)
        break
      case 1:
        if (at === now.length) break
        now = Buffer.from(now)
        now[at] = draws.below(256)
        break
      case 2:
        now = Buffer.concat([head, tail])
        break
      case 3:
        now = Buffer.concat([head, now.subarray(at, end), now.subarray(at)])
        break
      case 4:
        now = draws.below(8) === 0 ? head : now
        break
      case 5: {
        const other = draws.of(pieces)
        const from = draws.below(other.length + 1)
        now = Buffer.concat([head, other.subarray(from, from + draws.below(40)), tail])
        break
      }
      default:
        now = Buffer.concat([head, draws.of(pieces), now.subarray(at)])
    }
  }
  return now
}

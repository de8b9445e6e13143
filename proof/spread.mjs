import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'

/** Minutes that one seed may take, the shortening of its failure included. */
const LIMIT = 15
/** Much is made and soon forgotten: with room for it, less of it is looked at and moved. */
const HEAP = ['--min-semi-space-size=16', '--max-semi-space-size=32']

/**
 * Runs seeds from `firstSeed` on, each in one of as many processes as there are cores, until there were `seeds` of them,
 * the time is up, one fails, or `signal` is aborted; those that run then still end. A process is `script` (see
 * `worker.mjs`) with `args`. Gives what they came to together: every seed from the first, `runs` of them, was run.
 */
export async function spread(script, args, { firstSeed, seeds, seconds, signal, progress }) {
  const started = performance.now()
  const sum = { firstSeed, runs: 0, seconds: 0, processes: 0, memory: 0, figures: {}, injected: {} }
  const elapsed = () => (performance.now() - started) / 1000
  let handed = 0
  const next = () => {
    const over = sum.failure !== undefined || signal?.aborted || handed >= seeds || (handed > 0 && elapsed() >= seconds)
    return over ? undefined : firstSeed + handed++
  }
  sum.processes = Math.min(availableParallelism(), seeds)
  const take = (seed, result) => {
    sum.runs++
    add(sum.figures, result.figures)
    add(sum.injected, result.injected)
    sum.memory = Math.max(sum.memory, result.memory)
    // The first seed of those that failed side by side.
    if (result.failure !== undefined && !(sum.failure?.seed < seed)) sum.failure = { seed, ...result.failure }
    progress?.(sum, elapsed())
  }
  await Promise.all(Array.from({ length: sum.processes }, () => runWorker(script, args, next, take)))
  sum.seconds = elapsed()
  return sum
}

/** One process, until there is no seed for it any more. */
function runWorker(script, args, next, take) {
  const child = fork(script, args, {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    execArgv: [...process.execArgv, ...HEAP],
  })
  let seed
  let limit
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors = (errors + text).slice(-4000)
  })
  const hand = () => {
    clearTimeout(limit)
    seed = next()
    if (seed === undefined) {
      if (child.connected) child.disconnect()
      return
    }
    limit = setTimeout(() => child.kill('SIGKILL'), LIMIT * 60_000)
    child.send(seed)
  }
  child.on('message', (result) => {
    const done = seed
    seed = undefined
    take(done, result)
    hand()
  })
  return new Promise((resolve) => {
    const ended = (how) => {
      clearTimeout(limit)
      if (seed !== undefined && how !== 'SIGINT') {
        const message = `its process ended: ${how}\n${errors}`.trimEnd()
        take(seed, { figures: {}, injected: {}, memory: 0, failure: { invariant: 'process', message } })
      }
      seed = undefined
      resolve()
    }
    child.once('error', (error) => ended(error.message))
    // A child whose channel was closed here tells no `close`: its exit, and the end of what it says, are as good.
    child.once('exit', (code, end) => {
      const how = end ?? `status ${code}`
      if (child.stderr.closed) ended(how)
      else child.stderr.once('close', () => ended(how))
    })
    hand()
  })
}

function add(sums, more) {
  for (const [name, value] of Object.entries(more)) sums[name] = (sums[name] ?? 0) + value
}

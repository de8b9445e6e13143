/*
 * Runs seeds of the simulation, as it is built, in a process where the real world is out of bounds: each call of a clock,
 * timer, random number, file, thread, process or connection is noted and fails. Writes what was called, as JSON.
 *
 * node trapped.mjs SEED... [plant]
 */
import { createRequire, syncBuiltinESMExports } from 'node:module'
import { productionState } from '../../dist/index.js'
import { Lane } from '../../dist/lanes/lane.js'
import { FAULT_KINDS, planOf } from '../../dist/simulation/plan.js'
import { simulate } from '../../dist/simulation/run.js'
import { Seeds } from '../../dist/simulation/seeds.js'

const require = createRequire(import.meta.url)
// What Node makes when it is first asked for is made before.
const { stdout } = process
process.stderr.on('error', () => {})
const MODULES = [
  ...['fs', 'fs/promises', 'net', 'tls', 'dgram', 'dns', 'dns/promises', 'http', 'http2', 'https', 'os', 'cluster'],
  ...['worker_threads', 'child_process', 'timers', 'timers/promises', 'readline', 'inspector', 'v8'],
]
const OF_CRYPTO = /^(?:random|getRandomValues|generate|createDiffieHellman|createECDH)/
const OF_PROCESS = [
  'hrtime',
  'uptime',
  'cpuUsage',
  'memoryUsage',
  'resourceUsage',
  'kill',
  'exit',
  'dlopen',
  'chdir',
  'cwd',
]
const GLOBALS = ['setTimeout', 'setInterval', 'setImmediate', 'fetch', 'MessageChannel', 'BroadcastChannel']

/** How the simulation itself goes from event to event. */
const ALLOWED = { name: 'setImmediate', from: '/dist/environment/turns.js' }

const called = new Map()
const undo = []

function note(name) {
  // Each event of the simulation comes by here.
  Error.stackTraceLimit = name === ALLOWED.name ? 3 : 20
  const stack = new Error().stack.split('\n').slice(3)
  if (name === ALLOWED.name && stack[0].includes(ALLOWED.from)) return false
  if (!called.has(name)) called.set(name, stack.join('\n'))
  return true
}

function replace(object, key, by) {
  const before = Object.getOwnPropertyDescriptor(object, key)
  Object.defineProperty(object, key, { value: by(object[key]), configurable: true, writable: true })
  undo.push(() => (before === undefined ? delete object[key] : Object.defineProperty(object, key, before)))
}

/** Also what is called with `new`. */
function trap(object, key, name) {
  if (Object.getOwnPropertyDescriptor(object, key)?.configurable === false) return
  replace(object, key, (real) => {
    function trapped(...args) {
      if (note(name)) throw new Error(`${name} in the simulated world`)
      return real(...args)
    }
    return Object.assign(trapped, real)
  })
}

function trapAll() {
  const modules = new Map(MODULES.map((module) => [module, require(`node:${module}`)]))
  for (const [module, exports] of modules) {
    for (const key of Object.keys(exports)) {
      if (typeof exports[key] === 'function') trap(exports, key, `${module}.${key}`)
    }
  }
  const crypto = require('node:crypto')
  for (const key of Object.keys(crypto).filter((one) => OF_CRYPTO.test(one))) trap(crypto, key, `crypto.${key}`)
  const webCrypto = Object.getPrototypeOf(globalThis.crypto)
  for (const key of ['getRandomValues', 'randomUUID']) trap(webCrypto, key, `crypto.${key}`)
  syncBuiltinESMExports()
  trap(process.hrtime, 'bigint', 'process.hrtime.bigint')
  for (const key of OF_PROCESS) trap(process, key, `process.${key}`)
  for (const key of GLOBALS) trap(globalThis, key, key)
  trap(globalThis.performance, 'now', 'performance.now')
  trap(Math, 'random', 'Math.random')
  for (const key of ['wait', 'waitAsync']) trap(Atomics, key, `Atomics.${key}`)
  trap(AbortSignal, 'timeout', 'AbortSignal.timeout')
  for (const key of ['compile', 'instantiate']) trap(WebAssembly, key, `WebAssembly.${key}`)
  trap(Date, 'now', 'Date.now')
  replace(globalThis, 'Date', (real) => trappedDate(real))
}

/** A date of something is none of now. */
const trappedDate = (real) =>
  new Proxy(real, {
    apply() {
      note('Date()')
      throw new Error('Date() in the simulated world')
    },
    construct(target, args, made) {
      if (args.length > 0) return Reflect.construct(target, args, made)
      note('new Date()')
      throw new Error('new Date() in the simulated world')
    },
  })

/** What a production module could do, one of each kind, from within a lane. */
function plant() {
  const crypto = require('node:crypto')
  const calls = [
    ...[() => Date.now(), () => new Date(), () => Date(), () => performance.now(), () => process.hrtime.bigint()],
    ...[
      () => process.hrtime(),
      () => setTimeout(() => {}, 1),
      () => setInterval(() => {}, 1),
      () => setImmediate(() => {}),
    ],
    ...[() => Math.random(), () => crypto.randomBytes(1), () => globalThis.crypto.randomUUID()],
    ...[() => require('node:fs').readFileSync('x'), () => require('node:fs/promises').readFile('x')],
    ...[() => require('node:net').connect(1), () => require('node:dns').lookup('x', () => {}), () => fetch('http://x')],
    ...[() => new (require('node:worker_threads').Worker)('x'), () => require('node:child_process').spawn('x')],
  ]
  const { writeRows } = Lane.prototype
  Lane.prototype.writeRows = function (...args) {
    for (const call of calls.splice(0)) {
      try {
        call()
      } catch {
        // Noted.
      }
    }
    return writeRows.apply(this, args)
  }
}

const planted = process.argv.includes('plant')
const planFor = (seed) => {
  return planOf(new Seeds(seed), {
    replicas: 3 + (seed % 3),
    operations: planted ? 100 : 1000,
    faults: new Set(FAULT_KINDS),
  })
}
const seeds = process.argv.slice(2).filter((arg) => arg !== 'plant')
// The kernel is compiled once a process, from its file.
productionState({ undoStatements: 1, undoRows: 1 })
if (planted) plant()
trapAll()
const outcomes = []
for (const seed of seeds.map(Number)) outcomes.push(await simulate(seed, planFor(seed), productionState))
for (const again of undo.reverse()) again()
syncBuiltinESMExports()
const failures = outcomes.flatMap(({ failure }) => (failure === undefined ? [] : [failure]))
const injected = [...new Set(outcomes.flatMap((outcome) => [...outcome.injected.keys()]))].sort()
stdout.write(JSON.stringify({ called: Object.fromEntries(called), failures, injected }))

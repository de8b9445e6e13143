import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readJson, writeJson } from '../files.mjs'
import { withLock } from '../lock.mjs'
import { duration } from '../run.mjs'
import { provision } from './cache.mjs'
import { ServiceError } from './command.mjs'
import { freePorts } from './ports.mjs'
import { isRunning, killGroup, startOf, stopProcess } from './processes.mjs'

/*
 * A directory of running servers: one directory per server in it, with its record, its log and its data. The record is
 * there as long as the server may run; what is stopped is gone with its data.
 */

const READY_MS = 180_000
const ATTEMPTS = 3
const LOG_TAIL = 4_000

/** The record `{ name, pid, started, port, url }` of a server that runs in that directory; undefined where none does. */
export function recordOf(directory, name) {
  const record = readJson(join(directory, name, 'record.json'))
  return record.pid !== undefined && isRunning(record) ? record : undefined
}

/** The records of all that run in that directory. */
export function records(directory) {
  if (!existsSync(directory)) return []
  return readdirSync(directory).flatMap((name) => recordOf(directory, name) ?? [])
}

/**
 * Starts servers, where they don't run in that directory already, beside each other: for each its name with
 * `{ url, started }`, or `{ missing }`, the reason why it can't run here. `report` gets lines of progress.
 */
export async function up(directory, services, report, options = {}) {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const one = async (service) => {
    const tell = (line) => report(`${service.name}: ${line}`)
    try {
      const missing = await service.missing(options)
      if (missing !== undefined) return [service.name, { missing }]
      return [service.name, await upOne(directory, service, tell, options)]
    } catch (error) {
      tell(error.details ?? error.stack)
      return [
        service.name,
        { missing: error instanceof ServiceError ? error.message : `can't be started: ${error.message}` },
      ]
    }
  }
  return new Map(await Promise.all(services.map(one)))
}

async function upOne(directory, service, report, options) {
  const recipe = await service.recipe?.(options)
  const provisioned = recipe === undefined ? undefined : await provision(recipe, report)
  return await locked(directory, service.name, report, async () => {
    const record = recordOf(directory, service.name)
    if (record !== undefined) return { url: record.url, started: false }
    const begun = performance.now()
    report('starting')
    const { url, port } = await start(directory, service, { provisioned, report, options })
    report(`ready on port ${String(port)} (${duration((performance.now() - begun) / 1000)})`)
    return { url, started: true }
  })
}

/** Two of the same name in one directory would be two servers on the same data. */
async function locked(directory, name, report, work) {
  let result
  const waiting = ({ pid }) => report(`waiting for process ${String(pid)}, which starts or stops it`)
  await withLock(join(directory, `${name}.lock`), waiting, async () => {
    result = await work()
  })
  return result
}

/** A free port may be somebody else's by the time that the server takes it: then with another one. */
async function start(directory, service, context) {
  for (let attempt = 1; ; attempt++) {
    await remove(directory, service)
    const state = join(directory, service.name)
    mkdirSync(state, { recursive: true, mode: 0o700 })
    const [port] = await freePorts(1)
    try {
      return await launch(state, service, { ...context, state, port })
    } catch (error) {
      const taken = /address already in use|could not bind|BindException|EADDRINUSE/i.test(error.details ?? '')
      await remove(directory, service)
      if (!taken || attempt === ATTEMPTS) throw error
      context.report('the port was taken meanwhile')
    }
  }
}

/** Starts one process in a group and session of its own: a Ctrl-C at our terminal doesn't reach it. */
async function launch(state, service, context) {
  const { port } = context
  const command = await service.command(context)
  const log = join(state, 'log')
  const output = openSync(log, 'a', 0o600)
  const child = spawn(command.program, command.args, {
    cwd: command.cwd ?? state,
    env: command.env ?? process.env,
    detached: true,
    stdio: ['ignore', output, output],
    ...command.user,
  })
  closeSync(output)
  let broken
  child.once('error', (error) => {
    broken = error
  })
  const record = {
    name: service.name,
    pid: child.pid,
    started: child.pid && startOf(child.pid),
    port,
    url: command.url,
  }
  if (child.pid !== undefined) writeJson(join(state, 'record.json'), record)
  const kill = () => killGroup(record)
  process.once('exit', kill)
  try {
    await ready(service, { record, log, command, broken: () => broken })
  } finally {
    process.off('exit', kill)
  }
  child.unref()
  return record
}

async function ready(service, { record, log, command, broken }) {
  const until = performance.now() + READY_MS
  const state = { log: () => readFileSync(log, 'utf8') }
  // Somebody else may answer at the port that ours couldn't have.
  while (!((await command.ready(state)) && isRunning(record))) {
    const ended = broken()?.message ?? (isRunning(record) ? undefined : 'it ended')
    const reason = ended ?? (performance.now() > until ? `not ready after ${duration(READY_MS / 1000)}` : undefined)
    if (reason !== undefined) {
      const error = new ServiceError(`${service.name} can't be started: ${reason}`)
      error.details = readFileSync(log, 'utf8').slice(-LOG_TAIL)
      throw error
    }
    await sleep(50)
  }
}

/** Stops what runs in that directory, of these services, with their data; gives the names of what ran. */
export async function down(directory, services, report) {
  if (!existsSync(directory)) return []
  const one = async (service) =>
    await locked(directory, service.name, report, async () => {
      const ran = recordOf(directory, service.name) !== undefined
      await remove(directory, service)
      return ran ? [service.name] : []
    })
  return (await Promise.all(services.map(one))).flat()
}

async function remove(directory, service) {
  const state = join(directory, service.name)
  const record = recordOf(directory, service.name)
  if (record !== undefined) await stopProcess(record, { signal: service.stopSignal })
  await service.cleanUp?.(state)
  rmSync(state, { recursive: true, force: true, maxRetries: 3 })
}

import { execFile, spawn } from 'node:child_process'
import { constants, accessSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { killGroup, startOf } from './processes.mjs'

const LIMIT_MINUTES = 20
const KEPT_LINES = 40

/** Something that can be told in a line or a few; nobody wants its stack. */
export class ServiceError extends Error {}

/** The path of a program, or undefined where it isn't on PATH. */
export function onPath(program) {
  for (const directory of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(directory, program)
    try {
      accessSync(path, constants.X_OK)
      if (statSync(path).isFile()) return path
    } catch {
      // Not in this one.
    }
  }
  return undefined
}

/** What a program says within ten seconds, both streams; undefined where it fails. For questions like `--version`. */
export async function ask(program, args) {
  return await new Promise((resolve) => {
    execFile(program, args, { timeout: 10_000 }, (error, stdout, stderr) => {
      resolve(error === null ? `${stdout}${stderr}` : undefined)
    })
  })
}

/**
 * Runs one step of a provisioning to its end, in a group of its own, which ends with us; as
 * another user where `user` has `uid` and `gid`. `line` is called with each line
 * of its output. Throws a ServiceError with the last lines where the step fails or takes longer than `minutes`.
 */
export async function step(
  what,
  program,
  args,
  { cwd, env = process.env, user, line = () => {}, minutes = LIMIT_MINUTES } = {},
) {
  const child = spawn(program, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'], ...user })
  const target = { pid: child.pid, started: child.pid === undefined ? undefined : startOf(child.pid) }
  const kill = () => killGroup(target)
  process.once('exit', kill)
  const last = []
  let late = false
  const timer = setTimeout(() => {
    late = true
    kill()
  }, minutes * 60_000)
  try {
    for (const stream of [child.stdout, child.stderr]) {
      onLines(stream, (text) => {
        last.push(text)
        if (last.length > KEPT_LINES) last.shift()
        line(text)
      })
    }
    const status = await new Promise((resolve) => {
      child.once('error', (error) => {
        last.push(error.message)
        resolve(127)
      })
      child.once('close', (code, signal) => resolve(code ?? signal))
    })
    if (status !== 0) throw failure(what, late ? `no end after ${String(minutes)} minutes` : status, last)
  } finally {
    clearTimeout(timer)
    process.off('exit', kill)
  }
}

/** The first line says enough to be a reason; the rest is for who looks into it. */
function failure(what, status, last) {
  const said = last.find((line) => /error|fatal/i.test(line)) ?? last.at(-1) ?? ''
  const error = new ServiceError(`${what} failed (${String(status)}): ${said.trim().slice(0, 300)}`)
  error.details = last.join('\n')
  return error
}

function onLines(stream, take) {
  let rest = ''
  stream.setEncoding('utf8').on('data', (text) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()
    lines.forEach(take)
  })
  stream.on('end', () => {
    if (rest !== '') take(rest)
  })
}

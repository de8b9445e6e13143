import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The checkout's own directory. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url))

/**
 * Runs a program to its end: `{ status, output, seconds }`, its output shown as it comes (`show`) or gathered. Where
 * `signal` is aborted it is interrupted.
 */
export async function run(program, args, { show = false, env = process.env, signal } = {}) {
  const started = performance.now()
  const child = spawn(program, args, {
    cwd: ROOT,
    env,
    stdio: show ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    shell: program === 'npm' && process.platform === 'win32',
  })
  const interrupt = () => child.kill('SIGINT')
  signal?.addEventListener('abort', interrupt)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text) => {
      output += text
    })
  }
  const status = await new Promise((resolve) => {
    child.once('error', (error) => {
      output += `${error.message}\n`
      resolve(127)
    })
    child.once('close', (code, end) => resolve(code ?? (end === 'SIGINT' ? 130 : 128)))
  })
  signal?.removeEventListener('abort', interrupt)
  return { status, output, seconds: (performance.now() - started) / 1000 }
}

/** Runs Node on a script of an installed package: `tool('typescript/bin/tsc', …)`. */
export function tool(script, args, options) {
  return run(process.execPath, [`${ROOT}node_modules/${script}`, ...args], options)
}

/** Runs npm: the one that runs us, else the one on the path. */
export function npm(args, options) {
  const cli = process.env.npm_execpath
  return cli?.endsWith('.js') ? run(process.execPath, [cli, ...args], options) : run('npm', args, options)
}

export function say(text) {
  process.stderr.write(`${text}\n`)
}

export function duration(seconds) {
  return `${seconds.toFixed(1)} s`
}

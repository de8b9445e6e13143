import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { say } from '../run.mjs'
import { SERVICES } from './all.mjs'
import { down } from './running.mjs'

const FILE = fileURLToPath(import.meta.url)

/**
 * Starts a process that stops all servers in `directory`, and removes it, as soon as we end, in whatever way, kill -9
 * too: then the pipe that it reads from is closed. Call the result to let it do so now; it waits until it's done.
 */
export function guard(directory) {
  const child = spawn(process.execPath, [FILE, directory], { detached: true, stdio: ['pipe', 'ignore', 'inherit'] })
  const ended = new Promise((done) => {
    child.once('exit', done).once('error', done)
  })
  child.stdin.on('error', () => {})
  child.unref()
  child.stdin.unref()
  return async () => {
    child.ref()
    child.stdin.end()
    await ended
  }
}

if (resolve(process.argv[1] ?? '') === FILE) {
  // A Ctrl-C may reach us too; there is something to do first.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})
  process.stdin.resume().once('end', async () => {
    const [directory] = process.argv.slice(2)
    await down(directory, SERVICES, () => {}).catch((error) => say(`the servers of the tests: ${error.message}`))
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
  })
}

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { expect } from 'vitest'
import { freePort } from '../support/ports.ts'

/** A pooler before a database; it ends with `close`. */
export interface Pooler {
  /** Of the database, through it. */
  readonly url: string
  close(): Promise<void>
}

/** The program of PgBouncer; undefined where it isn't installed. */
export function findPooler(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return folders.map((folder) => join(folder, 'pgbouncer')).find(isProgram)
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Starts PgBouncer on a free port of loopback. */
export async function startPooler(program: string, url: string, mode: 'session' | 'transaction'): Promise<Pooler> {
  const directory = await mkdtemp(join(tmpdir(), 'merganser-pooler-'))
  const { hostname, port, pathname, username, password } = new URL(url)
  const signed = `user=${username} ${password === '' ? '' : `password=${decodeURIComponent(password)}`}`
  const own = await freePort()
  const file = join(directory, 'pooler.ini')
  const root = process.getuid?.() === 0
  await writeFile(
    file,
    `[databases]
pooled = host=${hostname} port=${port || '5432'} dbname=${pathname.slice(1)} ${signed}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${String(own)}
unix_socket_dir =
auth_type = any
pool_mode = ${mode}
ignore_startup_parameters = extra_float_digits
${root ? 'user = nobody' : ''}
`,
  )
  await chmod(directory, 0o755)
  const child = spawn(program, ['-q', file], { stdio: 'ignore' })
  await expect.poll(() => listens(own), { timeout: 60_000 }).toBe(true)
  return {
    url: `postgres://${username}@127.0.0.1:${String(own)}/pooled?sslmode=disable`,
    close: async () => {
      await ended(child)
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

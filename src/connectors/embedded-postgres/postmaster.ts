import { execFile } from 'node:child_process'
import { readFile, readlink, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** What `postmaster.pid` says of the server of a data directory. */
export interface Postmaster {
  readonly pid: number
  /** The directory of its socket; '' while it starts. */
  readonly socketDirectory: string
  readonly port: number
  readonly ready: boolean
}

/** The server of a data directory that is running, or ending; undefined where there is none. */
export async function findPostmaster(data: string): Promise<Postmaster | undefined> {
  const found = await readPidFile(data)
  return found !== undefined && (await isServing(found.pid, data)) ? found : undefined
}

/**
 * Removes a `postmaster.pid` that a killed server left and whose number now belongs to another process: PostgreSQL
 * would take that for a running server. Only while nobody starts one there.
 */
export async function removeStalePidFile(data: string): Promise<void> {
  const found = await readPidFile(data)
  if (found !== undefined && !(await isServing(found.pid, data)))
    await rm(join(data, 'postmaster.pid'), { force: true })
}

async function readPidFile(data: string): Promise<Postmaster | undefined> {
  let text: string
  try {
    text = await readFile(join(data, 'postmaster.pid'), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  const [pid, , , port, socketDirectory, , , status] = text.split('\n')
  const number = Number(pid)
  if (!Number.isInteger(number) || number <= 1) return undefined
  return {
    pid: number,
    port: Number(port),
    socketDirectory: socketDirectory ?? '',
    ready: status?.startsWith('ready') ?? false,
  }
}

/** Whether a process is the server of that directory: numbers are used again, after a restart of a container at once. */
async function isServing(pid: number, data: string): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  if (process.platform === 'linux') {
    // PostgreSQL works in its data directory.
    return await readlink(`/proc/${String(pid)}/cwd`).then(
      (directory) => directory === data,
      () => false,
    )
  }
  return await promisify(execFile)('ps', ['-p', String(pid), '-o', 'args=']).then(
    ({ stdout }) => stdout.includes('postgres') && stdout.includes(data),
    () => false,
  )
}

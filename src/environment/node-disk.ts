import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, open, readdir, rename, stat, unlink, type FileHandle } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Disk, DiskFile } from './environment.ts'

/** Most buffers that one system call takes, on every system. */
const MAX_BUFFERS = 1024

// A symbolic link isn't followed. O_NONBLOCK: to open a pipe in the place of a file must not hang.
const SAFE = constants.O_NOFOLLOW | constants.O_NONBLOCK
const FLAGS = {
  read: constants.O_RDONLY | SAFE,
  append: constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | SAFE,
  create: constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_EXCL | SAFE,
} as const

/** The file system. Every call runs on libuv's threads, syncs too: the main thread never waits for the disk. */
export class NodeDisk implements Disk {
  async open(path: string, mode: 'read' | 'append' | 'create'): Promise<DiskFile> {
    return new NodeFile(await openRegular(path, FLAGS[mode]))
  }

  async readFile(path: string): Promise<Uint8Array | undefined> {
    let handle
    try {
      handle = await openRegular(path, FLAGS.read)
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined
      throw error
    }
    try {
      return await handle.readFile()
    } finally {
      await handle.close()
    }
  }

  async replaceFile(path: string, contents: Uint8Array): Promise<void> {
    const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
    const file = await this.open(temporary, 'create')
    try {
      try {
        await file.append([contents])
        await file.datasync()
      } finally {
        await file.close()
      }
      await rename(temporary, path)
    } catch (error) {
      await unlink(temporary).catch(() => undefined)
      throw error
    }
    await this.syncDirectory(dirname(path))
  }

  async list(directory: string): Promise<string[]> {
    try {
      return (await readdir(directory)).sort()
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return []
      throw error
    }
  }

  async makeDirectory(path: string): Promise<void> {
    const directory = resolve(path)
    const above = dirname(directory)
    // Not `recursive`: Node tries for ever where a directory that is there takes no others (/proc).
    if (above !== directory && !(await isDirectory(above))) await this.makeDirectory(above)
    try {
      await mkdir(directory, 0o700)
    } catch (error) {
      if (hasCode(error, 'EEXIST') && (await isDirectory(directory))) return
      throw error
    }
    await this.syncDirectory(above)
  }

  async rename(from: string, to: string): Promise<void> {
    await rename(from, to)
  }

  async syncDirectory(path: string): Promise<void> {
    const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  }

  /** A file that isn't there is removed already. */
  async remove(path: string): Promise<void> {
    try {
      await unlink(path)
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error
    }
  }
}

class NodeFile implements DiskFile {
  readonly #handle: FileHandle

  constructor(handle: FileHandle) {
    this.#handle = handle
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    const buffer = Buffer.allocUnsafeSlow(length)
    let filled = 0
    while (filled < length) {
      const { bytesRead } = await this.#handle.read(buffer, filled, length - filled, position + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return buffer.subarray(0, filled)
  }

  async append(buffers: readonly Uint8Array[]): Promise<void> {
    let rest = buffers.filter((buffer) => buffer.length > 0)
    while (rest.length > 0) {
      const { bytesWritten } = await this.#handle.writev(rest.slice(0, MAX_BUFFERS))
      rest = after(rest, bytesWritten)
    }
  }

  async truncate(size: number): Promise<void> {
    await this.#handle.truncate(size)
  }

  async datasync(): Promise<void> {
    await this.#handle.datasync()
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }
}

/** What is left of the buffers once their first `written` bytes are on disk: a write may be short. */
export function after(buffers: readonly Uint8Array[], written: number): Uint8Array[] {
  let left = written
  let first = 0
  while (first < buffers.length && left >= buffers[first]!.length) left -= buffers[first++]!.length
  const rest = buffers.slice(first)
  if (left > 0) rest[0] = rest[0]!.subarray(left)
  return rest
}

async function openRegular(path: string, flags: number): Promise<FileHandle> {
  const handle = await open(path, flags, 0o600)
  const info = await handle.stat()
  if (info.isFile()) return handle
  await handle.close()
  throw Object.assign(new Error(`${path} is no regular file`), { code: info.isDirectory() ? 'EISDIR' : 'ENOTSUP' })
}

async function isDirectory(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { lstat, mkdir, open, readdir, rename, stat, unlink, type FileHandle } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Appender } from './appender.ts'
import { after, MAX_BUFFERS, sharedBytes } from './buffers.ts'
import type { Disk, DiskFile } from './environment.ts'

/** So many bytes in shared memory are worth starting a thread that checksums and writes them, and using it. */
const WORTH_STARTING = 1024 * 1024
const WORTH_POSTING = 64 * 1024

/** Bytes at a time. */
const REWRITTEN = 1024 * 1024

// A symbolic link isn't followed. O_NONBLOCK: to open a pipe in the place of a file must not hang.
const SAFE = constants.O_NOFOLLOW | constants.O_NONBLOCK
const FLAGS = {
  read: constants.O_RDONLY | SAFE,
  append: constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | SAFE,
  rewrite: constants.O_RDWR | SAFE,
  create: constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_EXCL | SAFE,
} as const

/** The file system. Every call runs on libuv's threads, syncs too: the main thread never waits for the disk. */
export class NodeDisk implements Disk {
  readonly #appender: Appender | undefined

  /** @param appender the thread for what is large: without it `appendSealed` is left to the caller */
  constructor(appender?: Appender) {
    this.#appender = appender
  }

  async open(path: string, mode: 'read' | 'append' | 'create'): Promise<DiskFile> {
    return new NodeFile(await openRegular(path, FLAGS[mode]), this.#appender)
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

  async rewrite(path: string, from: number): Promise<void> {
    const handle = await openRegular(path, FLAGS.rewrite)
    try {
      const chunk = Buffer.allocUnsafeSlow(REWRITTEN)
      for (let at = from; ;) {
        const { bytesRead } = await handle.read(chunk, 0, chunk.length, at)
        if (bytesRead === 0) break
        for (let done = 0; done < bytesRead;) {
          done += (await handle.write(chunk, done, bytesRead - done, at + done)).bytesWritten
        }
        at += bytesRead
      }
      await handle.datasync()
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

  async isLink(path: string): Promise<boolean> {
    return await isLink(path)
  }
}

class NodeFile implements DiskFile {
  readonly #handle: FileHandle
  readonly #appender: Appender | undefined

  constructor(handle: FileHandle, appender: Appender | undefined) {
    this.#handle = handle
    this.#appender = appender
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    const buffer = Buffer.allocUnsafeSlow(length)
    return buffer.subarray(0, await this.readInto(buffer, position))
  }

  async readInto(into: Uint8Array, position: number): Promise<number> {
    let filled = 0
    while (filled < into.length) {
      const { bytesRead } = await this.#handle.read(into, filled, into.length - filled, position + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return filled
  }

  async append(buffers: readonly Uint8Array[]): Promise<void> {
    let rest = buffers.filter((buffer) => buffer.length > 0)
    while (rest.length > 0) {
      const { bytesWritten } = await this.#handle.writev(rest.slice(0, MAX_BUFFERS))
      rest = after(rest, bytesWritten)
    }
  }

  appendSealed(buffers: readonly Uint8Array[], crc: number, seal: Uint8Array): Promise<number> | undefined {
    const appender = this.#appender
    if (appender === undefined) return undefined
    if (sharedBytes(buffers) < (appender.started ? WORTH_POSTING : WORTH_STARTING)) return undefined
    return appender.append(this, { descriptor: this.#handle.fd, buffers, crc, seal })
  }

  async truncate(size: number): Promise<void> {
    await this.#handle.truncate(size)
  }

  async datasync(): Promise<void> {
    await this.#handle.datasync()
  }

  async close(): Promise<void> {
    await this.#handle.close()
    await this.#appender?.leave(this)
  }
}

async function openRegular(path: string, flags: number): Promise<FileHandle> {
  const handle = await open(path, flags, 0o600)
  const info = await handle.stat()
  if (info.isFile()) return handle
  await handle.close()
  throw Object.assign(new Error(`${path} is no regular file`), { code: info.isDirectory() ? 'EISDIR' : 'ENOTSUP' })
}

/** Whether a symbolic link stands there; false where nothing does, or where it can't be seen. */
export async function isLink(path: string): Promise<boolean> {
  return await lstat(path).then(
    (found) => found.isSymbolicLink(),
    () => false,
  )
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

import { access, constants, stat, statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { hasCode } from './node-disk.ts'

/** What can be said of a directory without changing anything: itself where it is there, else where it would be made. */
export interface Room {
  readonly exists: boolean
  /** The directory itself, or the nearest above that is there. */
  readonly path: string
  /** Why it can't be written to; undefined where it can. */
  readonly refused?: string
  /** Bytes that this process may still write there. */
  readonly freeBytes: number
}

/** Looks at a directory for a diagnosis. Throws the system's error where even that isn't possible. */
export async function roomOf(directory: string): Promise<Room> {
  const wanted = resolve(directory)
  for (let path = wanted; ; path = dirname(path)) {
    try {
      const found = await stat(path)
      const { bavail, bsize } = await statfs(path)
      const refused = found.isDirectory() ? await refusalOf(path) : 'it is no directory'
      return { exists: path === wanted, path, freeBytes: bavail * bsize, ...(refused === undefined ? {} : { refused }) }
    } catch (error) {
      if (!hasCode(error, 'ENOENT') || path === dirname(path)) throw error
    }
  }
}

async function refusalOf(path: string): Promise<string | undefined> {
  try {
    await access(path, constants.W_OK | constants.X_OK)
    return undefined
  } catch (error) {
    if (hasCode(error, 'EROFS')) return 'its file system is read-only'
    return hasCode(error, 'EACCES') || hasCode(error, 'EPERM') ? 'no permission' : String(error)
  }
}

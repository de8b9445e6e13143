import { execFile } from 'node:child_process'
import { mkdir, rm } from 'node:fs/promises'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/** Runs a program of the system to its end; rejects with what it said. */
export async function system(program: string, ...args: readonly string[]): Promise<void> {
  await execute(program, args, { timeout: 60_000 })
}

/** Why a file system of one's own can't be mounted here; undefined where it can. */
export async function mountMissing(directory: string): Promise<string | undefined> {
  try {
    const tried = await Mounted.tmpfs(`${directory}/tried`, 65_536)
    await tried.remove()
    return undefined
  } catch (error) {
    return `file systems can't be mounted: ${(error as Error).message.split('\n')[0]!}`
  }
}

/** A file system of one's own, mounted in a directory that is made for it. */
export class Mounted {
  readonly path: string
  readonly #image: string | undefined
  #mounted = false

  private constructor(path: string, image?: string) {
    this.path = path
    this.#image = image
  }

  /** In memory, of so many bytes. */
  static async tmpfs(path: string, bytes: number): Promise<Mounted> {
    const made = new Mounted(path)
    await mkdir(path)
    await system('mount', '-t', 'tmpfs', '-o', `size=${String(bytes)}`, 'tmpfs', path)
    made.#mounted = true
    return made
  }

  /** ext4 in a file, on a loop device. */
  static async ext4(path: string, image: string, megabytes: number): Promise<Mounted> {
    const made = new Mounted(path, image)
    await mkdir(path)
    await system('truncate', '-s', `${String(megabytes)}M`, image)
    await system('mkfs.ext4', '-q', '-F', image)
    await made.mount()
    return made
  }

  /** Another directory, seen here as well. */
  static async bind(path: string, of: string): Promise<Mounted> {
    const made = new Mounted(path)
    await mkdir(path, { recursive: true })
    await system('mount', '--bind', of, path)
    made.#mounted = true
    return made
  }

  /** Mounts the image again. */
  async mount(): Promise<void> {
    await system('mount', '-o', 'loop', this.#image!, this.path)
    this.#mounted = true
  }

  async unmount(): Promise<void> {
    if (!this.#mounted) return
    await system('umount', this.path)
    this.#mounted = false
  }

  /** For tmpfs: another size. */
  async resize(bytes: number): Promise<void> {
    await system('mount', '-o', `remount,size=${String(bytes)}`, this.path)
  }

  /** Unmounts it, with all that it held. */
  async remove(): Promise<void> {
    await this.unmount()
    await rm(this.path, { recursive: true, force: true })
    if (this.#image !== undefined) await rm(this.#image, { force: true })
  }
}

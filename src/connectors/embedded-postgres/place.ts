import { createHash } from 'node:crypto'
import { chmod, lchown, lstat, mkdir, open, readdir, readlink, realpath, rename, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { MerganserError } from '../../core/errors.ts'
import { refuseLinks } from '../links.ts'
import { accountOf, chooseAccount, type Account } from './account.ts'
import { copyBinaries, findBinaries, prepareBinaries, type Binaries } from './binaries.ts'

/** Where one server lives and as whom it runs. */
export interface Place {
  readonly account: Account
  /** Everything of this server: a directory of its own, owned by its account; resolved, without links. */
  readonly base: string
  readonly data: string
  readonly fifo: string
  readonly log: string
}

/** Where a server of a system user keeps its data, when that user can't enter the replica's directory. */
export interface PlaceOptions {
  readonly systemUser: string | undefined
  readonly systemDirectory: string
}

/** A path of `sun_path` has 104 bytes on some systems; PostgreSQL adds `/.s.PGSQL.5432.lock`. */
const LONGEST_SOCKET_DIRECTORY = 80

const UNFINISHED_MILLISECONDS = 10 * 60_000

const baseLink = (directory: string): string => join(directory, 'server')

/** Whether a server was ever made in that directory. */
export async function hasData(directory: string): Promise<boolean> {
  const data = await dataOf(directory)
  return data !== undefined && (await exists(join(data, 'PG_VERSION')))
}

/** The data directory of a replica's server; undefined where none was ever made. */
export async function dataOf(directory: string): Promise<string | undefined> {
  const base = await realpath(baseLink(directory)).catch(() => undefined)
  return base === undefined ? undefined : join(base, 'data')
}

/** The place of a replica's server; made where it isn't there, without data yet. */
export async function preparePlace(directory: string, options: PlaceOptions): Promise<Place> {
  const link = baseLink(directory)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const owner = await ownerOf(link)
  let account: Account
  if (owner === undefined) {
    account = await chooseAccount(options.systemUser)
    if (account.kind === 'system') await makeSystemBase(link, account, options.systemDirectory)
    else await mkdir(link, { mode: 0o700, recursive: true })
  } else {
    account = owner === process.getuid?.() ? await chooseAccount(undefined) : await accountOf(owner)
    if (account.kind === 'system' && owner === 0) throw forbidden(link)
  }
  const base = await realpath(link)
  await checkLink(link, base)
  await refuseLinks(basename(directory), ...['data', 'guard', 'log'].map((name) => join(base, name)))
  return { account, base, data: join(base, 'data'), fifo: join(base, 'guard'), log: join(base, 'log') }
}

/** The user whose the server's directory is; undefined where there is none yet. */
async function ownerOf(link: string): Promise<number | undefined> {
  try {
    return (await lstat(await realpath(link))).uid
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const gone = await readlink(link).catch(() => undefined)
  if (gone === undefined) return undefined
  throw new MerganserError('DATABASE_UNREACHABLE', `the data of ${link} is in ${gone}, which isn't there any more`, {
    advice: 'bring it back, or remove the link to begin with an empty database',
  })
}

/** The one link of a state directory is that to the place of a system user's server, which is that user's. */
async function checkLink(link: string, base: string): Promise<void> {
  if ((await lstat(base)).uid === process.getuid?.()) await refuseLinks(basename(dirname(link)), link)
}

function forbidden(link: string): MerganserError {
  return new MerganserError(
    'DATABASE_REFUSED',
    `the server in ${link} was made in a user namespace, which is forbidden now`,
    {
      advice: 'allow user namespaces, or let a user other than root own the directory and run Merganser',
    },
  )
}

/** A directory that the system user can reach, found again by a link in the replica's own. */
async function makeSystemBase(link: string, account: Account, systemDirectory: string): Promise<void> {
  const made = await mkdir(systemDirectory, { recursive: true, mode: 0o711 })
  // Whatever the umask says, the server's user passes through what was made.
  if (made !== undefined) await openUp(made, systemDirectory)
  const key = createHash('sha256')
    .update(await realpath(dirname(link)))
    .digest('hex')
    .slice(0, 16)
  const base = join(resolve(systemDirectory), key)
  await mkdir(base, { recursive: true, mode: 0o700 })
  await lchown(base, account.uid!, account.gid!)
  await symlink(base, link).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  })
}

/** Lets others pass through a directory and those between it and `first`, which was just made. */
async function openUp(first: string, directory: string): Promise<void> {
  await chmod(directory, 0o711)
  if (resolve(first) !== resolve(directory)) await openUp(first, dirname(directory))
}

/** The directory of the server's programs, ready to run as its account. */
export async function programsOf(place: Place): Promise<string> {
  const binaries = await findBinaries()
  if (place.account.kind !== 'system') {
    return join(await prepareBinaries(binaries, join(place.base, programsName(binaries))), 'bin')
  }
  // Beside the data of all servers of system users: one copy for all of them.
  return join(await copyBinaries(binaries, join(dirname(place.base), programsName(binaries))), 'bin')
}

const programsName = ({ version }: Binaries): string => `postgresql-${version}`

/**
 * The private directory of the server's socket: in its own one, or, where that path is too long for a socket, in the
 * temporary directory under a name that follows from it. Nobody else may enter it.
 */
export async function socketDirectory(place: Place): Promise<string> {
  const own = join(place.base, 'socket')
  const uid = place.account.uid ?? process.getuid?.() ?? 0
  const key = createHash('sha256').update(place.base).digest('hex').slice(0, 16)
  const path = Buffer.byteLength(own) <= LONGEST_SOCKET_DIRECTORY ? own : join(tmpdir(), `merganser-${key}`)
  await mkdir(path, { recursive: true, mode: 0o700 })
  let found = await lstat(path)
  if (found.isDirectory() && found.uid === process.getuid?.() && found.uid !== uid) {
    await lchown(path, uid, place.account.gid ?? 0)
    found = await lstat(path)
  }
  if (!found.isDirectory() || found.uid !== uid) {
    throw new MerganserError('DATABASE_REFUSED', `${path}, the place of the server's socket, belongs to someone else`, {
      advice: 'remove it, or set TMPDIR to another directory',
    })
  }
  if ((found.mode & 0o777) !== 0o700) await chmod(path, 0o700)
  return path
}

/** Removes what interrupted attempts to make a data directory left: those of processes that are gone. */
export async function removeUnfinished(place: Place): Promise<void> {
  for (const name of await readdir(place.base)) {
    const pid = /^data\.new-(\d+)-/.exec(name)?.[1]
    if (pid === undefined) continue
    const path = join(place.base, name)
    // A number may have come to another process by now; nobody takes that long.
    const age = Date.now() - (await lstat(path)).birthtimeMs
    if (isAlive(Number(pid)) && age < UNFINISHED_MILLISECONDS) continue
    await rm(path, { recursive: true, force: true, maxRetries: 3 })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Gives a finished data directory its name, durably. The first of two wins. */
export async function publishData(place: Place, made: string): Promise<void> {
  try {
    await rename(made, place.data)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error
  }
  const handle = await open(place.base, 'r')
  await handle.sync().finally(() => handle.close())
}

export async function exists(path: string): Promise<boolean> {
  return await lstat(path).then(
    () => true,
    () => false,
  )
}

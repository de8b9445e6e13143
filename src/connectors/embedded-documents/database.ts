import { open, type Database, type RootDatabase } from 'lmdb'
import { dataFile } from './files.ts'

/** One LMDB environment: two files in the replica's directory. */
export type Environment = RootDatabase<Buffer, Buffer>
export type Documents = Database<Buffer, Buffer>

/** Most tables of one replica, and one for ourselves. */
const MAX_DATABASES = 1001
/** Keys of 2,000 bytes need pages of 8 KiB. The size is fixed when the file is created. */
export const PAGE_SIZE = 8192

const BINARY = { encoding: 'binary', keyEncoding: 'binary', cache: false } as const

/**
 * Opens the environment. A commit is on disk when it returns: LMDB's own way, without overlapping syncs, so that
 * after a crash the last commit is always whole.
 */
export function openEnvironment(directory: string, access: 'write' | 'read'): Environment {
  // `permissionsMode` is read by the library but not in its types.
  const options = { ...BINARY, noSubdir: true, pageSize: PAGE_SIZE, maxDbs: MAX_DATABASES, permissionsMode: 0o600 }
  const mode = access === 'read' ? { readOnly: true } : { overlappingSync: false }
  return open<Buffer, Buffer>(dataFile(directory), { ...options, ...mode })
}

/** A database of the environment; undefined where it isn't there and is not to be created. */
export function openDocuments(environment: Environment, name: string, create: boolean): Documents | undefined {
  const options = { ...BINARY, name, create } as { name: string; encoding: 'binary'; keyEncoding: 'binary' }
  return environment.openDB<Buffer, Buffer>(options)
}

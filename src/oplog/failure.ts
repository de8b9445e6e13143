import { MerganserError } from '../core/errors.ts'

function systemCode(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string')
    return error.code
  return error instanceof Error ? error.message : 'unknown error'
}

/**
 * The coded form of what the disk said: STATE_FULL for ENOSPC and EDQUOT, else STATE_UNUSABLE. An error that has a code
 * of ours stays as it is.
 *
 * @param doing what failed, as in "writing the oplog of HIVE"
 */
export function stateError(error: unknown, doing: string, file: string): MerganserError {
  if (error instanceof MerganserError) return error
  const code = systemCode(error)
  const full = code === 'ENOSPC' || code === 'EDQUOT'
  return new MerganserError(full ? 'STATE_FULL' : 'STATE_UNUSABLE', `${doing} failed: ${explain(code)}`, {
    place: { file },
    advice: full
      ? 'make room on the disk of the state directory and run again: everything acknowledged is kept'
      : 'check the state directory and its disk, then run again: everything acknowledged is kept',
    cause: error,
  })
}

function explain(code: string): string {
  const texts: Record<string, string> = {
    ENOSPC: 'no room left on the disk (ENOSPC)',
    EDQUOT: 'the disk quota is used up (EDQUOT)',
    EIO: 'the disk reported an error (EIO)',
    EROFS: 'the file system is read-only (EROFS)',
    EACCES: 'permission denied (EACCES)',
    EPERM: 'not permitted (EPERM)',
    ELOOP: 'it is a symbolic link (ELOOP)',
    EISDIR: 'it is a directory (EISDIR)',
    ENOTDIR: 'a part of the path is no directory (ENOTDIR)',
    ENOENT: 'there is no such file (ENOENT)',
  }
  return Object.hasOwn(texts, code) ? texts[code]! : code
}

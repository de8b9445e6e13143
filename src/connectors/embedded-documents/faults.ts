import { MerganserError, type ErrorCode } from '../../core/errors.ts'

/** What the system and LMDB answer, by number or name, as codes of the registry. */
const KNOWN: Readonly<Record<string, readonly [code: ErrorCode, what: string, advice?: string]>> = {
  '28': ['STATE_FULL', 'the disk is full', 'make room and run again: nothing is half-written'],
  ENOSPC: ['STATE_FULL', 'the disk is full', 'make room and run again: nothing is half-written'],
  '122': ['STATE_FULL', 'the disk quota is used up', 'make room and run again: nothing is half-written'],
  '13': ['STATE_UNUSABLE', 'its files may not be opened', 'check the owner and the mode of the directory'],
  EACCES: ['STATE_UNUSABLE', 'its files may not be opened', 'check the owner and the mode of the directory'],
  EPERM: ['STATE_UNUSABLE', 'its files may not be opened', 'check the owner and the mode of the directory'],
  '30': ['STATE_UNUSABLE', 'its file system is read-only'],
  EROFS: ['STATE_UNUSABLE', 'its file system is read-only'],
  ENOTDIR: ['STATE_UNUSABLE', 'a file stands where its directory should be'],
  EEXIST: ['STATE_UNUSABLE', 'a file stands where its directory should be'],
  '-30791': ['BAD_SCHEMA', 'it holds no more tables'],
  '-30793': ['DATABASE_REFUSED', 'its file is no LMDB file', 'restore it from a copy, or move it away and run again'],
  '-30794': ['DATABASE_REFUSED', 'its file is of another version of LMDB'],
  '-30796': ['DATABASE_REFUSED', 'its file is damaged', 'restore it from a copy, or move it away and run again'],
  '-30797': ['DATABASE_REFUSED', 'its file is damaged', 'restore it from a copy, or move it away and run again'],
  ELOOP: ['STATE_UNUSABLE', 'a symbolic link stands where its file should be'],
  EISDIR: ['STATE_UNUSABLE', 'a directory stands where its file should be'],
  '-30795': ['CONNECTION_LOST', 'it gave up after an error'],
}

/** An error of LMDB or the file system as one of the registry. */
export function fault(error: unknown, replica: string): MerganserError {
  if (error instanceof MerganserError) return error
  const [code, what, advice] = KNOWN[numberOf(error)] ?? ['CONNECTION_LOST', 'it failed']
  return new MerganserError(code, `the documents of ${replica}: ${what}`, {
    place: { replica },
    cause: error,
    ...(advice === undefined ? {} : { advice }),
  })
}

/** LMDB's or the system's number or name; a document that can't be read is damage too. */
function numberOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  if (error.name.startsWith('BSON') || error instanceof RangeError) return '-30796'
  return 'code' in error ? String(error.code) : ''
}

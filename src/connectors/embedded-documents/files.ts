import { join } from 'node:path'
import { MerganserError } from '../../core/errors.ts'
import type { DiskFile } from '../../environment/environment.ts'
import { hasCode, NodeDisk } from '../../environment/node-disk.ts'

/*
 * LMDB maps its file into memory and trusts it: one that is damaged, or that can't be opened, would end the process
 * instead of giving an error. What can be seen from outside is looked at here first: that both files open, that the two
 * pages at the start are LMDB's, and that the file has all pages that the newer one of them counts.
 */

/** Of a meta page (`MDB_meta` behind a page's head), in bytes from its start. */
const META = { magic: 24, version: 28, pageSize: 48, lastPage: 144, transaction: 152, size: 168 } as const
const MAGIC = 0xbeefc0de
const VERSION = 2

interface MetaPage {
  readonly pageSize: number
  readonly lastPage: bigint
  readonly transaction: bigint
}

export function dataFile(directory: string): string {
  return join(directory, 'documents.mdb')
}

/** Whether there is no file, or one that was never written to. */
export async function isAbsent(directory: string): Promise<boolean> {
  const disk = new NodeDisk()
  try {
    const file = await disk.open(dataFile(directory), 'read')
    try {
      return (await file.size()) === 0
    } finally {
      await file.close()
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return true
    throw error
  }
}

/** Throws DATABASE_REFUSED, or the system's error, unless LMDB can open the file. Who writes owns the lock already. */
export async function checkFile(path: string, access: 'write' | 'read', replica: string): Promise<void> {
  const disk = new NodeDisk()
  const file = await disk.open(path, access === 'write' ? 'append' : 'read')
  try {
    if ((await file.size()) > 0) await checkPages(file, access, replica)
  } finally {
    await file.close()
  }
  try {
    await (await disk.open(`${path}-lock`, 'append')).close()
  } catch (error) {
    // LMDB reads without its lock file where the file system takes no writes at all.
    if (access === 'write' || !hasCode(error, 'EROFS')) throw error
  }
}

async function checkPages(file: DiskFile, access: 'write' | 'read', replica: string): Promise<void> {
  const first = await metaPage(file, 0)
  const second = first === undefined ? undefined : await metaPage(file, first.pageSize)
  if (first === undefined || second?.pageSize !== first.pageSize) throw refused(replica, 'is no LMDB file, or damaged')
  const newer = first.transaction > second.transaction ? first : second
  // After the pages, for another process may be writing.
  const size = await file.size()
  const whole = (Number(newer.lastPage) + 1) * newer.pageSize
  if (size >= whole) return
  // Pages at the end that were never written are free, and LMDB leaves them out. As zeros they are an error when they
  // are read; missing, they would be a signal.
  if (access === 'read') throw refused(replica, 'is shorter than it says, or being written')
  if (size < 2 * newer.pageSize) throw refused(replica, 'is cut off')
  await file.truncate(whole)
}

async function metaPage(file: DiskFile, at: number): Promise<MetaPage | undefined> {
  const bytes = Buffer.from(await file.read(at, META.size))
  if (bytes.length < META.size) return undefined
  if (bytes.readUInt32LE(META.magic) !== MAGIC || bytes.readUInt32LE(META.version) !== VERSION) return undefined
  const pageSize = bytes.readUInt32LE(META.pageSize)
  const lastPage = bytes.readBigUInt64LE(META.lastPage)
  const sound = pageSize >= 4096 && pageSize <= 65_536 && lastPage < 2n ** 40n
  return sound ? { pageSize, lastPage, transaction: bytes.readBigUInt64LE(META.transaction) } : undefined
}

function refused(replica: string, what: string): MerganserError {
  return new MerganserError('DATABASE_REFUSED', `the file of the documents of ${replica} ${what}`, {
    place: { replica },
    advice: 'restore it from a copy, or move it away and run again',
  })
}

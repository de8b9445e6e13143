import { basename, join } from 'node:path'
import { assert, MerganserError } from '../../core/errors.ts'
import type { DirectoryLock } from '../../environment/environment.ts'
import { NodeDisk } from '../../environment/node-disk.ts'
import { lockHolder, NodeProcesses } from '../../environment/node-processes.ts'
import { NodeTimers } from '../../environment/node-timers.ts'
import { heldAs } from '../documents/bson-types.ts'
import { embeddedFindings } from '../findings.ts'
import type { Connector, ConnectorOptions, OpenContext, ReplicaStore, StoreMeta } from '../connector.ts'
import { capabilities } from '../documents/capabilities.ts'
import type { Environment } from './database.ts'
import { EmptyStore } from './empty-store.ts'
import { fault } from './faults.ts'
import { checkFile, dataFile, isAbsent } from './files.ts'

/** A holder that has ended otherwise than in order may take a moment to be gone. */
const LOCK_WAIT = 1_000
const LOCK_PAUSE = 50

/** What the library has beside its types. */
interface Lmdb {
  readonly version: { readonly major: number; readonly minor: number; readonly patch: number }
}

/** Documents in an LMDB file of the state directory, in MongoDB's BSON. */
export const embeddedDocuments: Connector = {
  type: 'embedded-documents',
  capabilities,
  options(raw: ConnectorOptions): ConnectorOptions {
    const [unknown] = Object.keys(raw)
    if (unknown === undefined) return {}
    throw new MerganserError('BAD_CONFIG', `embedded-documents has no option ${unknown}`, {
      advice: 'it takes no options',
    })
  },
  async absent(_options, directory) {
    return await coded(basename(directory), () => isAbsent(directory))
  },
  diagnose(options, context) {
    return embeddedFindings(this, options, context, {
      version: async () => {
        const { major, minor, patch } = ((await import('lmdb')) as unknown as Lmdb).version
        return `LMDB ${[major, minor, patch].join('.')}`
      },
      holder: async () => {
        const lock = await lockHolder(ownerLock(context.directory))
        return lock?.alive === true ? lock.holder : undefined
      },
    })
  },
  heldAs,
  async open(_options, context) {
    return context.access === 'read' ? await openForReading(context) : await openForWriting(context)
  },
}

async function openForReading(context: OpenContext): Promise<ReplicaStore> {
  const { openEnvironment } = await import('./database.ts')
  return await coded(context.replica, async () => {
    if (await isAbsent(context.directory)) return new EmptyStore(context.replica)
    await checkFile(dataFile(context.directory), 'read', context.replica)
    const environment = openEnvironment(context.directory, 'read')
    return await opened(environment, context, undefined)
  })
}

async function openForWriting(context: OpenContext): Promise<ReplicaStore> {
  const { openEnvironment } = await import('./database.ts')
  const { expectRoom } = await import('./room.ts')
  assert(context.owner !== undefined, 'who opens a store for writing names itself')
  return await coded(context.replica, async () => {
    const disk = new NodeDisk()
    await disk.makeDirectory(context.directory)
    const lock = await takeLock(context)
    try {
      await checkFile(dataFile(context.directory), 'write', context.replica)
      await expectRoom(context.directory, context.replica)
      const environment = openEnvironment(context.directory, 'write')
      await disk.syncDirectory(context.directory)
      return await opened(environment, context, lock)
    } catch (error) {
      await lock.release()
      throw error
    }
  })
}

/** The store of an open environment, which is closed again where that fails. */
async function opened(
  environment: Environment,
  context: OpenContext,
  lock: DirectoryLock | undefined,
): Promise<ReplicaStore> {
  try {
    const { Meta } = await import('./meta.ts')
    const { DocumentStore } = await import('./store.ts')
    const meta = Meta.open(environment, context.access, context.replica)
    const log = meta?.log()
    if (meta !== undefined && context.owner !== undefined && lock !== undefined) {
      meta.writeLog(inUseBy(context.owner.logId, log))
      await environment.flushed
    }
    return new DocumentStore({ environment, meta, lock }, context, log)
  } catch (error) {
    await environment.close()
    throw error
  }
}

/** Another log has written nothing here yet; the rows, and so the high water, may be of any before it. */
function inUseBy(logId: string, before: StoreMeta | undefined): StoreMeta {
  const position = before?.logId === logId ? before.position : 0
  return { logId, inUse: true, highWater: before?.highWater ?? '', position }
}

function ownerLock(directory: string): string {
  return join(directory, 'owner.lock')
}

async function takeLock({ directory, replica, owner, progress, signal }: OpenContext): Promise<DirectoryLock> {
  const processes = new NodeProcesses()
  const timers = new NodeTimers()
  for (let waited = 0; ; waited += LOCK_PAUSE) {
    const { lock, holder } = await processes.lock(ownerLock(directory), owner?.session)
    if (lock !== undefined) return lock
    if (waited >= LOCK_WAIT || holder === processes.self) {
      throw new MerganserError('DATABASE_LOCKED', `the documents of ${replica} are in use by ${String(holder)}`, {
        place: { replica },
        advice: 'wait for it to end, or name another state directory',
      })
    }
    if (waited === 0) progress?.(`waiting for ${String(holder)} to leave the documents of ${replica}`)
    await timers.sleep(LOCK_PAUSE, signal)
  }
}

async function coded<T>(replica: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw fault(error, replica)
  }
}

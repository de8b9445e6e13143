import type { Document } from 'mongodb'
import { serverCode } from './faults.ts'
import type { Session } from './session.ts'

/** What a server says of itself and what it was seen to do: versions lie where servers only speak MongoDB's protocol. */
export interface Features {
  /** `MongoDB 8.0.4`. */
  readonly server: string
  readonly replicaSet: string | undefined
  readonly sharded: boolean
  /** Updates with a pipeline of stages, as upserts too. */
  readonly pipelines: boolean
  /** `_id` that is a document is looked up in its index; otherwise an index of the key columns is needed. */
  readonly looksUpDocuments: boolean
  /** Values that the server can't hold, or that end its connection. */
  readonly weakValues: boolean
}

export interface ServerFacts {
  readonly server: string
  readonly version: readonly number[]
  readonly replicaSet: string | undefined
  readonly sharded: boolean
  readonly sessions: boolean
  readonly writable: boolean
  readonly localTime: Date | undefined
  readonly ferret: boolean
  /** It scans the collection for an `_id` that is a document, whatever its plan says. */
  readonly scansForDocuments: boolean
}

export async function serverFacts(session: Session): Promise<ServerFacts> {
  const hello = await session.admin({ hello: 1 })
  const build = await session.admin({ buildInfo: 1 }).catch((): Document => ({}))
  const text = (value: unknown): string | undefined => (typeof value === 'string' ? value.slice(0, 40) : undefined)
  const ferret = build['ferretdb'] !== undefined || build['ferretdbVersion'] !== undefined
  const other = text(build['ferretdbVersion']) ?? text((build['ferretdb'] as Document | undefined)?.['version'])
  const version = text(build['version']) ?? 'unknown'
  const numbers = Array.isArray(build['versionArray']) ? build['versionArray'].map(Number) : []
  return {
    server: ferret ? `FerretDB ${other ?? ''} (as MongoDB ${version})` : `MongoDB ${version}`,
    version: numbers,
    replicaSet: text(hello['setName']),
    sharded: hello['msg'] === 'isdbgrid',
    sessions: typeof hello['logicalSessionTimeoutMinutes'] === 'number',
    writable: hello['isWritablePrimary'] === true || hello['ismaster'] === true,
    localTime: hello['localTime'] instanceof Date ? hello['localTime'] : undefined,
    ferret,
    scansForDocuments: build['secantusVersion'] !== undefined,
  }
}

/** Looks what the server can do. Only with `write` it tries an upsert, in `collection`, and takes it back. */
export async function findFeatures(session: Session, collection: string, access: 'write' | 'read'): Promise<Features> {
  const facts = await serverFacts(session)
  return {
    server: facts.server,
    replicaSet: facts.replicaSet,
    sharded: facts.sharded,
    pipelines: access === 'write' && (await tryPipeline(session, collection)),
    looksUpDocuments: !facts.scansForDocuments && (await looksUpDocuments(session, collection)),
    weakValues: facts.ferret,
  }
}

async function tryPipeline(session: Session, collection: string): Promise<boolean> {
  const _id = `probe/${String(process.pid)}/${String(performance.now())}`
  const update = [{ $set: { probe: { $cond: [{ $gt: [{ $literal: 'a' }, { $max: ['$a.b', '$a.c'] }] }, 1, 2] } } }]
  try {
    const answer = await session.run({ update: collection, updates: [{ q: { _id }, u: update, upsert: true }] })
    if (answer['writeErrors'] !== undefined || !Array.isArray(answer['upserted'])) return false
    return (await session.one(collection, _id))?.['probe'] === 1
  } catch (error) {
    const code = serverCode(error)
    // A server without them complains of the type, or knows nothing of the kind; anything else is trouble of its own.
    if (code === 14 || code === 9 || code === 2 || code === 59 || code === 238) return false
    throw error
  } finally {
    await session.run({ delete: collection, deletes: [{ q: { _id }, limit: 1 }] }).catch(() => undefined)
  }
}

async function looksUpDocuments(session: Session, collection: string): Promise<boolean> {
  try {
    const find = { find: collection, filter: { _id: { a: 'x', b: 'y' } } }
    const plan = await session.run({ explain: find, verbosity: 'queryPlanner' })
    return !JSON.stringify(plan['queryPlanner'] ?? '').includes('COLLSCAN')
  } catch {
    // Who may not explain, or can't, is taken for a MongoDB.
    return true
  }
}

import type { Document } from 'mongodb'
import type { MerganserError } from '../../core/errors.ts'
import type { Finding, OpenContext } from '../connector.ts'
import { faultOf } from './faults.ts'
import { serverFacts, type ServerFacts } from './features.ts'
import { holderOf, readMeta } from './lease.ts'
import { databaseOf, type MongodbOptions } from './options.ts'
import { Session } from './session.ts'

const SKEW_MILLISECONDS = 60_000

/** Looks, and leaves nothing behind. */
export async function* diagnose(options: MongodbOptions, context: OpenContext): AsyncGenerator<Finding> {
  let session: Session | undefined
  try {
    session = await Session.connect(options, context.replica)
    const asked = Date.now()
    const facts = await serverFacts(session)
    const now = (asked + Date.now()) / 2
    context.signal?.throwIfAborted()
    yield { level: 'ok', check: 'reach', message: 'it answers' }
    yield versionOf(facts)
    yield setOf(facts)
    yield abilities(facts)
    yield clockOf(facts, now)
    yield* privileges(session, options)
    yield await lockOf(session)
  } catch (error) {
    context.signal?.throwIfAborted()
    yield problemOf(faultOf(error, context.replica))
  } finally {
    await session?.close()
  }
}

function problemOf(fault: MerganserError): Finding {
  const configuration = fault.code === 'BAD_CONFIG' || fault.code === 'DATABASE_REFUSED'
  return {
    level: 'problem',
    check: fault.code === 'DATABASE_REFUSED' ? 'privileges' : 'reach',
    message: fault.message,
    fault: configuration ? 'configuration' : 'database',
    ...(fault.advice === undefined ? {} : { advice: fault.advice }),
  }
}

function versionOf({ server, version, ferret }: ServerFacts): Finding {
  const check = 'version'
  if (ferret) {
    return { level: 'warning', check, message: `${server}: correct, but slow`, advice: 'use a MongoDB for much data' }
  }
  if ((version[0] ?? 5) >= 5) return { level: 'ok', check, message: server }
  return { level: 'warning', check, message: `${server} is older than 5`, advice: 'MongoDB 5 to 8 are supported' }
}

function setOf({ replicaSet, sharded, writable }: ServerFacts): Finding {
  const check = 'replication'
  if (!writable) {
    const advice = 'name all members in the URL, or the replica set, so that the primary is found'
    return { level: 'problem', check, message: 'the server takes no writes', advice, fault: 'database' }
  }
  if (sharded) return { level: 'ok', check, message: 'a sharded cluster; writes wait for a majority and its journals' }
  if (replicaSet !== undefined) {
    return { level: 'ok', check, message: `replica set ${replicaSet}; writes wait for a majority and its journals` }
  }
  return { level: 'warning', check, message: 'a single server without a replica set: its disk holds the only copy' }
}

function abilities({ replicaSet, sharded, sessions, ferret }: ServerFacts): Finding {
  const streams = !ferret && (replicaSet !== undefined || sharded)
  const has = (what: string, there: boolean) => `${there ? '' : 'no '}${what}`
  return {
    level: 'ok',
    check: 'abilities',
    message: [has('transactions', streams && sessions), has('change streams', streams)].join(', '),
  }
}

function clockOf({ localTime }: ServerFacts, now: number): Finding {
  const check = 'clock'
  if (localTime === undefined) return { level: 'ok', check, message: 'the server does not tell its time' }
  const skew = Math.round(localTime.getTime() - now)
  const message = `its clock is ${String(Math.abs(skew) / 1000)} s ${skew < 0 ? 'behind' : 'ahead of'} ours`
  if (Math.abs(skew) < SKEW_MILLISECONDS) return { level: 'ok', check, message }
  return { level: 'warning', check, message, advice: 'let both follow a time server' }
}

const ACTIONS = ['find', 'insert', 'update', 'remove', 'createCollection', 'listCollections']

/** What the user may do, where the server tells; without users, anybody may do everything. */
async function* privileges(session: Session, options: MongodbOptions): AsyncGenerator<Finding> {
  const check = 'privileges'
  const status = await session.run({ connectionStatus: 1, showPrivileges: true }).catch(() => undefined)
  const info = status?.['authInfo'] as Document | undefined
  const users = (info?.['authenticatedUsers'] ?? []) as unknown[]
  if (users.length === 0) {
    const message = 'nobody has to sign in'
    yield { level: 'warning', check, message, advice: 'turn on access control where others can reach the server' }
    return
  }
  const listed = info?.['authenticatedUserPrivileges'] as Document[] | undefined
  if (listed === undefined || listed.length === 0) {
    yield { level: 'ok', check, message: 'the server does not tell what the user may do' }
    return
  }
  const database = databaseOf(options.url)
  const granted = new Set<string>()
  for (const { resource, actions } of listed) {
    const { db, collection, anyResource } = resource as Document
    if (anyResource !== true && !((db === database || db === '') && collection === '')) continue
    for (const action of actions as string[]) granted.add(action)
  }
  const missing = ACTIONS.filter((action) => !granted.has(action) && !granted.has('anyAction'))
  if (missing.length === 0) yield { level: 'ok', check, message: 'the user may read and write' }
  else {
    const advice = 'give the user the role readWrite on the database'
    yield { level: 'warning', check, message: `the user lacks ${missing.join(', ')} on the whole database`, advice }
  }
}

async function lockOf(session: Session): Promise<Finding> {
  const check = 'lock'
  const holder = holderOf(await readMeta(session))
  if (holder === undefined) return { level: 'ok', check, message: 'no session has it open' }
  return {
    level: 'warning',
    check,
    message: `${holder.name} has it open, or ended without closing it`,
    advice: 'wait for it to end; the lease of a dead one runs out in a few seconds',
  }
}

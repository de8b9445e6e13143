import { MerganserError } from '../../core/errors.ts'
import type { ConnectorOptions } from '../connector.ts'

/**
 * The options of a replica of type `mongodb`, with their defaults:
 * - `url`: `mongodb://` or `mongodb+srv://`, with the database in its path; TLS, users, replica sets and so on as the
 *   driver's own options of the URL.
 * - `connectSeconds` (10): how long a server is looked for that takes writes.
 * - `statementSeconds` (300): time limit of one command, and of a majority's acknowledgement.
 * - `connections` (4): bulk writes and reads in flight at once.
 * - `leaseSeconds` (10): how long the lease of a session that died keeps others waiting.
 */
export interface MongodbOptions {
  readonly url: string
  readonly connectSeconds: number
  readonly statementSeconds: number
  readonly connections: number
  readonly leaseSeconds: number
}

const NAMES = ['url', 'connectSeconds', 'statementSeconds', 'connections', 'leaseSeconds']

/** Throws BAD_CONFIG, never with the URL in its message. */
export function checkOptions(raw: ConnectorOptions): MongodbOptions {
  for (const name of Object.keys(raw)) {
    if (!NAMES.includes(name)) throw bad(`there is no option ${name}; there are ${NAMES.join(', ')}`)
  }
  const number = (name: string, fallback: number, most: number): number => {
    const value = raw[name] ?? fallback
    if (typeof value === 'number' && value >= 1 && value <= most) return value
    throw bad(`${name} must be a number from 1 to ${String(most)}`)
  }
  const connections = number('connections', 4, 64)
  if (!Number.isInteger(connections)) throw bad('connections must be a whole number')
  return {
    url: checkUrl(raw['url']),
    connectSeconds: number('connectSeconds', 10, 3600),
    statementSeconds: number('statementSeconds', 300, 86_400),
    connections,
    leaseSeconds: number('leaseSeconds', 10, 3600),
  }
}

const EXAMPLE = 'mongodb://user:password@host:27017/database?authSource=admin'

function checkUrl(url: unknown): string {
  if (typeof url !== 'string' || !/^mongodb(?:\+srv)?:\/\//.test(url)) {
    throw bad(`url must be a text like ${EXAMPLE}`)
  }
  if (databaseOf(url) === undefined) {
    throw bad('url names no database', `name it behind the hosts, as in ${EXAMPLE}`)
  }
  return url
}

/** The database that a URL names in its path. */
export function databaseOf(url: string): string | undefined {
  const path = /^mongodb(?:\+srv)?:\/\/[^/?]+\/([^?]*)/.exec(url)?.[1]
  if (path === undefined || path === '') return undefined
  try {
    const name = decodeURIComponent(path)
    return /[/\\. "$*<>:|?\0]/.test(name) || Buffer.byteLength(name) > 63 ? undefined : name
  } catch {
    return undefined
  }
}

function bad(message: string, advice?: string): MerganserError {
  return new MerganserError('BAD_CONFIG', `mongodb: ${message}`, advice === undefined ? {} : { advice })
}

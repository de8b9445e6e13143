import { MerganserError } from '../../core/errors.ts'
import type { HiveConfig, HiveTls } from './client/config.ts'

const AUTHS = ['none', 'ldap', 'nosasl'] as const
const TRANSPORTS = ['binary', 'http'] as const
const BOOLEANS = ['true', 'false'] as const
const NAMES = new Set([
  'auth',
  'transport',
  'httpPath',
  'tls',
  'caFile',
  'serverName',
  'insecure',
  'connectSeconds',
  'statementSeconds',
  'answerSeconds',
  'cancelSeconds',
])
const SETTING = 'set:'
const CONNECT_SECONDS = 30
const STATEMENT_SECONDS = 600
const ANSWER_SECONDS = 15
const CANCEL_SECONDS = 5

/**
 * Reads `hive://user:password@host:10000/database?auth=none|ldap|nosasl&transport=binary|http&httpPath=cliservice
 * &tls=true&caFile=…&serverName=…&insecure=true&connectSeconds=30&statementSeconds=600&answerSeconds=15&cancelSeconds=5
 * &set:hive.name=value`.
 * Everything but the host may be left out. Throws BAD_CONFIG, without any part that may be a secret.
 */
export function parseHiveUrl(text: string): HiveConfig {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'hive:') throw bad('the URL of Hive is none', 'write hive://user@host:10000/database')
  if (url.hostname === '') throw bad('the URL of Hive has no host')
  const parameters = parametersOf(url)
  const transport = one(parameters, 'transport', TRANSPORTS) ?? 'binary'
  const httpPath = parameters.get('httpPath')
  const database = decoded(url.pathname.slice(1), 'database')
  const password = decoded(url.password, 'password')
  return {
    // An IPv6 address stands in brackets in a URL only.
    host: decoded(url.hostname.replace(/^\[|\]$/g, ''), 'host'),
    port: url.port === '' ? (transport === 'http' ? 10_001 : 10_000) : Number(url.port),
    database: database === '' ? 'default' : database,
    user: decoded(url.username, 'user') || 'hive',
    ...(password === '' ? {} : { password }),
    auth: one(parameters, 'auth', AUTHS) ?? 'none',
    transport,
    ...(httpPath === undefined ? {} : { httpPath }),
    tls: tlsOf(parameters),
    connectMilliseconds: 1_000 * seconds(parameters, 'connectSeconds', CONNECT_SECONDS),
    statementMilliseconds: 1_000 * seconds(parameters, 'statementSeconds', STATEMENT_SECONDS),
    answerMilliseconds: 1_000 * seconds(parameters, 'answerSeconds', ANSWER_SECONDS),
    cancelMilliseconds: 1_000 * seconds(parameters, 'cancelSeconds', CANCEL_SECONDS),
    settings: settingsOf(parameters),
  }
}

function parametersOf(url: URL): Map<string, string> {
  const parameters = new Map<string, string>()
  for (const [name, value] of url.searchParams) {
    if (!NAMES.has(name) && !name.startsWith(SETTING)) {
      throw bad('the URL of Hive has a parameter that is none', `there are ${[...NAMES].join(', ')} and set:NAME`)
    }
    if (parameters.has(name)) throw bad(`the URL of Hive has ${name} twice`)
    parameters.set(name, value)
  }
  return parameters
}

function tlsOf(parameters: ReadonlyMap<string, string>): false | HiveTls {
  const on = one(parameters, 'tls', BOOLEANS) === 'true'
  const insecure = one(parameters, 'insecure', BOOLEANS) === 'true'
  const caFile = parameters.get('caFile')
  const serverName = parameters.get('serverName')
  if (!on) {
    const extra = ['caFile', 'serverName', 'insecure'].find((name) => parameters.has(name))
    if (extra !== undefined) throw bad(`the URL of Hive has ${extra}, but no tls=true`)
    return false
  }
  return {
    ...(caFile === undefined ? {} : { caFile }),
    ...(serverName === undefined ? {} : { serverName }),
    ...(insecure ? { insecure } : {}),
  }
}

function settingsOf(parameters: ReadonlyMap<string, string>): Record<string, string> {
  const settings = [...parameters].filter(([name]) => name.startsWith(SETTING))
  return Object.fromEntries(settings.map(([name, value]) => [name.slice(SETTING.length), value]))
}

function one<T extends string>(parameters: ReadonlyMap<string, string>, name: string, allowed: readonly T[]) {
  const found = parameters.get(name)
  if (found === undefined) return undefined
  const value = allowed.find((candidate) => candidate === found)
  if (value === undefined) throw bad(`${name} in the URL of Hive is none`, `it is one of ${allowed.join(', ')}`)
  return value
}

function seconds(parameters: ReadonlyMap<string, string>, name: string, otherwise: number): number {
  const found = parameters.get(name)
  if (found === undefined) return otherwise
  const value = Number(found)
  // Timers take no more than 24 days.
  if (!(value > 0 && value <= 2_000_000)) throw bad(`${name} in the URL of Hive is no number of seconds`)
  return value
}

function decoded(text: string, what: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw bad(`the ${what} in the URL of Hive is not encoded as URLs are`, 'write % as %25')
  }
}

function bad(message: string, advice?: string): MerganserError {
  return new MerganserError('BAD_CONFIG', message, advice === undefined ? {} : { advice })
}

import { userInfo } from 'node:os'
import { MerganserError } from '../../core/errors.ts'

/*
 * Connection URLs as libpq reads them: `postgres://user:password@host:port,host:port/database?parameter=value`. Own code,
 * since URL of JavaScript knows one host only, and pg's own reader gives sslmode another meaning.
 */

export interface Endpoint {
  /** A host's name or address, or the directory of a socket. */
  readonly host: string
  readonly port: number
}

const SESSION_ATTRIBUTES = ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'] as const
export type SessionAttributes = (typeof SESSION_ATTRIBUTES)[number]
const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const
/** As libpq means them. */
export type SslMode = (typeof SSL_MODES)[number]

/** Where to connect, and how, as the URL and libpq's variables of the environment say. */
export interface Target {
  readonly endpoints: readonly Endpoint[]
  readonly user: string
  readonly password: string | undefined
  readonly database: string
  /** Undefined where nobody said: then it depends on the host. */
  readonly sslmode: SslMode | undefined
  readonly sslrootcert: string | undefined
  readonly sslcert: string | undefined
  readonly sslkey: string | undefined
  readonly sslpassword: string | undefined
  readonly applicationName: string
  /** Settings of the session, as `options` of libpq: `-c name=value`. */
  readonly options: string | undefined
  readonly sessionAttributes: SessionAttributes | undefined
  readonly connectSeconds: number | undefined
}

/** Parameters that are read, with the variable of the environment that stands in for each. */
const PARAMETERS: Readonly<Record<string, string | undefined>> = {
  host: 'PGHOST',
  port: 'PGPORT',
  user: 'PGUSER',
  password: 'PGPASSWORD',
  dbname: 'PGDATABASE',
  sslmode: 'PGSSLMODE',
  sslrootcert: 'PGSSLROOTCERT',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
  sslpassword: undefined,
  application_name: 'PGAPPNAME',
  fallback_application_name: undefined,
  options: 'PGOPTIONS',
  target_session_attrs: 'PGTARGETSESSIONATTRS',
  connect_timeout: 'PGCONNECT_TIMEOUT',
}

/** Parameters that change nothing here where they have one of these values. */
const HARMLESS: Readonly<Record<string, RegExp>> = {
  client_encoding: /^(?:utf-?8|unicode|auto)$/i,
  channel_binding: /^(?:disable|prefer)$/,
  gssencmode: /^(?:disable|prefer)$/,
  sslnegotiation: /^postgres$/,
  sslsni: /^[01]$/,
  sslcompression: /^0$/,
  load_balance_hosts: /^disable$/,
  keepalives: /^1$/,
  keepalives_idle: /^\d+$/,
  keepalives_interval: /^\d+$/,
  keepalives_count: /^\d+$/,
}

/** Reads a connection URL. Throws BAD_CONFIG; nothing of the URL but names of parameters is in the message. */
export function readUrl(url: string, env: Readonly<Record<string, string | undefined>>): Target {
  const given = partsOf(url)
  const value = (name: string): string | undefined => {
    const variable = PARAMETERS[name]
    return given.get(name) || (variable === undefined ? undefined : env[variable]) || undefined
  }
  const user = value('user') ?? userInfo().username
  return {
    endpoints: endpointsOf(value('host'), value('port')),
    user,
    password: value('password'),
    database: value('dbname') ?? user,
    sslmode: oneOf('sslmode', value('sslmode'), SSL_MODES),
    sslrootcert: value('sslrootcert'),
    sslcert: value('sslcert'),
    sslkey: value('sslkey'),
    sslpassword: value('sslpassword'),
    applicationName: value('application_name') ?? value('fallback_application_name') ?? 'merganser',
    options: value('options'),
    sessionAttributes: oneOf('target_session_attrs', value('target_session_attrs'), SESSION_ATTRIBUTES),
    connectSeconds: secondsOf(value('connect_timeout')),
  }
}

function bad(message: string): never {
  throw new MerganserError('BAD_CONFIG', `postgres: ${message}`, {
    advice: 'write it as postgres://user:password@host:port/database?sslmode=verify-full, special characters as %XX',
  })
}

/** The parameters that a URL states, its parts among them. */
function partsOf(url: string): Map<string, string> {
  const match = /^postgres(?:ql)?:\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/s.exec(url)
  if (match === null) return bad('url is no connection URL of PostgreSQL')
  const [, authority = '', path = '', query = ''] = match
  const parts = new Map<string, string>()
  const at = authority.lastIndexOf('@')
  if (at >= 0) {
    const colon = authority.slice(0, at).indexOf(':')
    parts.set('user', decoded(authority.slice(0, colon < 0 ? at : colon)))
    if (colon >= 0) parts.set('password', decoded(authority.slice(colon + 1, at)))
  }
  hostsInto(parts, authority.slice(at + 1))
  parts.set('dbname', decoded(path))
  for (const pair of query === '' ? [] : query.split('&')) {
    const equals = pair.indexOf('=')
    if (equals < 0) return bad('a parameter of the url has no value')
    readParameter(parts, decoded(pair.slice(0, equals)), decoded(pair.slice(equals + 1)))
  }
  return parts
}

function readParameter(parts: Map<string, string>, name: string, value: string): void {
  if (name in PARAMETERS) parts.set(name, value)
  else if (name === 'ssl' && value === 'true') parts.set('sslmode', 'require')
  else if (name === 'channel_binding' && value === 'require') {
    bad('channel_binding=require is not to be had; sslmode=verify-full makes sure of the server as well')
  } else if (!(HARMLESS[name]?.test(value) ?? false)) {
    bad(
      name in HARMLESS
        ? `the url's parameter ${name} has a value that isn't supported`
        : `the url's parameter ${/^\w{1,40}$/.test(name) ? name : 'of a strange name'} isn't supported`,
    )
  }
}

function hostsInto(parts: Map<string, string>, text: string): void {
  if (text === '') return
  const hosts: string[] = []
  const ports: string[] = []
  for (const one of text.split(',')) {
    const match = /^(?:\[([^\]]+)\]|([^:[\]]*))(?::(\d*))?$/.exec(one)
    if (match === null) return bad('the url has a host that is none')
    hosts.push(decoded(match[1] ?? match[2] ?? ''))
    ports.push(match[3] ?? '')
  }
  if (hosts.some((host) => host !== '')) parts.set('host', hosts.join(','))
  if (ports.some((port) => port !== '')) parts.set('port', ports.join(','))
}

function decoded(text: string): string {
  let plain: string
  try {
    plain = decodeURIComponent(text)
  } catch {
    return bad('the url has a % that no two hexadecimal digits follow')
  }
  return plain.includes('\0') ? bad('the url holds %00') : plain
}

function endpointsOf(host: string | undefined, port: string | undefined): Endpoint[] {
  const hosts = (host ?? 'localhost').split(',').map((one) => (one === '' ? 'localhost' : one))
  const ports = (port ?? '').split(',')
  if (ports.length !== 1 && ports.length !== hosts.length) return bad('the url has more or fewer ports than hosts')
  return hosts.map((one, i) => {
    const text = (ports.length === 1 ? ports[0] : ports[i]) || '5432'
    const number = /^\d{1,5}$/.test(text) ? Number(text) : 0
    if (number < 1 || number > 65_535) return bad('a port of the url is no number from 1 to 65535')
    if (one.startsWith('@')) return bad('abstract sockets are not supported')
    return { host: one, port: number }
  })
}

function oneOf<T extends string>(name: string, value: string | undefined, all: readonly T[]): T | undefined {
  if (value === undefined) return undefined
  return all.find((one) => one === value) ?? bad(`${name} is one of ${all.join(', ')}`)
}

function secondsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,6}$/.test(text)) return bad('connect_timeout is a number of seconds')
  return Number(text) === 0 ? undefined : Number(text)
}

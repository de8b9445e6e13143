import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { MerganserError } from '../../core/errors.ts'
import type { ConnectionOptions } from 'node:tls'
import type { Endpoint, SslMode, Target } from './url.ts'

/** How one connection is made: over TLS with these options, or without. */
export type Tls = ConnectionOptions | false

/** Whether a server is on this machine, so that nobody else can listen. */
export function isLocal({ host }: Endpoint): boolean {
  return host.startsWith('/') || host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)
}

/** What was asked for; without a word of it, servers elsewhere must prove who they are. */
export function sslmodeFor(target: Target, endpoint: Endpoint): SslMode {
  if (endpoint.host.startsWith('/')) return 'disable'
  return target.sslmode ?? (isLocal(endpoint) ? 'prefer' : 'verify-full')
}

/**
 * The ways to connect that a mode allows, the preferred one first, as libpq orders them. Throws BAD_CONFIG where a
 * certificate can't be read.
 */
export async function waysOf(target: Target, endpoint: Endpoint): Promise<Tls[]> {
  const mode = sslmodeFor(target, endpoint)
  if (mode === 'disable') return [false]
  const own = await ownCertificate(target)
  const unverified: Tls = { ...own, rejectUnauthorized: false }
  if (mode === 'allow') return [false, unverified]
  if (mode === 'prefer') return [unverified, false]
  const system = target.sslrootcert === 'system'
  if (system && mode !== 'verify-full') return bad('sslrootcert=system goes with sslmode=verify-full only')
  const ca = system ? undefined : await rootCertificate(target)
  if (mode === 'verify-full') return [{ ...own, ...(ca === undefined ? {} : { ca }) }]
  if (ca === undefined) {
    if (mode === 'require') return [unverified]
    return bad('sslmode=verify-ca needs the certificate of an authority: sslrootcert=FILE in the url')
  }
  // As in libpq: with an authority's certificate, `require` verifies too, but for the name.
  return [{ ...own, ca, checkServerIdentity: () => undefined }]
}

function bad(message: string): never {
  throw new MerganserError('BAD_CONFIG', `postgres: ${message}`)
}

const inHome = (name: string): string => join(homedir(), '.postgresql', name)

async function rootCertificate({ sslrootcert }: Target): Promise<Buffer | undefined> {
  return sslrootcert === undefined ? await ifThere(inHome('root.crt')) : await mustBe('sslrootcert', sslrootcert)
}

/** The client's own certificate and key, where there is one. */
async function ownCertificate({ sslcert, sslkey, sslpassword }: Target): Promise<ConnectionOptions> {
  const cert = sslcert === undefined ? await ifThere(inHome('postgresql.crt')) : await mustBe('sslcert', sslcert)
  if (cert === undefined) return {}
  const key = await mustBe('sslkey', sslkey ?? inHome('postgresql.key'))
  return { cert, key, ...(sslpassword === undefined ? {} : { passphrase: sslpassword }) }
}

async function ifThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch {
    return undefined
  }
}

async function mustBe(name: string, path: string): Promise<Buffer> {
  const read = await ifThere(path)
  return read ?? bad(`the file of ${name} can't be read`)
}

const CERTIFICATE =
  /^(?:DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|CERT_|CRL_|ERROR_IN_CERT|ERR_TLS_|INVALID_CA|HOSTNAME_|PATH_LENGTH_|INVALID_PURPOSE)/

/** What went wrong with TLS, in a few words; undefined where it was something else. */
export function tlsFault(error: unknown): string | undefined {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  if (message === 'The server does not support SSL connections') return 'the server has no TLS'
  if (message === 'There was an error establishing an SSL connection') return 'the server refused TLS'
  if (typeof code !== 'string') return undefined
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return "the server's certificate is for another host"
  if (code === 'CERT_HAS_EXPIRED') return "the server's certificate has expired"
  if (CERTIFICATE.test(code)) return `the server's certificate can't be verified (${code})`
  return code === 'EPROTO' || code.startsWith('ERR_SSL_') || code.startsWith('ERR_OSSL_')
    ? `TLS could not be agreed upon (${code})`
    : undefined
}

import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const OPENSSL = process.env['OPENSSL'] ?? 'openssl'
const run = promisify(execFile)

/** Files (PEM) of an authority and of a server's certificate that it signed. */
export interface Certificates {
  readonly authority: string
  readonly certificate: string
  readonly key: string
}

/** Makes an authority of its own in a directory, and a certificate for these names; for `localhost` alone without. */
export async function makeCertificates(
  directory: string,
  names: readonly string[] = ['DNS:localhost'],
): Promise<Certificates> {
  const at = (name: string): string => join(directory, name)
  const openssl = async (...args: string[]): Promise<void> => {
    await run(OPENSSL, args)
  }
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const days = ['-days', '30']
  const authority = ['-keyout', at('authority.key'), '-out', at('authority.crt'), '-subj', '/CN=an authority']
  await openssl('req', '-x509', ...key, ...days, ...authority)
  await openssl('req', ...key, '-keyout', at('server.key'), '-out', at('server.csr'), '-subj', '/CN=a server')
  await writeFile(at('server.ext'), `subjectAltName=${names.join(',')}\n`)
  const signing = ['-CA', at('authority.crt'), '-CAkey', at('authority.key'), '-CAcreateserial', ...days]
  const files = ['-in', at('server.csr'), '-extfile', at('server.ext'), '-out', at('server.crt')]
  await openssl('x509', '-req', ...files, ...signing)
  return { authority: at('authority.crt'), certificate: at('server.crt'), key: at('server.key') }
}

/** The same certificate as a store of keys that Java reads. */
export async function makeKeyStore(certificates: Certificates, file: string, password: string): Promise<void> {
  const { certificate, key, authority } = certificates
  const parts = ['-in', certificate, '-inkey', key, '-certfile', authority, '-name', 'server']
  await run(OPENSSL, ['pkcs12', '-export', ...parts, '-out', file, '-passout', `pass:${password}`])
}

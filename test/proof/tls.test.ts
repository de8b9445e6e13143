import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect as connectHive } from '../../src/connectors/hive/client/connect.ts'
import { parseHiveUrl } from '../../src/connectors/hive/url.ts'
import { upload } from '../../src/connectors/hive/webhdfs.ts'
import { mongodb } from '../../src/connectors/mongodb/connector.ts'
import { postgres } from '../../src/connectors/postgres/connector.ts'
import { sslmodeFor } from '../../src/connectors/postgres/tls.ts'
import { makeCertificates, type Certificates } from '../support/certificates.ts'
import { record } from '../support/proof.ts'

/*
 * Who listens behind TLS must prove who it is, without a word of it in the configuration: a certificate of an unknown
 * authority, for another host, or out of date is refused, before a password or a value is sent. A listener of our own
 * stands for each server; what real ones do with a good certificate is tested with the connectors.
 */

const root = await mkdtemp(join(tmpdir(), 'merganser-tls-'))
const servers: Server[] = []
const counts = { refused: 0, accepted: 0, failures: 0 }

interface Listener {
  readonly port: number
  /** What was sent over TLS once it stood. */
  readonly heard: () => string
}

/** Speaks TLS at once, or after the request for it, as PostgreSQL has it; then hears, and says nothing. */
async function listen({ certificate, key }: Certificates, requested: boolean): Promise<Listener> {
  const [cert, secret] = [readFileSync(certificate), readFileSync(key)]
  let heard = ''
  const secure = (socket: Socket): void => {
    const tls = new TLSSocket(socket, { isServer: true, cert, key: secret })
    tls.on('error', () => undefined)
    tls.on('data', (bytes: Buffer) => {
      heard += bytes.toString('latin1')
      tls.destroy()
    })
  }
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    if (!requested) {
      secure(socket)
      return
    }
    socket.once('data', () => {
      socket.write('S')
      secure(socket)
    })
  }).listen(0, '127.0.0.1')
  servers.push(server)
  await new Promise((done) => server.once('listening', done))
  return { port: (server.address() as AddressInfo).port, heard: () => heard }
}

/** A certificate of the same authority that was good until yesterday. */
async function expired(directory: string): Promise<Certificates> {
  await mkdir(directory)
  const good = await makeCertificates(directory)
  const at = (name: string) => join(directory, name)
  const openssl = (...args: string[]) =>
    execFileSync(process.env['OPENSSL'] ?? 'openssl', args, { cwd: directory, stdio: 'ignore' })
  // The command that signs by a configuration takes dates.
  const lines = [
    '[ca]',
    'default_ca=d',
    '[d]',
    'database=index',
    'serial=serial',
    'new_certs_dir=.',
    'default_md=sha256',
  ]
  await writeFile(
    at('ca.cnf'),
    [...lines, 'policy=p', 'copy_extensions=none', '[p]', 'commonName=supplied', ''].join('\n'),
  )
  await writeFile(at('index'), '')
  await writeFile(at('serial'), '77\n')
  const dates = ['-startdate', '20200101000000Z', '-enddate', '20210101000000Z']
  const files = [
    '-in',
    'server.csr',
    '-out',
    'server.crt',
    '-extfile',
    'server.ext',
    '-cert',
    'authority.crt',
    '-keyfile',
    'authority.key',
  ]
  openssl('ca', '-batch', '-notext', '-config', 'ca.cnf', ...dates, ...files)
  return good
}

const certificates: Record<string, Certificates> = {}
let stranger = ''

beforeAll(async () => {
  await Promise.all(['good', 'host', 'stranger'].map((name) => mkdir(join(root, name))))
  certificates['good'] = await makeCertificates(join(root, 'good'))
  certificates['another host'] = await makeCertificates(join(root, 'host'), ['DNS:elsewhere.example'])
  certificates['out of date'] = await expired(join(root, 'old'))
  stranger = (await makeCertificates(join(root, 'stranger'))).authority
})

afterAll(async () => {
  for (const server of servers) server.close()
  await rm(root, { recursive: true, force: true })
  record({
    name: 'TLS is verified',
    invariants: ['I8'],
    runs: counts.refused + counts.accepted,
    failures: counts.failures,
    injected: { 'certificates refused': counts.refused, 'certificates accepted': counts.accepted },
  })
})

const SECRET = 'canary-Zq9'
const context = { access: 'read', directory: root, replica: 'R' } as const

/** Opens a connection that trusts an authority, or none of ours; it fails in any case, as nobody answers behind TLS. */
const KINDS: Record<
  string,
  { requested?: boolean; open: (port: number, authority: string | undefined) => Promise<unknown> }
> = {
  postgres: {
    requested: true,
    open: async (port, authority) => {
      const ca = authority === undefined ? '' : `&sslrootcert=${encodeURIComponent(authority)}`
      const url = `postgres://u:${SECRET}@localhost:${String(port)}/d?sslmode=verify-full${ca}`
      return await postgres.open(postgres.options({ url, connectSeconds: 2 }), context)
    },
  },
  mongodb: {
    open: async (port, authority) => {
      const ca = authority === undefined ? '' : `&tlsCAFile=${encodeURIComponent(authority)}`
      const url = `mongodb://u:${SECRET}@localhost:${String(port)}/d?tls=true&directConnection=true${ca}`
      return await mongodb.open(mongodb.options({ url, connectSeconds: 1 }), context)
    },
  },
  'hive over sockets': { open: (port, authority) => hive(port, authority, 'binary') },
  'hive over HTTP': { open: (port, authority) => hive(port, authority, 'http') },
}

async function hive(port: number, authority: string | undefined, transport: string): Promise<unknown> {
  const ca = authority === undefined ? '' : `&caFile=${encodeURIComponent(authority)}`
  const url = `hive://u:${SECRET}@localhost:${String(port)}/d?auth=ldap&transport=${transport}&tls=true&connectSeconds=2${ca}`
  return await connectHive(parseHiveUrl(url), 'R')
}

async function refusal(work: Promise<unknown>): Promise<{ code: string; message: string }> {
  return await work.then(
    () => {
      throw new Error('it was opened')
    },
    (error: unknown) => error as { code: string; message: string },
  )
}

test.each(Object.keys(KINDS))('%s: only a good certificate of a trusted authority is spoken to', async (name) => {
  const { open, requested = false } = KINDS[name]!
  const good = certificates['good']!
  const cases: [what: string, of: Certificates, authority: string | undefined][] = [
    ['an unknown authority', good, undefined],
    ['another authority', good, stranger],
    ['another host', certificates['another host']!, certificates['another host']!.authority],
    ['out of date', certificates['out of date']!, certificates['out of date']!.authority],
  ]
  await Promise.all(
    cases.map(async ([what, of, authority]) => {
      const listener = await listen(of, requested)
      const { code, message } = await refusal(open(listener.port, authority))
      counts.refused++
      expect(code, `${what}: ${message}`).toBe('DATABASE_REFUSED')
      expect(message).not.toContain(SECRET)
      expect(listener.heard(), `${what}: it heard something`).toBe('')
    }),
  )
  const listener = await listen(good, requested)
  await refusal(open(listener.port, good.authority))
  counts.accepted++
  expect(listener.heard(), 'a good certificate').not.toBe('')
})

test('WebHDFS over TLS: no certificate of an authority that the system does not know is spoken to, nor is it left', async () => {
  const file = join(root, 'rows')
  await writeFile(file, 'rows')
  for (const name of ['good', 'another host', 'out of date']) {
    const listener = await listen(certificates[name]!, false)
    const url = new URL(`https://localhost:${String(listener.port)}/webhdfs/v1/x?op=CREATE`)
    const { code } = await refusal(upload(url, file, 2000))
    counts.refused++
    expect(code, name).toBe('DATABASE_REFUSED')
    expect(listener.heard(), name).toBe('')
  }
})

test('a PostgreSQL on another machine is verified without a word of it in the URL', () => {
  for (const host of ['db.example', '10.0.0.1', '192.168.1.7', 'localhost.example', '2001:db8::1']) {
    expect(sslmodeFor({ sslmode: undefined } as Parameters<typeof sslmodeFor>[0], { host, port: 5432 }), host).toBe(
      'verify-full',
    )
  }
})

import { afterAll, beforeAll, expect, it } from 'vitest'
import { mongodb } from '../../src/connectors/mongodb/connector.ts'
import type { Finding, OpenContext } from '../../src/connectors/connector.ts'
import { MerganserError, type ErrorCode } from '../../src/core/errors.ts'
import { startOwnMongodb, type OwnMongodb, type OwnUser } from '../support/own-mongodb.ts'
import { describeOn } from '../support/servers.ts'

const ROOT: OwnUser = { name: 'root', password: 'a-secret/@:%', roles: ['root'] }
const WRITER: OwnUser = { name: 'writer', password: 'w-secret', roles: [{ role: 'readWrite', db: 'test' }] }
const READER: OwnUser = { name: 'reader', password: 'r-secret', roles: [{ role: 'read', db: 'test' }] }

const context = (access: 'read' | 'write'): OpenContext => ({
  ...{ access, directory: 'unused', replica: 'MONGODB' },
  owner: { logId: 'log', name: 'the test' },
})

/** Opens with a limit of a second for looking for a server. */
async function failureOf(url: string, access: 'read' | 'write' = 'write'): Promise<MerganserError | 'opened'> {
  try {
    const store = await mongodb.open(mongodb.options({ url, connectSeconds: 1 }), context(access))
    await store.close()
    return 'opened'
  } catch (error) {
    expect(error).toBeInstanceOf(MerganserError)
    return error as MerganserError
  }
}

describeOn(['mongodb'], 'a MongoDB that takes TLS only and wants a password', (plainUrl) => {
  let server: OwnMongodb
  beforeAll(async () => {
    server = await startOwnMongodb({ tls: true, users: [ROOT, WRITER, READER] })
  })
  afterAll(() => server.close())

  /** The code, a part of the message, a part of the advice; nothing secret in either. */
  async function expectRefused(url: string, code: ErrorCode, message: RegExp, advice: RegExp): Promise<void> {
    const error = await failureOf(url)
    expect(error).toMatchObject({ code, place: { replica: 'MONGODB' } })
    const { message: said, advice: advised = '' } = error as MerganserError
    expect(said).toMatch(message)
    expect(advised).toMatch(advice)
    expect(said + advised + JSON.stringify(error)).not.toMatch(/secret/)
  }

  it('opens with the right password and authority, for a user who may write, and for reading for one who may read', async () => {
    const opens = [server.url, server.urlOf({ user: WRITER })].map((url) => failureOf(url))
    expect(await Promise.all([...opens, failureOf(server.urlOf({ user: READER }), 'read')])).toEqual(
      Array(3).fill('opened'),
    )
  })

  it('tells a wrong password or user, one who may not write, and none at all', async () => {
    const wrong = { name: 'writer', password: 'another-secret' }
    const login = [/refuses the user or the password/, /authSource/] as const
    const privilege = [/want of a privilege/, /readWrite.*names no user/] as const
    await expectRefused(server.urlOf({ user: wrong }), 'DATABASE_REFUSED', ...login)
    await expectRefused(server.urlOf({ user: { ...wrong, name: 'nobody' } }), 'DATABASE_REFUSED', ...login)
    await expectRefused(server.urlOf({ user: READER }), 'DATABASE_REFUSED', ...privilege)
    await expectRefused(server.urlOf({ user: WRITER, database: 'other' }), 'DATABASE_REFUSED', ...privilege)
    await expectRefused(server.urlOf({ user: null }), 'DATABASE_REFUSED', ...privilege)
  })

  it('tells an authority that is not trusted, a certificate of another host, and TLS on one side only', async () => {
    const trust = [/over TLS safely/, /its certificate names it; tlsCAFile/] as const
    const closed = [/localhost:\d+ closes the connection/, /tls=true/] as const
    const silent = [/ does not answer/, /without TLS does not answer/] as const
    const withTls = (url: string) => `${url}${url.includes('?') ? '&' : '?'}tls=true`
    await Promise.all([
      expectRefused(server.urlOf({ tls: { tls: 'true' } }), 'DATABASE_REFUSED', ...trust),
      expectRefused(server.urlOf({ host: '127.0.0.1' }), 'DATABASE_REFUSED', ...trust),
      expectRefused(server.urlOf({ tls: {} }), 'DATABASE_UNREACHABLE', ...closed),
      expectRefused(withTls(plainUrl), 'DATABASE_UNREACHABLE', ...silent),
      expectRefused(
        server.urlOf({ tls: { tls: 'true', tlsCAFile: '/nowhere/ca.crt' } }),
        'BAD_CONFIG',
        /file/,
        /CAFile/,
      ),
    ])
  })

  it('tells a port where nobody listens, a host that nobody knows, and another replica set', async () => {
    const hosts = /hosts and ports/
    const set = server.url.replace('directConnection=true', 'replicaSet=another')
    await Promise.all([
      expectRefused(server.urlOf({ port: 9 }), 'DATABASE_UNREACHABLE', /:9 refuses the connection/, hosts),
      expectRefused(server.urlOf({ host: 'nowhere.invalid' }), 'DATABASE_UNREACHABLE', /isn't known/, hosts),
      expectRefused(set, 'DATABASE_UNREACHABLE', /belongs to the replica set/, /replicaSet/),
    ])
  })

  it('doctor says the same, and changes nothing', async () => {
    const findings: Finding[] = []
    const url = server.urlOf({ user: { ...READER, password: 'another-secret' } })
    const options = mongodb.options({ url, connectSeconds: 1 })
    for await (const one of mongodb.diagnose!(options, context('read'))) findings.push(one)
    expect(findings).toMatchObject([{ level: 'problem', check: 'privileges', fault: 'configuration' }])
    const right = mongodb.options({ url: server.urlOf({ user: READER }) })
    for await (const one of mongodb.diagnose!(right, context('read'))) findings.push(one)
    expect(findings.slice(1).filter(({ level }) => level === 'problem')).toEqual([])
  })
})

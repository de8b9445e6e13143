import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { postgres } from '../../src/connectors/postgres/connector.ts'
import { batchOf, keysOf } from '../../src/core/batch.ts'
import { DEFAULT_TABLE } from '../../src/core/table.ts'
import { startOwnPostgres, type OwnPostgres } from '../support/own-postgres.ts'
import { open, row, run } from './postgres-support.ts'
import type { Finding, ReplicaStore } from '../../src/connectors/connector.ts'
import type { MerganserError } from '../../src/core/errors.ts'

describe('a PostgreSQL server with a password and a certificate', () => {
  let server: OwnPostgres
  const opened: ReplicaStore[] = []

  beforeAll(async () => {
    server = await startOwnPostgres()
  })
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close()
  })
  afterAll(async () => {
    await server.close()
  })

  async function opens(url: string, more: object = {}): Promise<ReplicaStore> {
    const store = await open({ url, ...more })
    opened.push(store)
    return store
  }

  async function failureOf(url: string, more: object = {}): Promise<MerganserError> {
    const error = await opens(url, more).then(
      () => undefined,
      (failure: unknown) => failure as MerganserError,
    )
    expect(error).toMatchObject({ name: 'MerganserError', place: { replica: 'POSTGRESQL' } })
    const said = `${error!.message} ${error!.advice ?? ''} ${JSON.stringify(error)}`
    expect(said).not.toContain(server.password)
    expect(said).not.toContain(encodeURIComponent(server.password))
    return error!
  }

  it('refuses a wrong password and a missing one; takes it from the url or the option', async () => {
    const wrong = server.url.replace(/:[^:@]*@/, ':wrong-secret@')
    const refused = await failureOf(wrong)
    expect(refused).toMatchObject({ code: 'DATABASE_REFUSED' })
    expect(`${refused.message} ${JSON.stringify(refused)}`).not.toContain('wrong-secret')
    const none = server.url.replace(/:[^:@]*@/, '@')
    expect(await failureOf(none)).toMatchObject({ code: 'DATABASE_REFUSED' })
    await opens(none, { password: server.password })
  })

  it('is connected to over TLS as libpq would: what each sslmode asks for, and nothing less', async () => {
    const encrypted = async (parameters: Readonly<Record<string, string>>, host?: string): Promise<boolean> => {
      const findings: Finding[] = []
      const options = postgres.options({ url: server.urlOf({ parameters, ...(host === undefined ? {} : { host }) }) })
      const context = { access: 'read', directory: '', replica: 'POSTGRESQL' } as const
      for await (const finding of postgres.diagnose!(options, context)) findings.push(finding)
      const tls = findings.find(({ check }) => check === 'tls')
      expect(tls, JSON.stringify(findings)).toBeDefined()
      return tls!.message === 'encrypted'
    }
    const sslrootcert = server.authority
    expect(await encrypted({ sslmode: 'disable' })).toBe(false)
    expect(await encrypted({ sslmode: 'allow' })).toBe(false)
    expect(await encrypted({ sslmode: 'prefer' })).toBe(true)
    expect(await encrypted({ application_name: 'x' })).toBe(true)
    expect(await encrypted({ sslmode: 'require' })).toBe(true)
    expect(await encrypted({ sslmode: 'require', sslrootcert })).toBe(true)
    expect(await encrypted({ sslmode: 'verify-ca', sslrootcert })).toBe(true)
    expect(await encrypted({ sslmode: 'verify-full', sslrootcert }, 'localhost')).toBe(true)
  })

  it('is refused where its certificate is not trusted or is for another host, with what to do', async () => {
    const unknown = await failureOf(server.urlOf({ parameters: { sslmode: 'verify-full' }, host: 'localhost' }))
    expect(unknown).toMatchObject({ code: 'DATABASE_REFUSED' })
    expect(unknown.message).toMatch(/localhost:\d+: the server's certificate can't be verified/)
    expect(unknown.advice).toMatch(/sslrootcert=FILE.*sslmode=require/)
    const parameters = { sslmode: 'verify-full', sslrootcert: server.authority }
    const elsewhere = await failureOf(server.urlOf({ parameters }))
    expect(elsewhere.message).toContain("the server's certificate is for another host")
    const options = { url: server.urlOf({ parameters: { sslmode: 'verify-ca', sslrootcert: '/nowhere/ca.crt' } }) }
    await expect(open(options)).rejects.toMatchObject({ code: 'BAD_CONFIG' })
  })

  it('lets in whoever has a certificate of its authority, and anybody at its socket who knows the password', async () => {
    await run(server.url, 'CREATE ROLE bearer LOGIN SUPERUSER')
    const sslrootcert = server.authority
    const bearer = (parameters: Readonly<Record<string, string>>) =>
      server.urlOf({ user: { name: 'bearer' }, host: 'localhost', parameters })
    const certificate = { sslcert: server.bearer.certificate, sslkey: server.bearer.key }
    await (await opens(bearer({ sslmode: 'verify-full', sslrootcert, ...certificate }))).close()
    expect(await failureOf(bearer({ sslmode: 'verify-full', sslrootcert }))).toMatchObject({ code: 'DATABASE_REFUSED' })
    const unread = bearer({ sslmode: 'require', ...certificate, sslkey: '/nowhere/bearer.key' })
    await expect(open({ url: unread })).rejects.toMatchObject({ code: 'BAD_CONFIG' })
    await (await opens(server.urlOf({ host: server.socket, parameters: {} }))).close()
    const stranger = { user: { name: 'postgres', password: 'wrong-secret' }, host: server.socket, parameters: {} }
    expect(await failureOf(server.urlOf(stranger))).toMatchObject({ code: 'DATABASE_REFUSED' })
    const nowhere = await failureOf(server.urlOf({ host: '/nowhere', parameters: {} }))
    expect(nowhere).toMatchObject({ code: 'DATABASE_UNREACHABLE' })
    expect(nowhere.message).toContain('/nowhere')
  })

  it('I5: killed during a write it loses the connection; started again, all or nothing of each part is there', async () => {
    const store = await opens(server.url, { connections: 3 })
    await store.ensureTable(DEFAULT_TABLE)
    await store.writeRows(DEFAULT_TABLE, batchOf(DEFAULT_TABLE, [row(0)]))
    const rows = Array.from({ length: 60_000 }, (_, i) => row(i + 1))
    // Keeps the write from ending before the server does.
    const blocker = new pg.Client({ connectionString: server.url })
    blocker.on('error', () => undefined)
    await blocker.connect()
    await blocker.query('BEGIN')
    await blocker.query('LOCK TABLE student_course_grades IN SHARE MODE')
    const writing = store.writeRows(DEFAULT_TABLE, batchOf(DEFAULT_TABLE, rows))
    const outcome = writing.then(
      () => 'done',
      (error: unknown) => (error as MerganserError).code,
    )
    const waiting = "SELECT (count(*) > 0)::text FROM pg_locks WHERE NOT granted AND mode = 'RowExclusiveLock'"
    await expect.poll(() => run(server.url, waiting), { timeout: 60_000 }).toEqual([['true']])
    await server.kill()
    expect(await outcome).toBe('CONNECTION_LOST')
    await expect(store.readRows(DEFAULT_TABLE, keysOf(DEFAULT_TABLE, [row(0).key]))).rejects.toMatchObject({
      code: 'CONNECTION_LOST',
    })
    expect(await failureOf(server.url)).toMatchObject({ code: 'DATABASE_UNREACHABLE' })
    await server.start()
    const again = await opens(server.url, { connections: 3 })
    expect(again.meta).toMatchObject({ logId: 'log', inUse: true })
    const there = await again.readRows(DEFAULT_TABLE, keysOf(DEFAULT_TABLE, [row(0).key]))
    expect(there.rows).toBe(1)
    const { written, stale } = await again.writeRows(DEFAULT_TABLE, batchOf(DEFAULT_TABLE, rows))
    expect(written + stale).toBe(rows.length)
    expect(stale % 20_000).toBe(0)
  })
})

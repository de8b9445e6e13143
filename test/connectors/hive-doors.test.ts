import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { batchOf } from '../../src/core/batch.ts'
import { connect } from '../../src/connectors/hive/client/connect.ts'
import { parseHiveUrl } from '../../src/connectors/hive/url.ts'
import { hostileTexts } from '../../src/testkit/samples.ts'
import { makeCertificates } from '../support/certificates.ts'
import { startOwnHive, type OwnHive } from '../support/own-hive.ts'
import { describeOn } from '../support/servers.ts'
import { startWebHdfs } from '../support/webhdfs.ts'
import { openStore, rowsOf, scanned, sessionOn, textRows, textTable } from './hive-support.ts'

const LIMIT = 1.5
const ACCESS = [
  'hive.security.authorization.enabled=true',
  'hive.security.authorization.manager=org.apache.hadoop.hive.ql.security.authorization.plugin.sqlstd.SQLStdHiveAuthorizerFactory',
  'hive.security.authenticator.manager=org.apache.hadoop.hive.ql.security.SessionStateUserAuthenticator',
]

/** One server with a door for each way of signing in and each transport, for it takes long to start. */
describeOn(['hive'], 'a HiveServer2 of other settings', () => {
  let own: OwnHive
  let root: string
  let bare: string
  let sasl: string
  let sealed: string
  let sealedHttp: string
  let http: string

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'merganser-hive-doors-'))
    own = await startOwnHive({
      doors: [
        { auth: 'nosasl' },
        { auth: 'none' },
        { auth: 'custom', tls: true },
        { auth: 'custom', tls: true, transport: 'http' },
        { auth: 'none', transport: 'http' },
      ],
      // So that a session can have access control, although the others have none.
      settings: { 'hive.conf.restricted.list': 'none' },
    })
    ;[bare, sasl, sealed, sealedHttp, http] = own.urls as [string, string, string, string, string]
  })
  afterAll(async () => {
    await own.close()
    await rm(root, { recursive: true, force: true })
  })

  /** An error of opening with a changed URL; it must come within the time limit. */
  async function refusal(url: string, change: (url: URL) => void): Promise<{ code: string; text: string }> {
    const changed = new URL(url)
    changed.searchParams.set('connectSeconds', String(LIMIT))
    change(changed)
    const started = performance.now()
    const found = await sessionOn(changed.href).then(
      async (connection) => {
        await connection.close()
        return undefined
      },
      (error: unknown) => error as { code: string; message: string; advice?: string },
    )
    expect(performance.now() - started).toBeLessThan(LIMIT * 1_000 + 10_000)
    expect(found, 'it was opened').toBeDefined()
    const text = `${found!.message}; ${found!.advice ?? ''}`
    expect(text).not.toContain('p@ss')
    return { code: found!.code, text }
  }

  it('is reached by SASL PLAIN, by HTTP and by TLS, with large answers and nasty texts', async () => {
    const query =
      "select concat('a\\n\\0\\'\\\\é😀', ' '), 9223372036854775807L, x from (select explode(split(repeat('abcdefgh ', 20000), ' ')) as x) s"
    for (const url of own.urls) {
      const connection = await connect({ ...parseHiveUrl(url), settings: { 'hive.variable.substitute': 'false' } })
      const rows = await rowsOf(connection, query)
      expect(rows.length).toBe(20_001)
      expect(rows[19_999]).toEqual(["a\n\0'\\é😀 ", 2n ** 63n - 1n, 'abcdefgh'])
      await expect(connection.execute('nonsense')).rejects.toMatchObject({ code: 'DATABASE_REFUSED' })
      await connection.close()
    }
  })

  it('refuses a wrong password, which is not shown', async () => {
    for (const url of [sealed, sealedHttp]) {
      const wrong = await refusal(url, (one) => {
        one.password = 'p@ssword'
      })
      expect(wrong.code).toBe('DATABASE_REFUSED')
      expect(wrong.text).toMatch(/user or the password/)
    }
  })

  it('proves who it is: unknown authorities and other names are refused', async () => {
    const stranger = await makeCertificates(root)
    for (const url of [sealed, sealedHttp]) {
      const changes: ((url: URL) => void)[] = [
        (one) => {
          one.searchParams.delete('caFile')
        },
        (one) => {
          one.searchParams.set('caFile', stranger.authority)
        },
        (one) => {
          one.hostname = '127.0.0.1'
        },
        (one) => {
          one.searchParams.set('serverName', 'hive.example')
        },
      ]
      for (const change of changes) {
        const { code, text } = await refusal(url, change)
        expect(code).toBe('DATABASE_REFUSED')
        expect(text).toMatch(/certificate is not trusted.*caFile.*serverName/)
      }
      const byAddress = new URL(url)
      byAddress.hostname = '127.0.0.1'
      byAddress.searchParams.set('serverName', 'localhost')
      await (await sessionOn(byAddress.href)).close()
      const unproven = new URL(url)
      unproven.searchParams.delete('caFile')
      unproven.searchParams.set('insecure', 'true')
      await (await sessionOn(unproven.href)).close()
    }
  })

  it('ends a mismatch within its time limit, with a message that names it', async () => {
    const set = (name: string, value: string) => (url: URL) => {
      url.searchParams.set(name, value)
    }
    const plain = (url: URL): void => {
      url.searchParams.delete('caFile')
      url.searchParams.delete('tls')
    }
    const cases: [string, (url: URL) => void, RegExp][] = [
      [bare, set('auth', 'none'), /auth to 'nosasl'/],
      [sasl, set('auth', 'nosasl'), /auth to 'none' or 'ldap'/],
      [bare, set('tls', 'true'), /TLS/],
      [sasl, set('tls', 'true'), /TLS/],
      [http, set('tls', 'true'), /TLS/],
      [sealed, plain, /TLS/],
      [sealedHttp, plain, /TLS/],
      [bare, set('transport', 'http'), /transport/],
      [sasl, set('transport', 'http'), /transport/],
      [http, set('transport', 'binary'), /transport/],
      [sealedHttp, set('transport', 'binary'), /transport/],
      [http, set('httpPath', 'elsewhere'), /httpPath/],
    ]
    for (const [url, change, pattern] of cases) {
      const { code, text } = await refusal(url, change)
      expect(code, text).toMatch(/^DATABASE_(?:UNREACHABLE|REFUSED)$/)
      expect(text).toMatch(pattern)
    }
    const nowhere = await refusal(sasl, (url) => {
      url.pathname = 'merganser_no_such_database'
    })
    expect(nowhere).toMatchObject({ code: 'DATABASE_REFUSED' })
    expect(nowhere.text).toMatch(/database isn't there/)
  })

  it('says which privilege is missing', async () => {
    const keeper = await sessionOn(sasl)
    await keeper.execute('create database if not exists guarded')
    await keeper.close()
    const url = `${sasl.replace('hive@', 'guest@').replace('/default', '/guarded')}&${ACCESS.map((one) => `set:${one}`).join('&')}`
    const store = openStore({ url })
    await expect(store).rejects.toMatchObject({ code: 'DATABASE_REFUSED', place: { replica: 'HIVE' } })
    await expect(store).rejects.toThrow(/privilege/)
  })

  it('takes a large batch by each way of staging, and holds the same rows', async () => {
    // What it serves is the protocol of WebHDFS; the files lie where Hive looks for them.
    const webhdfs = await startWebHdfs(own.directory)
    const rows = textRows(1_200, (i) => `${hostileTexts[i % hostileTexts.length]!} ${String(i)}`, 5)
    const uploads = join(own.directory, 'upload s')
    const options = { url: sasl, webhdfs: `${webhdfs.url}${encodeURI(uploads)}` }
    for (const staging of ['local', 'webhdfs', 'literals']) {
      const table = textTable(`by_${staging}`)
      const store = await openStore({ ...options, staging })
      await store.ensureTable(table)
      const written = await store.writeRows(table, batchOf(table, rows))
      expect(written).toEqual({ written: 1_200, stale: 0, rejected: [], foreign: [] })
      expect(await scanned(store, table)).toEqual(rows)
      if (staging === 'webhdfs') {
        expect(webhdfs.calls.map((call) => call.split(' ')[0])).toEqual(['CREATE', 'write'])
        webhdfs.refuse(403)
        const refused = store.writeRows(
          table,
          batchOf(
            table,
            textRows(1_200, () => 'x', 6),
          ),
        )
        await expect(refused).rejects.toMatchObject({ code: 'DATABASE_REFUSED' })
        webhdfs.refuse(undefined)
      }
      await store.close()
    }
    expect(await readdir(uploads)).toEqual([])
    await webhdfs.close()
    const away = await openStore({ ...options, staging: 'webhdfs' })
    const table = textTable('by_webhdfs')
    await away.ensureTable(table)
    const lost = away.writeRows(table, batchOf(table, rows))
    await expect(lost).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    await away.close()
  })
})

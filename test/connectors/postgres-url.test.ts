import { describe, expect, it } from 'vitest'
import { postgres } from '../../src/connectors/postgres/connector.ts'
import { layoutOf, tableSql } from '../../src/connectors/postgres/layout.ts'
import { sslmodeFor, waysOf } from '../../src/connectors/postgres/tls.ts'
import { readUrl } from '../../src/connectors/postgres/url.ts'
import { DEFAULT_TABLE } from '../../src/core/table.ts'
import type { MerganserError } from '../../src/core/errors.ts'

const read = (url: string, env: Record<string, string> = {}) => readUrl(url, env)

function refusal(url: string): MerganserError {
  try {
    readUrl(url, {})
  } catch (error) {
    return error as MerganserError
  }
  throw new Error('it was taken')
}

describe('the connection URL of postgres', () => {
  it('is read as libpq reads it: escapes, IPv6, sockets, parameters over parts', () => {
    expect(read('postgres://us%40er:p%3A%2F%23@[::1]:6543/d%20b?application_name=a%26b')).toMatchObject({
      endpoints: [{ host: '::1', port: 6543 }],
      ...{ user: 'us@er', password: 'p:/#', database: 'd b', applicationName: 'a&b' },
    })
    expect(read('postgresql://u@%2Fvar%2Frun/db').endpoints).toEqual([{ host: '/var/run', port: 5432 }])
    expect(read('postgres:///db?host=/tmp&port=5433&user=u').endpoints).toEqual([{ host: '/tmp', port: 5433 }])
    expect(read('postgres://u@h/a?dbname=b&password=c')).toMatchObject({ database: 'b', password: 'c' })
    expect(read('postgres://u@h')).toMatchObject({ database: 'u', password: undefined, sslmode: undefined })
    expect(read('postgres://u@h/d?ssl=true').sslmode).toBe('require')
  })

  it('takes what it leaves out from the environment', () => {
    const env = { PGHOST: 'e', PGPORT: '6000', PGUSER: 'eu', PGPASSWORD: 'ep', PGDATABASE: 'ed', PGSSLMODE: 'require' }
    expect(read('postgres://', env)).toMatchObject({
      endpoints: [{ host: 'e', port: 6000 }],
      ...{ user: 'eu', password: 'ep', database: 'ed', sslmode: 'require' },
    })
    expect(read('postgres://u:p@h:1/d', env)).toMatchObject({ endpoints: [{ host: 'h', port: 1 }], password: 'p' })
  })

  it('names several hosts, with one port for all or one for each', () => {
    expect(read('postgres://u@a:1,b,[::2]:3/d').endpoints).toEqual([
      { host: 'a', port: 1 },
      { host: 'b', port: 5432 },
      { host: '::2', port: 3 },
    ])
    expect(read('postgres://u@/d?host=a,b&port=7').endpoints.map(({ port }) => port)).toEqual([7, 7])
    expect(refusal('postgres://u@/d?host=a,b,c&port=1,2')).toMatchObject({ code: 'BAD_CONFIG' })
  })

  it('is refused where it is none or asks for what is not to be had, without showing a secret', () => {
    const wrong = [
      ...['', 'h', 'mysql://u:secret@h/d', 'postgres://u:secret@h:99999/d', 'postgres://u:secret@h:x/d'],
      ...['postgres://u:secret%zz@h/d', 'postgres://u:secret%00@h/d', 'postgres://u:secret@h/d?sslmode=no-verify'],
      ...['postgres://u:secret@h/d?secret', 'postgres://u:secret@h/d?nonsense=secret', 'postgres://u:secret@h/d#x'],
      ...['postgres://u:secret@h/d?channel_binding=require', 'postgres://u:secret@h/d?client_encoding=latin1'],
      ...['postgres://u:secret@h/d?target_session_attrs=secret', 'postgres://u:sec/ret@h:1/d?secret secret=1'],
    ]
    for (const url of wrong) {
      const error = refusal(url)
      expect(error, url).toMatchObject({ name: 'MerganserError', code: 'BAD_CONFIG' })
      expect(`${error.message} ${JSON.stringify(error)}`).not.toContain('secret')
    }
  })

  it('verifies TLS by default wherever the server is not on this machine', async () => {
    const mode = (url: string) => {
      const target = read(url)
      return sslmodeFor(target, target.endpoints[0]!)
    }
    for (const host of ['localhost', '127.0.0.1', '127.9.9.9', '[::1]'])
      expect(mode(`postgres://u@${host}/d`)).toBe('prefer')
    expect(mode('postgres://u@%2Ftmp/d?sslmode=verify-full')).toBe('disable')
    for (const host of ['db.example.org', '10.0.0.1', 'localhost.example.org', '127.0.0.1.example.org']) {
      expect(mode(`postgres://u@${host}/d`)).toBe('verify-full')
    }
    const target = read('postgres://u@db.example.org/d')
    const ways = await waysOf(target, target.endpoints[0]!)
    expect(ways).toHaveLength(1)
    expect(ways[0]).not.toBe(false)
    expect(ways[0]).not.toHaveProperty('rejectUnauthorized')
    expect(ways[0]).not.toHaveProperty('checkServerIdentity')
  })
})

describe('the options of postgres', () => {
  it('are checked, and have defaults', () => {
    const url = 'postgres://u@h/d'
    expect(postgres.options({ url })).toEqual({
      ...{ url, schema: 'public', connections: 2, statementSeconds: 300, connectSeconds: 10 },
    })
    expect(postgres.options({ url: `${url}?connect_timeout=3` })).toMatchObject({ connectSeconds: 3 })
    const wrong = [
      ...[{}, { url: 5 }, { url, schema: '' }, { url, connections: 0 }, { url, connections: 1.5 }],
      ...[
        { url, statementSeconds: '1' },
        { url, connectSeconds: 0 },
        { url, password: '' },
        { url, table: 'x' },
      ],
    ]
    for (const raw of wrong) expect(() => postgres.options(raw)).toThrow(/^postgres: /)
  })
})

describe('names in PostgreSQL', () => {
  const table = (name: string, ...columns: string[]) => ({
    ...DEFAULT_TABLE,
    name,
    values: columns.map((column) => ({ name: column, type: { name: 'string' } as const })),
  })

  it('may be any: quoted, a schema before a dot, cut by bytes as the server does', () => {
    expect(tableSql(layoutOf(table('say "x"', 'v')))).toBe('"public"."say ""x"""')
    expect(tableSql(layoutOf(table('my schema.Täble', 'v'), 'other'))).toBe('"my schema"."Täble"')
    expect(tableSql(layoutOf(table('t', 'v'), 'other'))).toBe('"other"."t"')
    const long = { ...table('t', 'v'), key: table('t', 'ä'.repeat(40)).values }
    expect(layoutOf(long).keys[0]!.name).toBe('ä'.repeat(31))
    for (const name of ['a.b.c', '.a', 'a.', '', 'ä'.repeat(32), 'a\0', 's.merganser_meta']) {
      expect(() => layoutOf(table(name, 'v')), name).toThrow(/can't stand in PostgreSQL/)
    }
  })
})

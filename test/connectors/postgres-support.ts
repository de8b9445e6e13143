import { randomBytes } from 'node:crypto'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import pg from 'pg'
import { postgres } from '../../src/connectors/postgres/connector.ts'
import type { ConnectorOptions, OpenContext, ReplicaStore } from '../../src/connectors/connector.ts'
import type { StampedRow } from '../../src/core/batch.ts'

/** A database of its own on a server, by its URL. */
export interface Database {
  readonly url: string
  /** The same with other parts. */
  with(change: (url: URL) => void): string
  query(sql: string): Promise<(string | null)[][]>
  drop(): Promise<void>
}

/** Runs statements one by one on a connection of their own; values come as text. */
export async function run(url: string, ...statements: readonly string[]): Promise<(string | null)[][]> {
  const client = new pg.Client({
    connectionString: url,
    types: { getTypeParser: () => (text: string | Buffer) => text },
  })
  // The server may be killed meanwhile: what is asked fails then, and nothing else.
  client.on('error', () => undefined)
  await client.connect()
  try {
    let rows: (string | null)[][] = []
    for (const text of statements) ({ rows } = await client.query<(string | null)[]>({ text, rowMode: 'array' }))
    return rows
  } finally {
    await client.end().catch(() => undefined)
  }
}

/** Makes a database, by default with the collation of the server's template. */
export async function createDatabase(server: string, clauses = ''): Promise<Database> {
  const name = `merganser_postgres_${randomBytes(6).toString('hex')}`
  await run(server, `CREATE DATABASE ${name} ${clauses}`)
  const changed = (change: (url: URL) => void): string => {
    const url = new URL(server)
    url.pathname = name
    change(url)
    return url.href
  }
  const url = changed(() => undefined)
  return {
    url,
    with: changed,
    query: (sql) => run(url, sql),
    drop: async () => {
      await run(
        server,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`,
        `DROP DATABASE IF EXISTS ${name}`,
      )
    },
  }
}

/** The clauses of a database that sorts by the rules of a language, where the server can make one. */
export async function languageClauses(server: string): Promise<string | undefined> {
  const [version] = await run(server, "SELECT current_setting('server_version_num')")
  const icu = await run(server, "SELECT 1 FROM pg_collation WHERE collprovider = 'i' AND collname = 'en-x-icu'")
  if (Number(version![0]) >= 150_000 && icu.length > 0) {
    return "TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en' LOCALE 'C'"
  }
  const libc = await run(
    server,
    "SELECT collcollate FROM pg_collation WHERE collprovider = 'c' AND collcollate ~ '_.*utf-?8$' LIMIT 1",
  )
  return libc.length === 0 ? undefined : `TEMPLATE template0 ENCODING 'UTF8' LOCALE '${libc[0]![0]!}'`
}

export async function open(options: ConnectorOptions, more: Partial<OpenContext> = {}): Promise<ReplicaStore> {
  return await postgres.open(postgres.options(options), {
    access: 'write',
    owner: { logId: 'log', name: 'the test' },
    directory: 'unused',
    replica: 'POSTGRESQL',
    ...more,
  })
}

export const row = (n: number, value = 'A', stamp = n): StampedRow => ({
  key: [`SID${String(n)}`, 'CSE'],
  cells: [{ value, stamp: `2026-11-22 15:11:21.${String(stamp).padStart(9, '0')}Z@POSTGRESQL` }],
  deleted: null,
})

/** What a proxy does with what it gets. */
export type Behaviour =
  | { readonly kind: 'pass' }
  /** Passes a COMMIT on, then cuts the connection instead of giving the answer. */
  | { readonly kind: 'cut the answer to COMMIT' }
  /** Takes everything and gives nothing. */
  | { readonly kind: 'swallow' }
  /** Gives the server's answers byte by byte, one each so many milliseconds. */
  | { readonly kind: 'drip'; readonly milliseconds: number }

export interface Proxy {
  readonly port: number
  behaviour: Behaviour
  /** Connections that were cut at a COMMIT. */
  readonly cuts: number
  close(): Promise<void>
}

/** A TCP proxy before a server, on a free port of loopback. */
export async function startProxy(host: string, port: number): Promise<Proxy> {
  const sockets = new Set<Socket>()
  const proxy = { behaviour: { kind: 'pass' } as Behaviour, cuts: 0 }
  const server = createServer((client) => {
    const upstream = connect(port, host)
    let cutting = false
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.on('data', (data) => {
      if (proxy.behaviour.kind === 'swallow') return
      if (proxy.behaviour.kind === 'cut the answer to COMMIT' && data.includes('COMMIT\0')) cutting = true
      upstream.write(data)
    })
    upstream.on('data', (data) => {
      const { behaviour } = proxy
      if (cutting) {
        proxy.cuts++
        proxy.behaviour = { kind: 'pass' }
        client.destroy()
      } else if (behaviour.kind === 'pass' || behaviour.kind === 'cut the answer to COMMIT') client.write(data)
      else if (behaviour.kind === 'drip') drip(client, data, behaviour.milliseconds)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return Object.assign(proxy, {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  })
}

function drip(client: Socket, data: Buffer, milliseconds: number): void {
  let at = 0
  const timer = setInterval(() => {
    if (at >= data.length || client.destroyed) clearInterval(timer)
    else client.write(data.subarray(at, ++at))
  }, milliseconds)
}

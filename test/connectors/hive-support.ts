import { randomBytes } from 'node:crypto'
import { connect as dial, createServer, type AddressInfo, type Socket } from 'node:net'
import { rowAt, type StampedRow } from '../../src/core/batch.ts'
import type { TableSchema } from '../../src/core/table.ts'
import type { ConnectorOptions, OpenContext, ReplicaStore } from '../../src/connectors/connector.ts'
import { MerganserError } from '../../src/core/errors.ts'
import { connect } from '../../src/connectors/hive/client/connect.ts'
import type { HiveConnection } from '../../src/connectors/hive/client/connection.ts'
import { hive } from '../../src/connectors/hive/connector.ts'
import { parseHiveUrl } from '../../src/connectors/hive/url.ts'

const TRIES = 20

/** A session of its own on the test's server. The first ones of a server that begin at once get into each other's way. */
export async function sessionOn(url: string, database?: string): Promise<HiveConnection> {
  const config = parseHiveUrl(url)
  for (let tries = 1; ; tries++) {
    try {
      return await connect({ ...config, database: database ?? config.database })
    } catch (error) {
      if (tries === TRIES || !(error instanceof MerganserError) || error.code !== 'BACK_OFF') throw error
    }
  }
}

/** All rows of a query, as its blocks hold them. */
export async function rowsOf(connection: HiveConnection, query: string): Promise<unknown[][]> {
  const rows: unknown[][] = []
  for await (const block of connection.query(query)) {
    for (let i = 0; i < block.rows; i++) {
      rows.push(block.columns.map(({ nulls, values }) => (nulls[i] === 1 ? null : values[i])))
    }
  }
  return rows
}

/** A query that takes half a minute or more. */
export const SLOW =
  'select count(*) as n from (select posexplode(split(space(2000), " "))) a cross join ' +
  '(select posexplode(split(space(20000), " "))) b where a.pos * b.pos % 7 = 3'

/** A table with a key `k` and a text `v`. */
export function textTable(name: string): TableSchema {
  const type = { name: 'string' } as const
  return { name, key: [{ name: 'k', type }], values: [{ name: 'v', type }] }
}

/** A stamp text that sorts by `n`. */
export const stamp = (n: number): string => `2026-11-22 15:11:21.${String(n).padStart(9, '0')}Z@HIVE`

/** Rows `k00000`, `k00001`, … of such a table, all with one stamp. */
export function textRows(count: number, value: (i: number) => string, n: number): StampedRow[] {
  return Array.from({ length: count }, (_, i) => ({
    key: [`k${String(i).padStart(5, '0')}`],
    cells: [{ value: value(i), stamp: stamp(n) }],
    deleted: null,
  }))
}

/** Opens a store of the connector for writing. */
export async function openStore(options: ConnectorOptions, more: Partial<OpenContext> = {}): Promise<ReplicaStore> {
  return await hive.open(hive.options(options), {
    access: 'write',
    owner: { logId: 'log', name: 'the test', session: 'the test' },
    directory: 'unused',
    replica: 'HIVE',
    ...more,
  })
}

/** All rows of a scan. */
export async function scanned(store: ReplicaStore, table: TableSchema): Promise<StampedRow[]> {
  const seen: StampedRow[] = []
  for await (const batch of store.scanRows(table)) {
    for (let i = 0; i < batch.rows; i++) seen.push(rowAt(batch, i))
  }
  return seen
}

/** A way to a server that can be cut. */
export interface Proxy {
  /** The server's URL, by this way. */
  readonly url: string
  /** Cuts all connections; new ones are let through. */
  cut(): void
  close(): Promise<void>
}

export async function proxyTo(url: string): Promise<Proxy> {
  const target = new URL(url)
  const sockets = new Set<Socket>()
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
    sockets.clear()
  }
  const server = createServer((socket) => {
    const other = dial(Number(target.port), target.hostname)
    for (const one of [socket, other]) {
      sockets.add(one)
      one.on('error', () => undefined)
    }
    socket.pipe(other).pipe(socket)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const mine = new URL(url)
  mine.hostname = '127.0.0.1'
  mine.port = String((server.address() as AddressInfo).port)
  return {
    url: mine.href,
    cut,
    async close() {
      cut()
      await new Promise((done) => server.close(done))
    },
  }
}

/** Makes databases of random names on a server, and drops them. */
export class Databases {
  readonly #url: string
  readonly #names: string[] = []
  #connection: Promise<HiveConnection> | undefined

  constructor(url: string) {
    this.#url = url
  }

  /** The URL of a new database. */
  async create(beginning = 'merganser_hive'): Promise<string> {
    const name = `${beginning}_${randomBytes(6).toString('hex')}`
    this.#names.push(name)
    this.#connection ??= sessionOn(this.#url)
    await (await this.#connection).execute(`CREATE DATABASE \`${name}\``)
    const url = new URL(this.#url)
    url.pathname = name
    return url.href
  }

  async dropAll(): Promise<void> {
    const connection = await this.#connection
    for (const name of this.#names.splice(0)) await connection?.execute(`DROP DATABASE \`${name}\` CASCADE`)
    await connection?.close()
    this.#connection = undefined
  }
}

import { randomBytes } from 'node:crypto'
import { connect } from '../../src/connectors/hive/client/connect.ts'
import type { HiveConnection } from '../../src/connectors/hive/client/connection.ts'
import { parseHiveUrl } from '../../src/connectors/hive/url.ts'

/** A session of its own on the test's server. */
export async function sessionOn(url: string, database = 'default'): Promise<HiveConnection> {
  return await connect({ ...parseHiveUrl(url), database })
}

/** Makes databases of random names on a server, and drops them. */
export class Databases {
  readonly #url: string
  readonly #names: string[] = []
  #connection: HiveConnection | undefined

  constructor(url: string) {
    this.#url = url
  }

  /** The URL of a new database. */
  async create(): Promise<string> {
    const name = `merganser_hive_${randomBytes(6).toString('hex')}`
    this.#names.push(name)
    this.#connection ??= await sessionOn(this.#url)
    await this.#connection.execute(`CREATE DATABASE ${name}`)
    const url = new URL(this.#url)
    url.pathname = name
    return url.href
  }

  async dropAll(): Promise<void> {
    for (const name of this.#names.splice(0)) await this.#connection?.execute(`DROP DATABASE ${name} CASCADE`)
    await this.#connection?.close()
    this.#connection = undefined
  }
}

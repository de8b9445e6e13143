import { randomBytes } from 'node:crypto'
import { MongoClient } from 'mongodb'

/** Fresh databases of a server, for one test file; `drop` takes them away. */
export class TestDatabases {
  readonly #url: string
  readonly #prefix = `merganser_test_${randomBytes(4).toString('hex')}`
  #count = 0

  constructor(url: string) {
    this.#url = url
  }

  /** The server's URL with the name of another new database in its path. */
  fresh(): string {
    return this.#with(`${this.#prefix}_${String(++this.#count)}`)
  }

  /** Works on a database of `fresh` with the driver itself. */
  async using<T>(url: string, work: (client: MongoClient) => Promise<T>): Promise<T> {
    const client = new MongoClient(url, { serverSelectionTimeoutMS: 10_000 })
    try {
      return await work(client)
    } finally {
      await client.close()
    }
  }

  async drop(): Promise<void> {
    await this.using(this.#url, async (client) => {
      for (let n = 1; n <= this.#count; n++) await client.db(`${this.#prefix}_${String(n)}`).dropDatabase()
    })
  }

  #with(database: string): string {
    const [, hosts, query = ''] = /^(mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/[^?]*)?(\?.*)?$/.exec(this.#url)!
    return `${hosts!}/${database}${query}`
  }
}

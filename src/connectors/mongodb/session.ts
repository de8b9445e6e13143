import type { Db, Document, FindCursor, MongoClient } from 'mongodb'
import { faultOf } from './faults.ts'
import { databaseOf, type MongodbOptions } from './options.ts'

/** So much later than the server should end a command at its limit, we stop waiting for it to say so. */
const GRACE = 10_000

/** Connections beside those of the bulk writes: for the lease, for reads, for scans. */
const MORE_CONNECTIONS = 8

export type Filter = Document | Map<string, unknown>

/** The driver's client with the options that correctness needs: every wait limited, the primary asked. */
export class Session {
  readonly #client: MongoClient
  readonly #db: Db
  readonly replica: string
  readonly options: MongodbOptions

  private constructor(client: MongoClient, options: MongodbOptions, replica: string) {
    this.#client = client
    this.#db = client.db(databaseOf(options.url))
    this.options = options
    this.replica = replica
  }

  /** Connects; the library is loaded here. Throws BAD_CONFIG, DATABASE_UNREACHABLE, DATABASE_REFUSED. */
  static async connect(options: MongodbOptions, replica: string): Promise<Session> {
    const { MongoClient } = await import('mongodb')
    const limit = options.statementSeconds * 1000
    const statement = limit + Math.min(GRACE, limit)
    let client: MongoClient | undefined
    try {
      client = new MongoClient(options.url, {
        appName: 'merganser',
        readPreference: 'primary',
        serverSelectionTimeoutMS: options.connectSeconds * 1000,
        connectTimeoutMS: options.connectSeconds * 1000,
        socketTimeoutMS: statement,
        waitQueueTimeoutMS: statement,
        maxPoolSize: options.connections + MORE_CONNECTIONS,
        minPoolSize: 0,
      })
      await client.connect()
      return new Session(client, options, replica)
    } catch (error) {
      await client?.close().catch(() => undefined)
      throw faultOf(error, replica)
    }
  }

  /** Acknowledged by a majority, and in their journals. */
  get writeConcern(): Document {
    return { w: 'majority', j: true, wtimeout: this.options.statementSeconds * 1000 }
  }

  /** One command of the database; its errors are the driver's. */
  async run(command: Document): Promise<Document> {
    return await this.#db.command(command, { readPreference: 'primary' })
  }

  /** The same of the database `admin`. */
  async admin(command: Document): Promise<Document> {
    return await this.#db.admin().command(command, { readPreference: 'primary' })
  }

  /** One document of a small collection of ours. */
  async one(collection: string, id: string): Promise<Document | undefined> {
    const found = await this.#db.collection(collection).findOne({ _id: { $eq: id } } as Document)
    return found ?? undefined
  }

  /** Documents as their BSON bytes. */
  find(collection: string, filter: Filter, options: { sorted?: boolean; batchSize: number }): FindCursor<Uint8Array> {
    return this.#db.collection(collection).find(filter as Document, {
      raw: true,
      batchSize: options.batchSize,
      maxTimeMS: this.options.statementSeconds * 1000,
      ...(options.sorted === true ? { sort: { _id: 1 } } : {}),
    }) as unknown as FindCursor<Uint8Array>
  }

  async aggregate(collection: string, pipeline: Document[]): Promise<Document[]> {
    return await this.#db
      .collection(collection)
      .aggregate(pipeline, { maxTimeMS: this.options.statementSeconds * 1000 })
      .toArray()
  }

  /** The keys of documents taken by chance, as documents in BSON that have no other fields. */
  async sample(collection: string, size: number): Promise<Uint8Array[]> {
    const pipeline = [{ $sample: { size } }, { $project: { _id: 1 } }]
    const options = { raw: true, maxTimeMS: this.options.statementSeconds * 1000 }
    const found = await this.#db.collection(collection).aggregate(pipeline, options).toArray()
    return found as unknown as Uint8Array[]
  }

  /** Ends all connections: what runs on them fails. */
  async close(): Promise<void> {
    await this.#client.close().catch(() => undefined)
  }
}

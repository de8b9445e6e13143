import { randomBytes } from 'node:crypto'
import { MongoClient, type Document } from 'mongodb'
import { startOwnMongodb } from '../support/own-mongodb.ts'
import { describeOn } from '../support/servers.ts'
import { provesNetwork, QUICK, shaken, type ShakenDatabase, type ShakenServer } from './support/network.ts'
import { rowOf } from './support/witness.ts'

async function start(): Promise<ShakenServer> {
  const server = await startOwnMongodb()
  const database = (): Promise<ShakenDatabase> => {
    const name = `merganser_network_${randomBytes(6).toString('hex')}`
    const client = new MongoClient(server.url, { serverSelectionTimeoutMS: 5_000, socketTimeoutMS: 10_000 })
    return Promise.resolve({
      options: (port) => ({
        ...{ type: 'mongodb', url: server.urlOf({ database: name, port }) },
        ...{ connectSeconds: 1, statementSeconds: 1, leaseSeconds: 2 },
      }),
      async rows() {
        const found = await client.db(name).collection('t').find().toArray()
        return found.map(({ k, a, b, stamps = {} }) => {
          const { a: aStamp, b: bStamp, deleted } = stamps as Document
          return rowOf([k, a, aStamp, b, bStamp, deleted])
        })
      },
      async drop() {
        await client.close()
      },
    })
  }
  return shaken(server, database)
}

/** A command of the table's own: the lease writes too. */
const isCommit = (request: Buffer): boolean =>
  request.includes('\x02insert\0\x02\0\0\0t\0') || request.includes('\x02update\0\x02\0\0\0t\0')

describeOn(['mongodb'], 'MongoDB and the network', () => {
  provesNetwork('MongoDB', start, {
    isCommit,
    ...QUICK,
  })
})

import { TestDatabases } from '../support/mongodb-databases.ts'
import { describeOn } from '../support/servers.ts'
import { provesHostile } from './support/hostile.ts'

describeOn(['mongodb'], 'MongoDB', (server) => {
  provesHostile(
    'MongoDB',
    async () => {
      const databases = new TestDatabases(server)
      const url = databases.fresh()
      await databases.using(url, (client) => client.db().collection('canary').insertOne({ k: 'alive' }))
      return {
        options: { type: 'mongodb', url },
        canary: () =>
          databases.using(url, async (client) => {
            const collections = await client.db().listCollections({}, { nameOnly: true }).toArray()
            const row = await client.db().collection('canary').findOne()
            return { row: String(row?.['k']), tables: collections.map(({ name }) => name).sort() }
          }),
        drop: () => databases.drop(),
      }
    },
    { keys: { ci: 500, nightly: 20_000 }, names: 100, some: 25 },
  )
})

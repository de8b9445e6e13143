import { Databases, rowsOf, sessionOn } from '../connectors/hive-support.ts'
import { describeOn } from '../support/servers.ts'
import { provesHostile } from './support/hostile.ts'

describeOn(['hive'], 'Hive', (server) => {
  provesHostile(
    'Hive',
    async () => {
      const databases = new Databases(server)
      const url = await databases.create()
      const ask = async (statement: string): Promise<unknown[][]> => {
        const session = await sessionOn(url)
        try {
          return await rowsOf(session, statement)
        } finally {
          await session.close()
        }
      }
      await ask("CREATE TABLE canary STORED AS ORC AS SELECT 'alive' AS k")
      return {
        options: { type: 'hive', url },
        canary: async () => ({
          row: String((await ask('SELECT k FROM canary'))[0]?.[0]),
          tables: (await ask('SHOW TABLES')).map(([name]) => String(name)).sort(),
        }),
        drop: () => databases.dropAll(),
      }
    },
    { keys: { ci: 500, nightly: 20_000 }, names: 3, some: 2, brief: true },
  )
})

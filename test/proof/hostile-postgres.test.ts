import { createDatabase } from '../connectors/postgres-support.ts'
import { describeOn } from '../support/servers.ts'
import { provesHostile } from './support/hostile.ts'

describeOn(['postgres'], 'PostgreSQL', (server) => {
  provesHostile(
    'PostgreSQL',
    async () => {
      const database = await createDatabase(server)
      await database.query("CREATE TABLE canary AS SELECT 'alive' AS k")
      return {
        options: { type: 'postgres', url: database.url },
        async canary() {
          const tables = await database.query(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v') ORDER BY 1",
          )
          return {
            row: String((await database.query('SELECT k FROM canary'))[0]?.[0]),
            tables: tables.map(([name]) => name!),
          }
        },
        drop: () => database.drop(),
      }
    },
    { keys: { ci: 500, nightly: 20_000 }, names: 100, some: 25 },
  )
})

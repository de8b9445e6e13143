import { afterAll, describe, it } from 'vitest'
import { postgres } from '../../src/connectors/postgres/connector.ts'
import { connectorConformance } from '../../src/testkit/index.ts'
import { describeOn } from '../support/servers.ts'
import { createDatabase, languageClauses, type Database } from './postgres-support.ts'

describeOn(['postgres'], 'on a PostgreSQL server', (server) => {
  const databases: Database[] = []
  let count = 0

  /** The first database, which most cases share, sorts text by a language's rules. */
  async function freshOptions(): Promise<{ url: string }> {
    const clauses = databases.length === 0 ? await languageClauses(server) : undefined
    const database = await createDatabase(server, clauses)
    databases.push(database)
    return { url: database.url }
  }

  afterAll(async () => {
    for (const database of databases) await database.drop()
  })

  connectorConformance(
    { describe, it, afterAll },
    { connector: postgres, directory: () => `database${String(++count)}`, options: freshOptions },
  )
})

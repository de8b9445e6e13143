import { randomBytes } from 'node:crypto'
import { run } from '../connectors/postgres-support.ts'
import { startOwnPostgres } from '../support/own-postgres.ts'
import { describeOn } from '../support/servers.ts'
import { provesNetwork, QUICK, shaken, type ShakenDatabase, type ShakenServer } from './support/network.ts'
import { rowOf } from './support/witness.ts'

async function start(): Promise<ShakenServer> {
  const server = await startOwnPostgres()
  const database = async (): Promise<ShakenDatabase> => {
    const name = `merganser_network_${randomBytes(6).toString('hex')}`
    await run(server.url, `CREATE DATABASE ${name}`)
    return {
      options: (port) => ({
        ...{ type: 'postgres', url: server.urlOf({ database: name, port }) },
        ...{ connectSeconds: 1, statementSeconds: 1 },
      }),
      async rows() {
        const url = server.urlOf({ database: name })
        if ((await run(url, "SELECT to_regclass('t')"))[0]![0] === null) return []
        const rows = await run(url, 'SELECT k, a, a_stamp, b, b_stamp, deleted_stamp FROM t')
        return rows.map(rowOf)
      },
      async drop() {
        await run(server.url, `DROP DATABASE ${name} WITH (FORCE)`)
      },
    }
  }
  return shaken(server, database)
}

describeOn(['postgres'], 'PostgreSQL and the network', () => {
  provesNetwork('PostgreSQL', start, {
    isCommit: (request) => request.includes('COMMIT\0'),
    ...QUICK,
  })
})

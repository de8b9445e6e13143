import { randomBytes } from 'node:crypto'
import { rowsOf, sessionOn } from '../connectors/hive-support.ts'
import { startOwnHive } from '../support/own-hive.ts'
import { describeOn } from '../support/servers.ts'
import { provesNetwork, shaken, type ShakenDatabase, type ShakenServer } from './support/network.ts'
import { rowOf } from './support/witness.ts'

async function start(): Promise<ShakenServer> {
  const server = await startOwnHive({
    settings: {
      // What a killed server left locked is waited for as long.
      'hive.txn.timeout': '6s',
      'metastore.acid.housekeeper.interval': '1s',
      'hive.lock.sleep.between.retries': '200ms',
      'hive.compactor.initiator.on': 'false',
    },
  })
  const database = async (): Promise<ShakenDatabase> => {
    const name = `merganser_network_${randomBytes(6).toString('hex')}`
    const ask = async (statement: string): Promise<unknown[][]> => {
      const session = await sessionOn(server.url)
      try {
        return await rowsOf(session, statement)
      } finally {
        await session.close()
      }
    }
    const maker = await sessionOn(server.url)
    await maker.execute(`CREATE DATABASE ${name}`).finally(() => maker.close())
    return {
      options: (port) => ({
        type: 'hive',
        url: `hive://hive@127.0.0.1:${String(port)}/${name}?auth=nosasl&connectSeconds=15&answerSeconds=10&cancelSeconds=1`,
        ...{ statementSeconds: 30, leaseSeconds: 10, compactAfter: 0 },
      }),
      async rows() {
        if ((await ask(`SHOW TABLES IN ${name} LIKE 't'`)).length === 0) return []
        return (await ask(`SELECT k, a, a_stamp, b, b_stamp, deleted_stamp FROM ${name}.t`)).map(rowOf)
      },
      drop: () => Promise.resolve(),
    }
  }
  return shaken(server, database)
}

describeOn(['hive'], 'Hive and the network', () => {
  provesNetwork('Hive', start, {
    isCommit: (request) => request.includes('MERGE INTO') || request.includes('INSERT INTO'),
    times: { pause: [500, 3_000], slow: [500, 2_000], hole: [1_000, 12_000], probes: 10_000, armed: 15_000 },
    runs: { ci: 5, nightly: 500 },
    ...{ beside: 3, faults: 2, restartEvery: 5, keys: 40 },
    retrySeconds: [240],
    ...{ callLimit: 400_000, drainLimit: 400_000, look: 3_000 },
  })
})

import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Databases } from '../connectors/hive-support.ts'
import { createDatabase, type Database } from '../connectors/postgres-support.ts'
import { TestDatabases } from '../support/mongodb-databases.ts'
import { firstSeed } from '../support/proof.ts'
import { describeOn } from '../support/servers.ts'
import { FaultProxy } from './support/fault-proxy.ts'
import { bearsLoad, loadSeconds, NAMES } from './support/load.ts'

describeOn(['postgres', 'mongodb', 'hive'], 'three real servers', (postgres, mongodb, hive) => {
  const documents = new TestDatabases(mongodb)
  const warehouses = new Databases(hive)
  /** Which one is away for a while. */
  const away = NAMES[(firstSeed() + 1) % NAMES.length]!
  let database: Database
  let staging: string
  let proxy: FaultProxy

  beforeAll(async () => {
    database = await createDatabase(postgres)
    staging = await mkdtemp(join(tmpdir(), 'merganser-load-'))
    const { hostname, port } = new URL({ HIVE: hive, POSTGRESQL: postgres, MONGODB: mongodb }[away])
    proxy = await FaultProxy.start({ host: hostname, port: Number(port) }, () => false)
  })
  afterAll(async () => {
    await proxy.close()
    await Promise.all([database.drop(), documents.drop(), warehouses.dropAll()])
    await rm(staging, { recursive: true, force: true })
  })

  test(
    `I11 I12: under load at full speed memory keeps its level, ${away} is waited for, and all drains and agrees`,
    { timeout: (loadSeconds() + 400) * 1_000 },
    async () => {
      const to = (name: string, text: string): string => {
        if (name !== away) return text
        const url = new URL(text)
        url.host = `127.0.0.1:${String(proxy.port)}`
        return url.href
      }
      const limits = { connectSeconds: 2, statementSeconds: 10 }
      await bearsLoad('three real servers', {
        replicas: {
          HIVE: { type: 'hive', url: to('HIVE', await warehouses.create()), stagingDirectory: staging },
          POSTGRESQL: { type: 'postgres', url: to('POSTGRESQL', database.url), ...limits },
          MONGODB: { type: 'mongodb', url: to('MONGODB', documents.fresh()), ...limits },
        },
        keys: 5_000,
        outage: {
          name: `${away} behind a black hole for 20 s`,
          begin: () => {
            proxy.blackHole()
            return Promise.resolve()
          },
          end: () => {
            proxy.heal()
            return Promise.resolve()
          },
        },
      })
      expect(await readdir(staging), 'files on their way to Hive').toEqual([])
      expect([...proxy.injected.keys()]).toContain('black hole')
    },
  )
})

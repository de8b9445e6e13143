import { afterAll, describe, it } from 'vitest'
import { hive } from '../../src/connectors/hive/connector.ts'
import { connectorConformance } from '../../src/testkit/index.ts'
import { describeOn } from '../support/servers.ts'
import { Databases } from './hive-support.ts'

describeOn(['hive'], 'Hive', (url) => {
  const databases = new Databases(url)
  afterAll(() => databases.dropAll(), 120_000)
  let directories = 0
  connectorConformance(
    { describe, it, afterAll },
    {
      connector: hive,
      directory: () => `unused-${String(++directories)}`,
      options: async () => ({ url: await databases.create() }),
      rows: 10_000,
      brief: true,
    },
  )
})

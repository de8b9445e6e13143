import { afterAll, describe, it } from 'vitest'
import { mongodb } from '../../src/connectors/mongodb/connector.ts'
import { connectorConformance } from '../../src/testkit/index.ts'
import { TestDatabases } from '../support/mongodb-databases.ts'
import { describeOn } from '../support/servers.ts'

describeOn(['mongodb'], 'the connector mongodb on a real server', (url) => {
  const databases = new TestDatabases(url)
  let count = 0
  connectorConformance(
    { describe, it, afterAll },
    {
      connector: mongodb,
      // A second owner is refused after two fifths of it.
      options: () => ({ url: databases.fresh(), leaseSeconds: 4 }),
      directory: () => `database ${String(++count)}`,
      rows: 500,
    },
  )
  afterAll(() => databases.drop(), 180_000)
})

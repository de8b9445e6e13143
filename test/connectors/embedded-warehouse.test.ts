import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, it } from 'vitest'
import { embeddedWarehouse } from '../../src/connectors/embedded-warehouse/connector.ts'
import { connectorConformance } from '../../src/testkit/index.ts'

const root = await mkdtemp(join(tmpdir(), 'merganser-warehouse-'))
let directories = 0

connectorConformance(
  { describe, it, afterAll },
  { connector: embeddedWarehouse, directory: () => join(root, String(++directories)) },
)

afterAll(async () => {
  await rm(root, { recursive: true, force: true })
})

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, it } from 'vitest'
import { embeddedPostgres } from '../../src/connectors/embedded-postgres/connector.ts'
import { connectorConformance } from '../../src/testkit/index.ts'

const root = await mkdtemp(join(tmpdir(), 'merganser-postgres-'))
let count = 0

afterAll(async () => {
  await rm(root, { recursive: true, force: true })
})

connectorConformance(
  { describe, it, afterAll },
  { connector: embeddedPostgres, directory: () => join(root, `replica${String(++count)}`) },
)

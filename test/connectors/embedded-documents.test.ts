import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, it } from 'vitest'
import { embeddedDocuments } from '../../src/connectors/embedded-documents/connector.ts'
import { connectorConformance } from '../../src/testkit/index.ts'

const root = await mkdtemp(join(tmpdir(), 'merganser-documents-'))
let directories = 0

connectorConformance(
  { describe, it, afterAll },
  { connector: embeddedDocuments, directory: () => join(root, String(++directories)) },
)

afterAll(() => rm(root, { recursive: true, force: true }))

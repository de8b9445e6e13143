import type { Connector } from './connector.ts'
import { renamed } from './renamed.ts'

const loaders: Readonly<Record<string, () => Promise<Connector>>> = {
  postgres: async () => (await import('./postgres/connector.ts')).postgres,
  'embedded-postgres': async () => (await import('./embedded-postgres/connector.ts')).embeddedPostgres,
  'embedded-documents': async () => (await import('./embedded-documents/connector.ts')).embeddedDocuments,
  'embedded-warehouse': async () => (await import('./embedded-warehouse/connector.ts')).embeddedWarehouse,
  mongodb: async () => (await import('./mongodb/connector.ts')).mongodb,
  hive: async () => (await import('./hive/connector.ts')).hive,
}

/** The types that a configuration may name. */
export const connectorTypes: readonly string[] = Object.keys(loaders)

/**
 * The connector of a type, whose replicas may call tables otherwise (`renamed.ts`). Loads its client library only where
 * the connector itself does, in `open`.
 */
export async function loadConnector(type: string): Promise<Connector | undefined> {
  const connector = await loaders[type]?.()
  return connector === undefined ? undefined : renamed(connector)
}

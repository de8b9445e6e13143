import type { Connector } from './connector.ts'

const loaders: Readonly<Record<string, () => Promise<Connector>>> = {
  'embedded-postgres': async () => (await import('./embedded-postgres/connector.ts')).embeddedPostgres,
  'embedded-documents': async () => (await import('./embedded-documents/connector.ts')).embeddedDocuments,
  'embedded-warehouse': async () => (await import('./embedded-warehouse/connector.ts')).embeddedWarehouse,
}

/** The types that a configuration may name. */
export const connectorTypes: readonly string[] = Object.keys(loaders)

/** The connector of a type. Loads its client library only where the connector itself does, in `open`. */
export async function loadConnector(type: string): Promise<Connector | undefined> {
  return await loaders[type]?.()
}

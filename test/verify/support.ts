import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Connector, Owner, ReplicaStore } from '../../src/connectors/connector.ts'
import { embeddedDocuments } from '../../src/connectors/embedded-documents/connector.ts'
import { embeddedPostgres } from '../../src/connectors/embedded-postgres/connector.ts'
import { embeddedWarehouse } from '../../src/connectors/embedded-warehouse/connector.ts'
import { batchOf, type StampedRow } from '../../src/core/batch.ts'
import type { TableSchema } from '../../src/core/table.ts'
import { nodeEnvironment } from '../../src/environment/node.ts'
import {
  newTally,
  type Difference,
  type DifferencesOptions,
  type Side,
  type Tally,
} from '../../src/verify/difference.ts'
import { differences } from '../../src/verify/differences.ts'

export const environment = nodeEnvironment(new URL(`file://${fileURLToPath(import.meta.url)}`))

const CONNECTORS = { documents: embeddedDocuments, postgres: embeddedPostgres, warehouse: embeddedWarehouse }
export type Kind = keyof typeof CONNECTORS

/** A side whose store is written too. */
export interface WritableSide extends Side {
  readonly store: ReplicaStore
}

/** Databases of a test file, each open for writing, all closed and removed at its end. */
export class Sides {
  readonly #open = new Map<string, WritableSide>()
  #directory: Promise<string> | undefined

  /** The database of that name, the same each time. */
  async side(name: string, kind: Kind): Promise<WritableSide> {
    const found = this.#open.get(name)
    if (found !== undefined) return found
    const connector: Connector = CONNECTORS[kind]
    const directory = join(await (this.#directory ??= mkdtemp(join(tmpdir(), 'merganser-verify-'))), name)
    const owner: Owner = { logId: `log-${name}`, name: 'a test' }
    const store = await connector.open(connector.options({}), { access: 'write', owner, directory, replica: name })
    const side = { name, store, capabilities: connector.capabilities }
    this.#open.set(name, side)
    return side
  }

  async end(): Promise<void> {
    await Promise.all([...this.#open.values()].map(({ store }) => store.close()))
    if (this.#directory !== undefined) await rm(await this.#directory, { recursive: true, force: true })
  }
}

export async function put({ store }: WritableSide, table: TableSchema, rows: readonly StampedRow[]): Promise<void> {
  await store.ensureTable(table)
  if (rows.length > 0) await store.writeRows(table, batchOf(table, rows))
}

/** All differences and what was counted; rows get no time to settle unless asked for. */
export async function compared(
  left: Side,
  right: Side,
  table: TableSchema,
  options: Partial<DifferencesOptions> = {},
): Promise<{ found: Difference[]; tally: Tally }> {
  const tally = newTally()
  const found: Difference[] = []
  for await (const one of differences(left, right, table, { environment, settle: 0, tally, ...options }))
    found.push(one)
  return { found, tally }
}

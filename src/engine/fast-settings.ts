import type { FastSettings } from '../core/fast-path.ts'
import { holdsCommon } from '../connectors/connector.ts'
import type { Catalog } from '../script/catalog.ts'
import type { EngineSetup } from './setup.ts'

/** Log lines that a state may have out: enough to go on while an epoch is written. */
const LOG_BYTES = 24 * 1024 * 1024

/** What a state's fast path must know of a session. */
export function fastSettings(setup: EngineSetup, catalog: Catalog): FastSettings {
  const { keyBytes, valueBytes, lineBytes } = setup.limits
  const names = [...catalog.replicas, ...catalog.aliases.keys()]
  return {
    keepsLines: !setup.dryRun,
    keepsResults: setup.sink !== undefined,
    logBytes: LOG_BYTES,
    limits: { keyBytes, valueBytes, lineBytes },
    names: names.map((name) => ({ name, replica: catalog.replica(name)! })),
    replicas: setup.replicas.map(({ connector: { capabilities } }) => ({
      keyBytes: Math.min(keyBytes, capabilities.keyBytes),
      valueBytes: Math.min(valueBytes, capabilities.valueBytes),
      fits: setup.tables.map(({ key, values }) =>
        [...key, ...values].every(({ type }) => holdsCommon(capabilities, type)),
      ),
    })),
  }
}

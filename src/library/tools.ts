import type { Config, ReplicaConfig } from '../config/config.ts'
import { MerganserError } from '../core/errors.ts'
import type { TableSchema } from '../core/table.ts'
import type { SessionEvents } from '../engine/events.ts'
import type { EngineSetup, ReplicaSetup } from '../engine/setup.ts'
import type { Environment } from '../environment/environment.ts'

/** What only the composition root knows how to make. */
export interface Tools {
  readonly environment: Environment
  /** The connector of a configured replica and its checked options. Throws BAD_CONFIG. */
  connector(replica: ReplicaConfig): Promise<ReplicaSetup>
  setup(config: Config, events: SessionEvents): Promise<EngineSetup>
}

/** The configured replica of a name, whatever its case. Throws UNKNOWN_REPLICA. */
export function replicaOf({ replicas }: Config, name: string): ReplicaConfig {
  const found = replicas.find((replica) => replica.name === name.toUpperCase())
  if (found !== undefined) return found
  throw new MerganserError('UNKNOWN_REPLICA', `there is no replica ${name.slice(0, 80)}`, {
    advice: `known: ${replicas.map((replica) => replica.name).join(', ')}`,
  })
}

/** The configured tables of these names; all of them where none are given. Throws UNKNOWN_TABLE. */
export function tablesOf({ tables }: Config, names: readonly string[] | undefined): readonly TableSchema[] {
  return names === undefined ? tables : names.map((name) => tableOf(tables, name))
}

function tableOf(tables: readonly TableSchema[], name: string): TableSchema {
  const found = tables.find((table) => table.name === name)
  if (found !== undefined) return found
  throw new MerganserError('UNKNOWN_TABLE', `there is no table ${name.slice(0, 80)}`, {
    advice: `known: ${tables.map((table) => table.name).join(', ')}`,
  })
}

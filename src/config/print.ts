import { stringify } from 'yaml'
import type { Column, TableSchema } from '../core/table.ts'
import { typeText } from '../core/types.ts'
import type { Config, ReplicaConfig } from './config.ts'
import { HIDDEN, hideSecrets } from './secrets.ts'

/**
 * The effective configuration as YAML, as a file could say it. Secrets are shown as `***`: options with a secret's
 * name, credentials in URLs, and what came from a variable with a secret's name.
 */
export function printConfig(config: Config): string {
  const shown = {
    tables: Object.fromEntries(config.tables.map((table) => [table.name, tableShown(table)])),
    replicas: Object.fromEntries(config.replicas.map((replica) => [replica.name, replicaShown(replica)])),
    aliases: config.aliases,
    workers: config.workers,
    limits: config.limits,
    durability: config.durability,
    retry: config.retry,
    state: config.state,
  }
  return stringify(escaped(shown), { aliasDuplicateObjects: false, lineWidth: 0 })
}

/** So that a text that holds `${` reads back as it is. */
function escaped(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('${', '$$${')
  if (Array.isArray(value)) return value.map(escaped)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, escaped(inner)]))
}

function tableShown(table: TableSchema): Record<string, unknown> {
  const columns = (list: readonly Column[]) =>
    Object.fromEntries(list.map((column) => [column.name, typeText(column.type)]))
  return { key: columns(table.key), values: columns(table.values) }
}

function replicaShown(replica: ReplicaConfig): Record<string, unknown> {
  const options = Object.entries(replica.options).map(([name, value]): [string, unknown] => [
    name,
    // Names of columns, however they sound, are no secrets.
    replica.hidden.includes(name) ? HIDDEN : name === 'tables' ? value : hideSecrets(name, value),
  ])
  return { type: replica.type, ...Object.fromEntries(options) }
}

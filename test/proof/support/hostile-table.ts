import type { TableSchema } from '../../../src/core/table.ts'
import type { ReplicaOptions } from '../../faults/subject.ts'

/** A database with a table `canary` of one row in it, which nobody of us writes. */
export interface HostileDatabase {
  readonly options: ReplicaOptions
  /** What the canary's row says, and all tables and views that there are, sorted. */
  canary(): Promise<{ row: string; tables: string[] }>
  drop(): Promise<void>
}

export const TEXT = { name: 'string' } as const
export const TABLE: TableSchema = {
  name: 'odd',
  key: ['a', 'b'].map((name) => ({ name, type: TEXT })),
  values: ['v', 'w'].map((name) => ({ name, type: TEXT })),
}

/** What was tried, for the report. */
export interface Tried {
  exact: number
  refused: number
  statements: number
  names: number
  namesRefused: number
  /** Tests that came to their end. */
  passed: number
}
